# SPDX-License-Identifier: Apache-2.0
"""Everything the rules of one level read, fetched at once into a list of slots; each path is read once however many
rules use it.

A level is the document itself or an element of a list. What its rules read from further up (`$.currency` in a line) is
handed down with the element, so it is read once per list, not once per element.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

from msgspec import UNSET, Struct

from crossdock.mapping.converters import named
from crossdock.mapping.failures import Unreadable
from crossdock.mapping.paths import MISSING, follow, is_path, parse_path
from crossdock.mapping.where import parse_where
from crossdock.sdk.words import Rule

Slots = list[Any]
Steps = tuple[str | int, ...]
# How many levels up a path starts, and its steps. The context is one level above the document.
Place = tuple[int, Steps]
# (element or document, what is handed down from above) to the level's slots; None where nothing is.
Gather = Callable[[Any, list[Any]], Slots]
Getter = Callable[[Any], Any]


def place_of(written: str, depth: int) -> Place:
    """Where the path `written` in a rule `depth` lists deep begins, and its steps."""
    path = parse_path(written)
    climbs = {"here": 0, "up": path.climbs, "root": depth, "context": depth + 1}[path.start]
    return climbs, path.steps


def sources_of(rule: Rule) -> tuple[str, ...]:
    """The paths a rule takes its value from."""
    if rule.const is not UNSET:
        return ()
    return (rule.source,) if rule.source is not None else rule.sources


def places_read(rules: Iterable[Rule], depth: int) -> Iterator[Place]:
    """Every place that the rules of a level read, with what the lists inside it read from this level and above."""
    for rule in rules:
        arguments = (argument for converter in rule.via for argument in named(converter)[1] if is_path(argument))
        for written in (*sources_of(rule), *arguments):
            yield place_of(written, depth)
        inner = [*places_read(rule.each or (), depth + 1)]
        if rule.where:
            inner.append(place_of(parse_where(rule.where).path, depth + 1))
        yield from ((climbs - 1, steps) for climbs, steps in inner if climbs)


class Layout:
    """Which slot holds which place. Slot 0 is the element itself."""

    def __init__(self, places: Iterable[Place]) -> None:
        unique = dict.fromkeys(places)
        self._at: dict[Place, int] = {(0, ()): 0}
        self._nodes: list[tuple[int, tuple[str, ...]]] = []
        self._lists: list[tuple[int, Getter]] = []
        parted = [_parted(steps) for climbs, steps in unique if not climbs]
        self._lay(_tree(keys for keys, _ in parted), ())
        for keys, rest in parted:
            if rest:
                self._lists.append((self._at[0, keys], _reader(rest)))
                self._at[0, keys + rest] = len(self._at)
        # What the level above has to hand down, in the order of the last slots.
        self.above = [(climbs - 1, steps) for climbs, steps in unique if climbs]
        for climbs, steps in self.above:
            self._at[climbs + 1, steps] = len(self._at)

    def _lay(self, tree: dict[str, Any], before: Steps) -> None:
        if not tree:
            return
        self._nodes.append((self._at[0, before], tuple(tree)))
        for key in tree:
            self._at[0, (*before, key)] = len(self._at)
        for key, inner in tree.items():
            self._lay(inner, (*before, key))

    def slot(self, written: str, depth: int) -> int:
        """The slot of the path `written` in a rule of this level."""
        return self._at[place_of(written, depth)]

    def handed(self, places: Iterable[Place]) -> list[int]:
        """The slots of this level that a list inside it needs."""
        return [self._at[place] for place in places]

    def gather(self) -> Gather:
        """The closure that fills the slots; it raises what the full reading (paths.follow) would, or less exactly."""
        nodes = [(at, keys, (None,) * len(keys), dict[type, Getter]()) for at, keys in self._nodes]
        lists = self._lists

        def run(here: Any, above: list[Any]) -> Slots:
            slots = [here]
            for at, keys, nothing, getters in nodes:
                value = slots[at]
                if type(value) is dict:
                    slots += map(value.get, keys)
                elif value is None:
                    slots += nothing
                else:
                    getter = getters.get(type(value))
                    if getter is None:
                        getter = getters[type(value)] = _fields(type(value), keys)
                    slots += getter(value)
            for at, read in lists:
                slots.append(read(slots[at]))
            slots += above
            return slots

        return run


def _parted(steps: Steps) -> tuple[tuple[str, ...], Steps]:
    """The field names that `steps` begin with, and the rest from the first list on."""
    keys: list[str] = []
    for step in steps:
        if not isinstance(step, str) or step == "*":
            break
        keys.append(step)
    return tuple(keys), steps[len(keys) :]


def _tree(paths: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for key in path:
            node = node.setdefault(key, {})
    return tree


def _fields(kind: type, keys: tuple[str, ...]) -> Getter:
    if not issubclass(kind, Struct) or not set(keys) <= set(kind.__struct_fields__):
        raise Unreadable("an object was expected here")
    if len(keys) > 1:
        return attrgetter(*keys)
    only = attrgetter(keys[0])
    return lambda value: (only(value),)


def _reader(steps: Steps) -> Getter:
    """Reads `steps`, which begin with a number or "*", from a list; None where nothing is."""
    first, rest = steps[0], steps[1:]
    if first == "*":
        return _every(rest)

    key = rest[0] if len(rest) == 1 and rest[0] != "*" else None

    def read(found: Any) -> Any:
        if type(found) is list and type(first) is int and first < len(found):
            element = found[first]
            if type(element) is dict and type(key) is str:
                return element.get(key)
        value = follow(found, steps) if found is not None else None
        return None if value is MISSING else value

    return read


def _every(steps: Steps) -> Getter:
    """Reads `steps` from each element of a list; most lists hold objects, and most paths name one field of them."""
    whole = ("*", *steps)
    key = steps[0] if steps else None
    if not isinstance(key, str) or key == "*" or steps[1:2] not in ((), ("*",)):
        return lambda found: None if found is None else follow(found, whole)
    inner = _every(steps[2:]) if len(steps) > 1 else None

    def read(found: Any) -> Any:
        if type(found) is not list:
            return None if found is None else follow(found, whole)
        try:
            values = [value for element in found if (value := element.get(key)) is not None]
        except AttributeError:
            return follow(found, whole)
        return values if inner is None else [inner(value) for value in values]

    return read
