# SPDX-License-Identifier: Apache-2.0
"""Which bounds of one schema follow from those of another: numbers, lengths, sizes, patterns and formats."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor
from typing import Any

from crossdock.governance.schema_side import Node

_SIZED = {"string": "Length", "array": "Items", "object": "Properties"}


def bounds_not_held(parts: Node, types: frozenset[str], wanted: dict[str, Any]) -> Iterator[str]:
    """The keywords of `wanted` that values of `parts` (flat) of these types may break."""
    if types & {"integer", "number"}:
        yield from _numbers(parts, "number" not in types, wanted)
    for kind, what in _SIZED.items():
        if kind in types:
            yield from _sizes(parts, what, wanted)
    if "string" in types:
        for word in ("pattern", "format"):
            if word in wanted and not any(part.schema.get(word) == wanted[word] for part in parts):
                yield word
    if "array" in types and wanted.get("uniqueItems") and not _at_most_one(parts):
        yield "uniqueItems"


def _at_most_one(parts: Node) -> bool:
    return any(part.schema.get("uniqueItems") or part.schema.get("maxItems", 2) <= 1 for part in parts)


def _sizes(parts: Node, what: str, wanted: dict[str, Any]) -> Iterator[str]:
    least, most = f"min{what}", f"max{what}"
    mine = [part.schema[least] for part in parts if least in part.schema]
    if what == "Properties":
        mine.append(len({name for part in parts for name in part.schema.get("required", ())}))
    if wanted.get(least, 0) > max(mine, default=0):
        yield least
    if most in wanted and not any(part.schema.get(most, wanted[most] + 1) <= wanted[most] for part in parts):
        yield most


def _numbers(parts: Node, whole: bool, wanted: dict[str, Any]) -> Iterator[str]:
    low, high = _lowest(parts, whole, 1), _lowest(parts, whole, -1)
    for word, bound, sign in (
        ("minimum", low, 1),
        ("exclusiveMinimum", low, 1),
        ("maximum", high, -1),
        ("exclusiveMaximum", high, -1),
    ):
        if word in wanted:
            need = sign * _exact(wanted[word])
            if bound is None or bound[0] < need or (bound[0] == need and word[0] == "e" and not bound[1]):
                yield word
    if "multipleOf" in wanted:
        step = _exact(wanted["multipleOf"])
        steps = [_exact(part.schema["multipleOf"]) for part in parts if "multipleOf" in part.schema]
        if whole:
            steps.append(Fraction(1))
        if not any((mine / step).denominator == 1 for mine in steps):
            yield "multipleOf"


def _lowest(parts: Node, whole: bool, sign: int) -> tuple[Fraction, bool] | None:
    """The lower bound of `parts` and whether it is left out; with `sign` -1 the upper one, negated."""
    words = ("minimum", "exclusiveMinimum") if sign > 0 else ("maximum", "exclusiveMaximum")
    found: list[tuple[Fraction, bool]] = []
    for part in parts:
        for word in words:
            if word in part.schema:
                value, out = sign * _exact(part.schema[word]), word[0] == "e"
                if whole:
                    value, out = Fraction(floor(value) + 1 if out else ceil(value)), False
                found.append((value, out))
    return max(found, default=None)


def _exact(value: Any) -> Fraction:
    """A number as it was written: 0.1 is a tenth."""
    return Fraction(str(value))
