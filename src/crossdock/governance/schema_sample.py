# SPDX-License-Identifier: Apache-2.0
"""Values that a schema allows, at its bounds and at those of another schema: where two schemas differ, if they do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from crossdock.governance.schema_formats import SAMPLES
from crossdock.governance.schema_side import Node, Part, Side, item_view, key_of, types_of, view

MOST = 400
_LONGEST = 20_000
_MOST_ITEMS = 200
_DEEPEST = 7
FRESH = "zz_other"
_NOTHING = object()
# The standard library's own reader of patterns, which is nobody's promise.
try:
    _PARSER: Any = import_module("re._parser")
except ImportError:
    _PARSER = None
_CLASSES = {"CATEGORY_DIGIT": "0", "CATEGORY_WORD": "a", "CATEGORY_SPACE": " "}
_NOT_CLASSES = {"CATEGORY_NOT_DIGIT": "a", "CATEGORY_NOT_WORD": "-", "CATEGORY_NOT_SPACE": "a"}


class Sampler:
    """Makes values for nodes of one side; what it yields is valid there."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._kept: dict[tuple[str, bool], Any] = {}

    def example(self, node: Node, full: bool = False, depth: int = 0) -> Any:
        """One valid value of `node`, `full`: with its optional properties. LookupError if none is found."""
        key = (key_of(node), full)
        if key not in self._kept:
            self._kept[key] = _NOTHING  # a schema that contains itself has no example on this way
            found = next(self.values(node, (), full, depth), _NOTHING)
            if found is _NOTHING and full:
                found = next(self.values(node, (), False, depth), _NOTHING)
            if found is _NOTHING:
                del self._kept[key]  # deeper down or elsewhere there may be one
                raise LookupError(key[0][:200])
            self._kept[key] = found
        if self._kept[key] is _NOTHING:
            raise LookupError(key[0][:200])
        return self._kept[key]

    def values(self, node: Node, hints: Node, full: bool = False, depth: int = 0) -> Iterator[Any]:
        """Valid values of `node`, at most MOST, with the bounds of `hints` (another side's, flat) among them."""
        if depth > _DEEPEST:
            return
        for number, value in enumerate(self._candidates(node, hints, full, depth)):
            if number >= MOST:
                return
            if self._side.accepts(value, node):
                yield value

    def _candidates(self, node: Node, hints: Node, full: bool, depth: int) -> Iterator[Any]:
        parts = self._side.flat(node)
        if any(part.schema is False for part in parts):
            return
        both = (*parts, *(hint for hint in hints if hint.schema is not False))
        for schema, _ in both:
            yield from schema.get("enum", ())
            if "const" in schema:
                yield schema["const"]
        for part in parts:
            for word in ("anyOf", "oneOf"):
                branches = part.schema.get(word, ())
                rest = tuple(Part(_without(p.schema, word), p.place) if p is part else p for p in parts)
                for number, branch in enumerate(branches):
                    inner = (*rest, Part(branch, (*part.place, word, number)))
                    yield from self._candidates(inner, hints, full, depth + 1) if depth < _DEEPEST else ()
        types = types_of(parts)
        if "object" in types:
            yield from self._objects(parts, hints, full, depth)
        if "array" in types:
            yield from self._arrays(parts, hints, full, depth)
        if "string" in types:
            yield from _strings(both)
        if types & {"integer", "number"}:
            yield from _numbers(both)
        yield from (value for value, kind in ((True, "boolean"), (False, "boolean"), (None, "null")) if kind in types)

    def _objects(self, parts: Node, hints: Node, full: bool, depth: int) -> Iterator[dict[str, Any]]:
        required = dict.fromkeys(name for part in parts for name in part.schema.get("required", ()))
        optional = dict.fromkeys(
            name for part in parts for name in part.schema.get("properties", {}) if name not in required
        )
        try:
            least = {name: self.property(parts, name, full, depth) for name in required}
        except LookupError:
            return
        more: dict[str, Any] = {}
        if full or hints:
            for name in list(optional)[:100]:
                try:
                    more[name] = self.property(parts, name, full and depth < 3, depth)
                except LookupError:
                    continue
        everything = {**least, **more}
        yield from (everything, least) if full else (least, everything)
        sizes = _bounds((*parts, *hints), "Properties")
        for size in sizes:
            yield from self._sized(parts, least, more, size, depth)
        if hints:
            for name in list(more)[:50]:
                yield {**least, name: more[name]}
                yield {key: value for key, value in everything.items() if key != name}
            yield from self._sized(parts, everything, {}, len(everything) + 1, depth)

    def property(self, parts: Node, name: str, full: bool = False, depth: int = 0) -> Any:
        """A value that `parts` (flat) allow for the property `name`. LookupError when none is found."""
        return self.example(tuple(one for part in parts for one in view(part, name)), full, depth + 1)

    def _sized(
        self, parts: Node, least: dict[str, Any], more: dict[str, Any], size: int, depth: int
    ) -> Iterator[dict[str, Any]]:
        """`least` grown to `size` properties: by known ones, then by new names."""
        grown = dict(least)
        names = [*more, FRESH, *(f"{FRESH}{number}" for number in range(_MOST_ITEMS))]
        for name in names[: _MOST_ITEMS + len(more)]:
            if len(grown) >= size:
                break
            if name not in grown:
                try:
                    grown[name] = more[name] if name in more else self.property(parts, name, False, depth)
                except LookupError:
                    continue
        if len(grown) == size:
            yield grown

    def _arrays(self, parts: Node, hints: Node, full: bool, depth: int) -> Iterator[list[Any]]:
        first = max((len(part.schema.get("prefixItems", ())) for part in parts), default=0)
        lengths = [length for length in _bounds((*parts, *hints), "Items") if length <= _MOST_ITEMS]
        order = (1, *lengths, 0, 2, first) if full else (0, *lengths, 1, 2, first)
        for length in dict.fromkeys(order):
            try:
                yield [self.item(parts, number, full, depth) for number in range(length)]
            except LookupError:
                continue
            if length > 1:
                yield from self._different(parts, length, depth)

    def _different(self, parts: Node, length: int, depth: int) -> Iterator[list[Any]]:
        found: list[Any] = []
        for number in range(length):
            node = tuple(one for part in parts for one in item_view(part, number))
            for value in self._spread(node, depth):
                if value not in found:
                    found.append(value)
                    break
        if len(found) == length:
            yield found

    def _spread(self, node: Node, depth: int) -> Iterator[Any]:
        yield from self.values(node, (Part({}, ()),), False, depth + 1)
        yield from (value for value in range(_MOST_ITEMS) if self._side.accepts(value, node))
        yield from (f"n{value}" for value in range(_MOST_ITEMS) if self._side.accepts(f"n{value}", node))

    def item(self, parts: Node, number: int, full: bool = False, depth: int = 0) -> Any:
        """A value that `parts` (flat) allow for the item `number`. LookupError when none is found."""
        return self.example(tuple(one for part in parts for one in item_view(part, number)), full, depth + 1)


