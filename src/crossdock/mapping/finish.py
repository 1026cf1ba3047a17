# SPDX-License-Identifier: Apache-2.0
"""One rule as a closure over the slots of its level: the quick twin of `values`, without a word about what is wrong.

What a closure here cannot take it raises for, in any way; the document is then translated again by the full closures of
`values`, which say what is wrong and where. So these may leave out every case that is not usual.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from operator import itemgetter
from typing import Any, Final

from msgspec import UNSET, Struct

from crossdock.mapping.checks import Check, is_closed, text_bounds
from crossdock.mapping.converters import CONVERTERS, Convert, named
from crossdock.mapping.paths import is_path
from crossdock.mapping.slots import Layout, Slots, sources_of
from crossdock.mapping.values import Lookup, absent_of, certain, fitted, looked_up
from crossdock.sdk.words import Rule

Finish = Callable[[Slots], Any]
Absent = Callable[[], Any]
# A converter, and the slot of its argument; or what it takes beside the value, as below.
Step = tuple[Convert, int]
NOTHING: Final = -1
ALL_SLOTS: Final = -2

# Standard converters of a text that are methods of it.
_METHODS: Final[dict[str, Callable[[str], str]]] = {"strip": str.strip, "upper": str.upper, "lower": str.lower}
# Converters that take text() of their value themselves.
_OF_TEXT: Final = frozenset({*_METHODS, "cut", "squeeze", "pick", "split"})
_LONGEST_TEXT: Final = 1_000_000
_MOST_KNOWN: Final = 1000
_NO_BOUNDS: Final = (1, 0)


class Level(Struct, frozen=True):
    """What the rules of one level have in common: where their slots are, and how deep in lists they lie."""

    layout: Layout
    depth: int
    own: dict[str, Convert]
    lookup: Lookup


class _Ends(Struct, frozen=True):
    """How a rule ends: `check` (None: its results fit by their kind), texts within bounds fit at once."""

    check: Check | None
    shortest: int
    longest: int
    absent: Absent


def finish_rule(rule: Rule, level: Level, check: Check, hint: Any, *, must: bool, plain: bool = True) -> Finish:
    """The closure that makes the rule's value from the slots; MISSING means: leave the field out.

    `plain`: text fields without a pattern may be checked by their length alone.
    """
    if rule.const is not UNSET:
        constant = fitted(rule.const, "const", check, hint)
        return (lambda slots: deepcopy(constant)) if isinstance(constant, dict | list) else lambda slots: constant
    bounds = text_bounds(hint) if plain else None
    shortest, longest = (max(1, bounds[0]), bounds[1]) if bounds else _NO_BOUNDS
    ends = _Ends(
        None if certain(rule, level.own, hint) else check, shortest, longest, absent_of(rule, check, hint, must=must)
    )
    steps = steps_of(rule, level)
    if rule.crosswalk:
        ours_of = looked_up(rule, level.lookup, check, hint)
        steps.append((ours_of, NOTHING))
    full = composed(take_of(rule, level), steps, ends)
    if len(places := slots_of(rule, level)) == 1 and rule.source is not None:
        return _of_one(rule, level, places[0], ends, full, closed=plain and is_closed(hint))
    if bounds and rule.via[:1] == ("first",) and not rule.crosswalk and (most := _cut_to(rule.via[1:])):
        return _first_text(places, shortest, min(longest, most), full)
    return full


class Copied(Struct, frozen=True):
    """A rule that copies a text of so many characters from a slot. `may_lack`: null leaves the field out."""

    at: int
    shortest: int
    longest: int
    may_lack: bool


def copied(rule: Rule, level: Level, hint: Any, *, must: bool) -> Copied | None:
    """How `rule` copies a text, None when it does more; whoever builds the object may then spare the closure's call."""
    bounds = text_bounds(hint)
    if rule.source is None or rule.crosswalk or bounds is None or not (most := _cut_to(rule.via)):
        return None
    may_lack = not (must or rule.required or rule.has_default)
    return Copied(slots_of(rule, level)[0], max(1, bounds[0]), min(bounds[1], most), may_lack)


