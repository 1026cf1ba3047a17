# SPDX-License-Identifier: Apache-2.0
"""Query strings of hot routes, read within bounds; a parameter that is not known or comes twice is refused."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import unquote_to_bytes

from crossdock.errors import Refused

MOST_QUERY = 8_192


def parameters(query: bytes, known: Collection[str]) -> dict[str, str]:
    """The parameters by name. Refused: 414 too long, 400 not UTF-8, 422 unknown, given twice, or with U+0000."""
    if len(query) > MOST_QUERY:
        raise Refused(f"the query is longer than {MOST_QUERY} bytes", status=414, rule="query_size", fix="ask for less")
    found: dict[str, str] = {}
    for part in query.split(b"&"):
        if not part:
            continue
        raw_name, _, raw_value = part.partition(b"=")
        name, value = _text(raw_name), _text(raw_value)
        if name not in known or name in found:
            reason = f"{name[:100]!r} is given twice" if name in found else f"there is no parameter {name[:100]!r}"
            raise Refused(
                reason, field=name[:100], rule="parameter", fix=f"give any of {', '.join(sorted(known))} once"
            )
        if "\x00" in value:
            raise Refused("no text holds U+0000", field=name, rule="text", fix="take the character out")
        found[name] = value
    return found


def number(found: dict[str, str], name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`. Raises Refused."""
    text = found.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise Refused(
            f"{text[:50]!r} is no whole number from 1 to {most}", field=name, rule="number", fix=f"put 1 to {most}"
        )
    return int(text)


def _text(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("the query is not UTF-8", status=400, rule="encoding", fix="percent-encode UTF-8") from error
