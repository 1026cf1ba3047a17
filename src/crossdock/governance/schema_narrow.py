# SPDX-License-Identifier: Apache-2.0
"""What one schema allows and another refuses: every place where `b` is narrower than `a`.

Nothing found means that every value valid under `a` is valid under `b`: a keyword of `b` counts as held only when a
keyword of `a` implies it. What cannot be decided is a finding too. Properties that `a` does not name are taken as not
sent, unless it says what they may be: otherwise no property could ever be added to an open object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from crossdock.governance.schema_bounds import bounds_not_held
from crossdock.governance.schema_sample import FRESH, Sampler
from crossdock.governance.schema_side import (
    UNDERSTOOD,
    Node,
    Part,
    Place,
    Side,
    everything,
    item_view,
    key_of,
    names,
    same,
    types_of,
    view,
)

Wrap = Callable[[Any, bool], Any]
_MOST_STEPS = 20_000
_DEEPEST = 40
_MOST_VALUES = 1000
_WHOLE = ("not", "contains", "propertyNames", "dependentRequired", "dependentSchemas", "if")
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_TOGETHER = {"if": ("then", "else"), "contains": ("minContains", "maxContains")}


class Narrowing(Struct, frozen=True, kw_only=True):
    """A keyword (`rule`) of `b` that values of `a` may break. `at_a`, `at_b`: where it stands on each side.

    `said_a`, `said_b`: what each says there. `location`: where in a payload. `tries`: values for that location that may
    show it; `wrap` puts one into a whole payload, a small or a full one.
    """

    rule: str
    at_a: Place
    at_b: Place
    said_a: Any
    said_b: Any
    location: Place
    tries: Callable[[], Iterator[Any]]
    wrap: Wrap


class Spot(Struct, frozen=True):
    """Where a comparison stands. `known`: all that `a` says here, in any branch. `active`: what is compared."""

    location: Place
    wrap: Wrap
    depth: int
    known: Node
    active: frozenset[tuple[str, str]]


class Narrower:
    """Compares side `a` with side `b`."""

    def __init__(self, a: Side, b: Side) -> None:
        self.a, self.b = a, b
        self.sampler = Sampler(a)
        self._steps = 0
        self.added: set[Place] = set()

    def all(self) -> list[Narrowing]:
        """Every narrowing from `a` to `b`. `added` has then the places of properties that only `b` names."""
        here = Spot((), lambda value, _full: value, 0, everything(self.a, self.a.node), frozenset())
        return self._compare(self.a.node, self.b.node, here)

    def _compare(self, a: Node, b: Node, spot: Spot) -> list[Narrowing]:
        if len(a) == len(b) == 1 and same(self.a, a[0].schema, self.b, b[0].schema):
            return []
        pair = (key_of(a), key_of(b))
        if pair in spot.active:
            return []
        self._steps += 1
        parts, wanted = self.a.flat(a), self.b.flat(b)
        if self._steps > _MOST_STEPS or spot.depth > _DEEPEST:
            return [self._found("size", parts, wanted[0] if wanted else Part({}, ()), spot)]
        spot = Spot(spot.location, spot.wrap, spot.depth + 1, spot.known, spot.active | {pair})
        if not wanted or any(part.schema is False for part in parts):
            return []
        listed = self._listed(parts)
        if listed is not None:
            return self._values(parts, listed, wanted, spot)
        # A union of `b` that stands in `a` as it is needs no look into its branches.
        open_ = [one for one in (self._open(parts, part) for part in wanted) if one.schema != {}]
        branches = self._branches(parts)
        if branches and open_:
            return _once([one for branch in branches for one in self._compare(branch, tuple(open_), spot)])
        return _once([one for part in open_ for one in self._part(parts, part, spot)])

    def _open(self, parts: Node, wanted: Part) -> Part:
        """`wanted` without the unions that stand in `parts` as well."""
        if any(same(self.a, part.schema, self.b, wanted.schema) for part in parts):
            return Part({}, wanted.place)
        held = {
            word
            for word in ("anyOf", "oneOf")
            if isinstance(wanted.schema, dict) and word in wanted.schema
            for part in parts
            if word in part.schema and same(self.a, {word: part.schema[word]}, self.b, {word: wanted.schema[word]})
        }
        if not held:
            return wanted
        return Part({word: said for word, said in wanted.schema.items() if word not in held}, wanted.place)

    def _listed(self, parts: Node) -> list[Any] | None:
        """The values of `parts` when there is a list of them."""
        types = types_of(parts)
        for schema, _ in parts:
            given = [schema["const"]] if "const" in schema else schema.get("enum")
            if given is not None and len(given) <= _MOST_VALUES:
                return [value for value in given if self.a.accepts(value, parts)]
        if types <= {"null", "boolean"}:
            return [value for value in (None, True, False) if self.a.accepts(value, parts)]
        return None

    def _values(self, parts: Node, listed: list[Any], wanted: Node, spot: Spot) -> list[Narrowing]:
        found = []
        for one in wanted:
            refused = [value for value in listed if not self.b.accepts(value, (one,))]
            found += self._strange(parts, one, spot)
            if refused:
                rule = _ruling(one, parts)
                found.append(self._found(rule, parts, one, spot, lambda refused=refused: iter(refused)))  # type: ignore[misc]
        return found

    @staticmethod
    def _branches(parts: Node) -> list[Node]:
        """`parts` as a union of nodes, by the first `anyOf` or `oneOf` in them; [] = there is none."""
        for part in parts:
            for word in ("anyOf", "oneOf"):
                if word in part.schema:
                    rest = {name: value for name, value in part.schema.items() if name != word}
                    others = tuple(Part(rest, part.place) if one is part else one for one in parts)
                    return [
                        (*others, Part(branch, (*part.place, word, number)))
                        for number, branch in enumerate(part.schema[word])
                    ]
        return []

    def _part(self, parts: Node, b: Part, spot: Spot) -> list[Narrowing]:
        """Narrowings by one part of `b` (flat); `parts` have no union any more."""
        if b.schema is False:
            return [self._found("false", parts, b, spot)]
        found = self._strange(parts, b, spot)
        types = types_of(parts)
        left = types - types_of((b,))
        found += [self._found("type", parts, b, spot)] if left else []
        types -= left
        if not types:
            return found
        found += [self._found(word, parts, b, spot) for word in ("enum", "const") if word in b.schema]
        found += [self._found(rule, parts, b, spot) for rule in bounds_not_held(parts, types, b.schema)]
        found += [self._found(word, parts, b, spot) for word in self._whole(parts, b)]
        if "object" in types:
            found += self._object(parts, b, spot)
        if "array" in types:
            found += self._array(parts, b, spot)
        for word in ("anyOf", "oneOf"):
            if word in b.schema:
                found += self._union(parts, types, b, word, spot)
        return found

    def _strange(self, parts: Node, b: Part, spot: Spot) -> list[Narrowing]:
        """Words of `b` that are not understood, unless `parts` have them too; an `x-` word asks for nothing."""
        if not isinstance(b.schema, dict):
            return []
        words = {word: said for word, said in b.schema.items() if word not in UNDERSTOOD and not word.startswith("x-")}
        held = {
            word
            for word, said in words.items()
            for part in parts
            if word in part.schema and same(self.a, {word: part.schema[word]}, self.b, {word: said})
        }
        return [self._found(word, parts, b, spot) for word in words if word not in held]

    def _whole(self, parts: Node, b: Part) -> Iterator[str]:
        for word in _WHOLE:
            if word in b.schema:
                words = (word, *_TOGETHER.get(word, ()))
                wanted = {name: b.schema[name] for name in words if name in b.schema}
                held = (
                    {name: part.schema[name] for name in words if name in part.schema}
                    for part in parts
                    if word in part.schema
                )
                if not any(same(self.a, one, self.b, wanted) for one in held):
                    yield word
        yield from (word for word in _UNEVALUATED if word in b.schema)

    def _union(self, parts: Node, types: frozenset[str], b: Part, word: str, spot: Spot) -> list[Narrowing]:
        found: list[Narrowing] = []
        branches = [Part(one, (*b.place, word, number)) for number, one in enumerate(b.schema[word])]
        for kind in sorted(types - ({"integer"} if "number" in types else set())):
            typed = (*parts, Part({"type": kind}, parts[0].place if parts else ()))
            tried = [self._compare(typed, (branch,), spot) for branch in branches]
            fitting = [number for number, one in enumerate(tried) if not one]
            if not fitting:
                # Of the branches for this type the nearest one tells best what is wrong.
                near = min(
                    tried, key=lambda one: (any(item.rule in ("type", "enum", "const") for item in one), len(one))
                )
                found += near if near and not any(item.rule == "type" for item in near) else []
                if not near or any(item.rule == "type" for item in near):
                    found.append(self._found(word, typed, b, spot))
            elif word == "oneOf" and not any(
                all(self._apart(typed, other) for other in branches if other is not branches[number])
                for number in fitting
            ):
                found.append(self._found(word, typed, b, spot))
        return found

    def _apart(self, parts: Node, b: Part) -> bool:
        """Whether no value of `parts` is valid under `b`, as far as types and required constants tell."""
        wanted = self.b.flat((b,))
        if any(part.schema is False for part in wanted):
            return True
        mine, theirs = types_of(parts), types_of(wanted)
        if not mine & theirs:
            return True
        if mine & theirs - {"object"}:
            return False
        needed = {name for part in wanted for name in part.schema.get("required", ())}
        for name in needed & {name for part in parts for name in part.schema.get("required", ())}:
            ours = self._listed(self.a.flat(tuple(one for part in parts for one in view(part, name))))
            told = self.b.flat(tuple(one for part in wanted for one in view(part, name)))
            if ours is not None and not any(self.b.accepts(value, told) for value in ours):
                return True
        return False

    def _object(self, parts: Node, b: Part, spot: Spot) -> list[Narrowing]:
        has = {name for part in parts for name in part.schema.get("required", ())}
        needed = [name for name in b.schema.get("required", ()) if name not in has]
        found = [self._found("required", parts, b, spot, said=(name,)) for name in needed]
        mine = [name for part in (*parts, *spot.known) for name in part.schema.get("properties", ())]
        for name in dict.fromkeys([*mine, *sorted(has), *b.schema.get("properties", ())]):
            found += self._property(parts, b, name, spot)
        for pattern, schema in b.schema.get("patternProperties", {}).items():
            held = [
                p.schema["patternProperties"][pattern]
                for p in parts
                if pattern in p.schema.get("patternProperties", {})
            ]
            if not any(same(self.a, one, self.b, schema) for one in held):
                found.append(self._found("patternProperties", parts, b, spot))
        return found + self._others(parts, b, spot)

    def _property(self, parts: Node, b: Part, name: str, spot: Spot) -> list[Narrowing]:
        wanted = view(b, name)
        mine = tuple(one for part in parts for one in view(part, name))
        if not wanted or any(part.schema is False for part in self.a.flat(mine)):
            return []
        if not mine and not names(spot.known, name):
            self.added.add(wanted[0].place)
            return []
        if wanted[0].schema is False and name not in b.schema.get("properties", {}):
            at = next((one for one in mine), Part(None, (*(parts[0].place if parts else ()), "properties", name)))

            def with_it() -> Iterator[Any]:
                try:
                    yield {**self.sampler.example(parts), name: self.sampler.example(mine)}
                except LookupError:
                    return

            return [self._found("additionalProperties", (at,), Part(False, ()), spot, with_it)]
        return self._compare(mine, tuple(wanted), self._inside(parts, name, spot))

    def _others(self, parts: Node, b: Part, spot: Spot) -> list[Narrowing]:
        """Properties that neither side names."""
        if b.schema.get("additionalProperties", True) in (True, {}):
            return []
        known = b.schema.get("patternProperties", {})
        wanted = Part(b.schema["additionalProperties"], (*b.place, "additionalProperties"))
        unlike = [name for part in parts for name in part.schema.get("patternProperties", {}) if name not in known]
        if unlike:
            return [self._found("additionalProperties", parts, wanted, spot)]
        mine = tuple(
            Part(part.schema["additionalProperties"], (*part.place, "additionalProperties"))
            for part in parts
            if "additionalProperties" in part.schema
        )
        if any(part.schema is False for part in self.a.flat(mine)):
            return []
        if wanted.schema is False:
            return [self._found("additionalProperties", parts, wanted, spot)]
        return self._compare(mine, (wanted,), self._inside(parts, FRESH, spot))

    def _inside(self, parts: Node, name: str, spot: Spot) -> Spot:
        def wrap(value: Any, full: bool) -> Any:
            return spot.wrap({**self.sampler.example(parts, full), name: value}, full)

        known = everything(self.a, tuple(one for part in spot.known for one in view(part, name)))
        return Spot((*spot.location, name), wrap, spot.depth, known, spot.active)

    def _array(self, parts: Node, b: Part, spot: Spot) -> list[Narrowing]:
        found = []
        first = max(len(part.schema.get("prefixItems", ())) for part in (*parts, b))
        most = min((part.schema["maxItems"] for part in parts if "maxItems" in part.schema), default=None)
        for number in range(first + 1):
            if most is not None and number >= most:
                break
            wanted = tuple(item_view(b, number))
            mine = tuple(one for part in parts for one in item_view(part, number))
            if wanted and not any(part.schema is False for part in self.a.flat(mine)):
                found += self._compare(mine, wanted, self._at_item(parts, number, spot))
        return found

    def _at_item(self, parts: Node, number: int, spot: Spot) -> Spot:
        least = max((part.schema.get("minItems", 0) for part in parts), default=0)

        def wrap(value: Any, full: bool) -> Any:
            others = [
                self.sampler.item(parts, index, full) for index in range(max(least, number + 1)) if index != number
            ]
            return spot.wrap([*others[:number], value, *others[number:]], full)

        known = everything(self.a, tuple(one for part in spot.known for one in item_view(part, number)))
        return Spot((*spot.location, number), wrap, spot.depth, known, spot.active)

    def _found(
        self,
        rule: str,
        parts: Node,
        b: Part,
        spot: Spot,
        tries: Callable[[], Iterator[Any]] | None = None,
        said: Any = None,
    ) -> Narrowing:
        def sampled() -> Iterator[Any]:
            yield from self.sampler.values(parts, (b,) if isinstance(b.schema, dict) else (Part({}, ()),))
            yield from self.sampler.values(parts, (Part({}, ()),), True)

        mine = [part for part in parts if isinstance(part.schema, dict) and rule in part.schema]
        at = mine[0] if mine else (parts[0] if parts else Part({}, ()))
        theirs = b.schema.get(rule) if isinstance(b.schema, dict) else b.schema
        return Narrowing(
            rule=rule,
            at_a=at.place,
            at_b=b.place,
            said_a=at.schema.get(rule) if mine and not said else None,
            said_b=said[0] if said else theirs,
            location=spot.location,
            tries=tries or sampled,
            wrap=spot.wrap,
        )


def _ruling(b: Part, parts: Node) -> str:
    """Which keyword of `b` a listed value of `a` breaks, by the first that is there."""
    if not isinstance(b.schema, dict):
        return "false"
    words = [word for word in ("enum", "const") if word in b.schema]
    if words:
        return words[0]
    return (
        "type" if types_of(parts) - types_of((b,)) else next((word for word in b.schema if word in UNDERSTOOD), "false")
    )


def _once(found: list[Narrowing]) -> list[Narrowing]:
    return list({(one.rule, one.at_a, one.at_b, str(one.said_b)): one for one in found}.values())
