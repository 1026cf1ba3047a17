# SPDX-License-Identifier: Apache-2.0
"""Converters from and to text. Each takes a value and plain arguments, and raises Unreadable in a person's words."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from crossdock.mapping.failures import Unreadable, shown

LONGEST_TEXT = 100_000
_WIDEST = 1 << 64


def text(value: Any) -> str:
    """Text as it is, a number or true/false written out; times in ISO 8601 UTC. Not for lists and objects."""
    if type(value) is str:
        return value
    if type(value) is int and -_WIDEST < value < _WIDEST:
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) >= 1 << 128:
            raise Unreadable("the number is too long to be an identifier")
        return str(value)
    if isinstance(value, Decimal):
        if abs(value.adjusted()) > 60:
            raise Unreadable("the number is too long to be written out", "send a number of at most 40 digits")
        return format(value, "f")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise Unreadable(
        f"text was expected, found {kind_of(value)}", "send a text, or let the mapping name a field inside it"
    )


def kind_of(value: Any) -> str:
    """What a value is, in a person's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true/false"
    if isinstance(value, str):
        return f"the text {shown(value)!r}"
    if isinstance(value, int | float | Decimal):
        return "a number"
    return "a list" if isinstance(value, list | tuple) else "an object"


def strip(value: Any) -> str:
    """Text without space at both ends."""
    return text(value).strip()


def upper(value: Any) -> str:
    """Text in capitals."""
    return text(value).upper()


def lower(value: Any) -> str:
    """Text in small letters."""
    return text(value).lower()


def squeeze(value: Any) -> str:
    """Text with every run of white space made one space, none at the ends."""
    return " ".join(text(value).split())


def cut(value: Any, longest: int) -> str:
    """The first so many characters of a text: `("cut", 30)`. For free text that may be shortened, never for keys."""
    return text(value)[:longest]


def replace(value: Any, old: str, new: str) -> str:
    """Text with every `old` replaced by `new`: `("replace", "/", "-")`."""
    return text(value).replace(old, new)


def pad_left(value: Any, width: int, character: str) -> str:
    """Text filled up on the left: `("pad_left", 14, "0")` for a GTIN that lost its leading zeros."""
    return text(value).rjust(min(width, 200), character)


def prefix(value: Any, before: Any) -> str:
    """Text with another before it: `("prefix", "~.channel")`. The other may not be missing."""
    return _needed(before) + text(value)


def suffix(value: Any, after: Any) -> str:
    """Text with another after it: `("suffix", "-EU")`. The other may not be missing."""
    return text(value) + _needed(after)


def _needed(part: Any) -> str:
    if part is None or part == "":
        raise Unreadable("a part of it is missing", "send the missing part")
    return text(part)


def concat(value: Any, separator: str = "") -> str:
    """The values of `sources` (or of a list) in one text; every part must be there: `("concat", "/")`."""
    return _bounded(separator.join([_needed(part) for part in _listed(value)]))


def join(value: Any, separator: str = " ") -> str:
    """The values of `sources` (or of a list) in one text; missing parts are skipped: `("join", ", ")`."""
    return _bounded(separator.join([text(part) for part in _listed(value) if part is not None and part != ""]))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _bounded(joined: str) -> str:
    if len(joined) > LONGEST_TEXT:
        raise Unreadable(f"the joined text is longer than {LONGEST_TEXT:,} characters", "shorten the parts")
    return joined


def first(value: Any) -> Any:
    """The first value of `sources` (or of a list) that is not missing; missing when there is none."""
    for part in _listed(value):
        if part is not None and part != "":
            return part
    return None


def split(value: Any, separator: str, part: int | None = None) -> Any:
    """Text cut at a separator into a list of stripped parts, or the part of that number (0 first, -1 last)."""
    parts = [piece.strip() for piece in text(value).split(separator)]
    if part is None:
        return parts
    return parts[part] if -len(parts) <= part < len(parts) else None


def gid_tail(value: Any) -> str:
    """The part after the last slash, without a query: "gid://shopify/Order/42?x=1" gives "42"."""
    return text(value).rpartition("/")[2].partition("?")[0]


def then(value: Any, given: Any) -> Any:
    """Another value in its place when there is one at all: source `cancelled_at` with `("then", "cancelled")`."""
    return given


def match(value: Any, table: Table[str, Any], otherwise: Any = None) -> Any:
    """The value's entry in a small table: `("match", {"T": "sale", "R": "return"})`; what is not in it opens a case."""
    return pick(value, table, otherwise)


def pick(value: Any, table: Table[str, Any], otherwise: Any = None) -> Any:
    """The value's entry in a table that comes with the document: `("pick", "$.names.location")`; else a case."""
    if not isinstance(table, dict):
        raise Unreadable("the table it is looked up in is missing", "give the system this crosswalk in the estate")
    key = text(value)
    if key in table:
        return table[key]
    if otherwise is not None:
        return otherwise
    known = ", ".join(sorted(map(str, table))[:8])
    raise Unreadable(
        f"{shown(key)!r} is not one of the known values ({known})", "send a known value, or add it to the table"
    )


def to_length(value: Any) -> int:
    """How many elements a list has, or characters a text."""
    if isinstance(value, list | tuple | str):
        return len(value)
    raise Unreadable(f"a list was expected, found {kind_of(value)}", "send a list")