def slots_of(rule: Rule, level: Level) -> list[int]:
    """The slots of the rule's sources."""
    return [level.layout.slot(source, level.depth) for source in sources_of(rule)]


def take_of(rule: Rule, level: Level) -> Finish:
    """The closure that takes the rule's value, or the list of its sources' values; None when nothing is there."""
    places = slots_of(rule, level)
    if rule.source is not None:
        return itemgetter(places[0])
    # A slice, for itemgetter gives a bare value when asked for one.
    many = itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))

    def take(slots: Slots) -> list[Any] | None:
        values = list(many(slots))
        if "" in values:
            values = [None if value == "" else value for value in values]
        return None if values[0] is None and values.count(None) == len(values) else values

    return take


def steps_of(rule: Rule, level: Level) -> list[Step]:
    """The rule's converters as functions of a value and the slots."""
    steps: list[Step] = []
    for name, arguments in _spelled(rule):
        convert = level.own.get(name) or CONVERTERS[name]
        steps.append(_step(convert, [_given(argument, level) for argument in arguments]))
    return steps


def composed(take: Finish, steps: list[Step], ends: _Ends) -> Finish:
    """Any rule: take the value, go through the steps, check."""
    check, shortest, longest, absent = ends.check, ends.shortest, ends.longest, ends.absent

    def finish(slots: Slots) -> Any:
        value = take(slots)
        if not value and (value is None or value == ""):
            return absent()
        for convert, at in steps:
            value = convert(value, slots[at]) if at >= 0 else convert(value) if at == NOTHING else convert(value, slots)
            if not value and (value is None or value == ""):
                return absent()
        if check is None or (type(value) is str and shortest <= len(value) <= longest):
            return value
        return check(value)

    return finish


def _spelled(rule: Rule) -> list[tuple[str, tuple[Any, ...]]]:
    """The rule's converters with their arguments, without a "text" that the next one does anyway."""
    via = [named(converter) for converter in rule.via]
    return [
        each
        for place, each in enumerate(via)
        if each[0] != "text" or place + 1 == len(via) or via[place + 1][0] not in _OF_TEXT
    ]


def _given(argument: Any, level: Level) -> tuple[int, Any]:
    """(slot, None) of an argument that is a path, (-1, value) of a plain one."""
    return (level.layout.slot(argument, level.depth), None) if is_path(argument) else (-1, argument)


def _step(convert: Convert, given: list[tuple[int, Any]]) -> Step:
    if not given:
        return convert, NOTHING
    if len(given) == 1:
        at, only = given[0]
        return (convert, at) if at >= 0 else (lambda value: convert(value, only), NOTHING)
    return lambda value, slots: convert(value, *[slots[at] if at >= 0 else plain for at, plain in given]), ALL_SLOTS


def run_step(step: Step, value: Any, slots: Slots) -> Any:
    """What `step` makes of `value`."""
    convert, at = step
    return convert(value, slots[at]) if at >= 0 else convert(value) if at == NOTHING else convert(value, slots)


def _of_one(rule: Rule, level: Level, at: int, ends: _Ends, full: Finish, *, closed: bool) -> Finish:
    """The closure of a rule with one source: the shapes that nine rules in ten have, else `full`."""
    via = _spelled(rule)
    name, arguments = via[0] if via else ("", ())
    method = _METHODS.get(name)
    if len(via) > 1 or (rule.crosswalk and via and method is None):
        return full
    if rule.crosswalk:
        return _ours(at, method or str, level.lookup, rule.crosswalk, ends, full)
    if closed and (method or not via):
        return _known(at, method or str, full)
    if method and ends.longest:
        return _reworked(at, method, ends, full)
    if not via:
        return full
    convert = level.own.get(name) or CONVERTERS[name]
    given = [_given(argument, level) for argument in arguments]
    if name == "pick" and ends.longest and given[0][0] >= 0:
        return _picked(at, given[0][0], given[1] if len(given) > 1 else (-1, None), ends, full)
    if not given:
        return _converted(at, convert, ends)
    return _converted_with(at, convert, *given[0], ends) if len(given) == 1 else full