def _without(schema: dict[str, Any], word: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != word}


def _bounds(parts: Iterable[Part], what: str) -> list[int]:
    """The sizes at and just beyond the bounds of `what` ("Length", "Items", "Properties")."""
    found: list[int] = []
    for schema, _ in parts:
        if schema is not False:
            given = [int(schema[word]) for word in (f"min{what}", f"max{what}") if word in schema]
            found += [size for bound in given for size in (bound, bound - 1, bound + 1)]
    return [size for size in dict.fromkeys(found) if 0 <= size <= _LONGEST]


def _numbers(parts: Node) -> Iterator[Any]:
    yield from (0, 1, -1)
    steps = [schema["multipleOf"] for schema, _ in parts if "multipleOf" in schema]
    for schema, _ in parts:
        for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if word in schema:
                bound = schema[word]
                yield from (bound, bound + 1, bound - 1, bound + 0.5, bound - 0.5, int(bound))
                yield from (value for step in steps for value in (bound // step * step, (bound // step + 1) * step))
    yield from (value for step in steps for value in (step, -step, step + 1, step * 7))
    yield from (1.5, 0.25, -0.5, 7, 100, 10**6, 10**12, -(10**12), 1.0e300)


def _strings(parts: Node) -> Iterator[str]:
    short = ["", "a", "A", "0", "~", " ", "some text", "-1", *SAMPLES.values()]
    for schema, _ in parts:
        if schema.get("format") in SAMPLES:
            short.insert(0, SAMPLES[schema["format"]])
        if "pattern" in schema:
            short[:0] = matching(schema["pattern"])
    yield from short
    for length in _bounds(parts, "Length"):
        yield "x" * length
        yield "7" * length
        yield from (one[:1] * length for one in short[:5] if one)


def matching(pattern: str) -> list[str]:
    """Some strings that `pattern` should match; none when it has words that are not understood."""
    if _PARSER is None:
        return []
    try:
        tree = _PARSER.parse(pattern)
        return list(dict.fromkeys(_text(tree, times) for times in (1, 0, 2, 5)))
    except (re.error, ValueError, OverflowError, RecursionError):
        return []


def _text(tree: Any, times: int) -> str:
    text = ""
    for op, argument in tree:
        # Repeats of repeats grow as a power; what is longer than this is of no use to us.
        text = (text + _piece(str(op), argument, times))[:_LONGEST]
    return text


def _piece(op: str, argument: Any, times: int) -> str:
    if op == "LITERAL":
        return chr(argument)
    if op == "ANY":
        return "x"
    if op in ("AT", "ASSERT", "ASSERT_NOT"):
        return ""
    if op == "NOT_LITERAL":
        return "b" if argument == ord("a") else "a"
    if op == "IN":
        return _one_of(argument)
    if op == "BRANCH":
        return _text(argument[1][times % len(argument[1])], times)
    if op == "SUBPATTERN":
        return _text(argument[3], times)
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = argument
        text = _text(inner, times)
        return text * min(max(int(least), times), int(most), 1000, _LONGEST // max(1, len(text)))
    raise ValueError(op)


def _one_of(choices: Any) -> str:
    kinds = [(str(kind), value) for kind, value in choices]
    if kinds[0][0] == "NEGATE":
        outside = {chr(value) for kind, value in kinds if kind == "LITERAL"}
        for kind, value in kinds:
            if kind == "RANGE":
                outside |= {chr(code) for code in range(value[0], min(value[1], value[0] + 300) + 1)}
            elif kind == "CATEGORY":
                outside |= set({"CATEGORY_SPACE": " \t", "CATEGORY_DIGIT": "0123456789"}.get(str(value), ""))
        return next((one for one in "a0-A.~_ \u00e9" if one not in outside), "\u4e2d")
    kind, value = kinds[0]
    if kind == "RANGE":
        return chr(value[0])
    return chr(value) if kind == "LITERAL" else {**_CLASSES, **_NOT_CLASSES}[str(value)]