def _cut_to(via: tuple[Any, ...]) -> int:
    """The longest text that comes through `via` as it is; 0 when `via` does more than cut."""
    most = _LONGEST_TEXT
    for name, arguments in map(named, via):
        if name == "cut" and isinstance(arguments[0], int):
            most = min(most, arguments[0])
        elif name != "text":
            return 0
    return most


def _first_text(places: list[int], shortest: int, longest: int, full: Finish) -> Finish:
    def finish(slots: Slots) -> Any:
        for at in places:
            value = slots[at]
            if type(value) is not str:
                if value is None:
                    continue
                return full(slots)
            if value:
                return value if shortest <= len(value) <= longest else full(slots)
        return full(slots)

    return finish


def _reworked(at: int, method: Callable[[str], str], ends: _Ends, full: Finish) -> Finish:
    shortest, longest = ends.shortest, ends.longest

    def finish(slots: Slots) -> Any:
        value = slots[at]
        if type(value) is str:
            value = method(value)
            if shortest <= len(value) <= longest:
                return value
        return full(slots)

    return finish


def _known(at: int, method: Callable[[str], str], full: Finish) -> Finish:
    """Codes, of which there are few: what passed its check once is not checked again."""
    passed: set[str] = set()

    def finish(slots: Slots) -> Any:
        value = slots[at]
        if type(value) is str and (value := method(value)) in passed:
            return value
        value = full(slots)
        if type(value) is str and len(passed) < _MOST_KNOWN:
            passed.add(value)
        return value

    return finish


def _ours(at: int, method: Callable[[str], str], lookup: Lookup, table: str, ends: _Ends, full: Finish) -> Finish:
    shortest, longest = ends.shortest, ends.longest

    def finish(slots: Slots) -> Any:
        value = slots[at]
        if type(value) is str and value:
            ours = lookup(table, method(value))
            if type(ours) is str and shortest <= len(ours) <= longest:
                return ours
        return full(slots)

    return finish


def _picked(at: int, table_at: int, otherwise: tuple[int, Any], ends: _Ends, full: Finish) -> Finish:
    shortest, longest = ends.shortest, ends.longest
    other_at, other = otherwise

    def finish(slots: Slots) -> Any:
        value = slots[at]
        table = slots[table_at]
        if type(value) is str and value and type(table) is dict:
            found = table.get(value)
            if found is None and value not in table:
                found = slots[other_at] if other_at >= 0 else other
            if type(found) is str and shortest <= len(found) <= longest:
                return found
        return full(slots)

    return finish


def _converted(at: int, convert: Convert, ends: _Ends) -> Finish:
    check, shortest, longest, absent = ends.check, ends.shortest, ends.longest, ends.absent

    def finish(slots: Slots) -> Any:
        value = slots[at]
        if not value and (value is None or value == ""):
            return absent()
        value = convert(value)
        if not value and (value is None or value == ""):
            return absent()
        if check is None or (type(value) is str and shortest <= len(value) <= longest):
            return value
        return check(value)

    return finish


def _converted_with(at: int, convert: Convert, argument_at: int, argument: Any, ends: _Ends) -> Finish:
    check, shortest, longest, absent = ends.check, ends.shortest, ends.longest, ends.absent

    def finish(slots: Slots) -> Any:
        value = slots[at]
        if not value and (value is None or value == ""):
            return absent()
        value = convert(value, slots[argument_at] if argument_at >= 0 else argument)
        if not value and (value is None or value == ""):
            return absent()
        if check is None or (type(value) is str and shortest <= len(value) <= longest):
            return value
        return check(value)

    return finish
