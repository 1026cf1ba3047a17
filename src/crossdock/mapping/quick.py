# SPDX-License-Identifier: Apache-2.0
"""Message Translator, the quick way: a whole document built at once, in the belief that nothing is wrong with it.

No closure here names a fault: whatever is unusual is an exception, upon which `Translator` builds the same document by
the full closures, which gather every fault with its path. The compiler has found nothing wrong with the rules before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as Table
from operator import itemgetter
from typing import Any

from msgspec import Struct

from crossdock.mapping.checks import Check, json_able
from crossdock.mapping.convert_text import text
from crossdock.mapping.converters import Convert
from crossdock.mapping.failures import Unreadable
from crossdock.mapping.finish import Finish, Level, copied, finish_rule, run_step, slots_of, steps_of, take_of
from crossdock.mapping.paths import MISSING
from crossdock.mapping.rules import grouped, path_of, retargeted
from crossdock.mapping.slots import Gather, Layout, Slots, place_of, places_read
from crossdock.mapping.targets import TargetField, fields_of
from crossdock.mapping.values import Lookup, absent_of
from crossdock.mapping.where import parse_where
from crossdock.sdk.words import Mapping, Rule

Quick = Callable[[Any, Table[str, Any]], Any]
ELEMENT = "@"


def compile_quick(mapping: Mapping, cls: type[Struct] | None, own: dict[str, Convert], lookup: Lookup) -> Quick:
    """A closure of (source, context) that builds the target, or raises when anything is out of the ordinary."""
    layout = Layout(places_read(mapping.rules, 0))
    build = _object(mapping.rules, cls, Level(layout, 0, own, lookup))
    gather = layout.gather()
    outside = Layout(layout.above)
    around = outside.gather()
    handed = _handing(outside.handed(layout.above))
    if not layout.above:
        return lambda source, context: build(gather(source, []))
    return lambda source, context: build(gather(source, handed(around(context, []))))


def _handing(places: list[int]) -> Callable[[Slots], list[Any]]:
    """A closure that takes `places` out of the slots, for the level below."""
    if len(places) > 1:
        many = itemgetter(*places)
        return lambda slots: list(many(slots))
    return lambda slots: [slots[at] for at in places]


def _object(rules: Iterable[Rule], cls: type[Struct] | None, level: Level) -> Finish:
    targets = fields_of(cls) if cls else {}
    fields = [_planned(name, members, targets.get(name), level) for name, members in grouped(tuple(rules)).items()]

    def build(slots: Slots) -> Any:
        values = {}
        for name, finish, at, shortest, longest, may_lack in fields:
            # Half of all fields are copied: here, because a call would cost more than the copy.
            if longest:
                value = slots[at]
                if type(value) is str and shortest <= len(value) <= longest:
                    values[name] = value
                    continue
                if value is None and may_lack:
                    continue
            value = finish(slots)
            if value is not MISSING:
                values[name] = value
        return values if cls is None else cls(**values)

    return build


# A field's name, its closure, and how it is copied: slot, shortest, longest (0: it is not), whether it may be lacking.
Planned = tuple[str, Finish, int, int, int, bool]


def _planned(name: str, members: list[tuple[str, Rule]], field: TargetField | None, level: Level) -> Planned:
    finish = _field(members, field, level)
    rest, rule = members[0]
    if not rest and rule.each is None:
        copy = copied(rule, level, field.hint if field else None, must=field.required if field else False)
        if copy is not None:
            return name, finish, copy.at, copy.shortest, copy.longest, copy.may_lack
    return name, finish, 0, 0, 0, False


def _field(members: list[tuple[str, Rule]], field: TargetField | None, level: Level) -> Finish:
    rest, rule = members[0]
    if rest:
        return _nested(tuple(retargeted(rule, rest) for rest, rule in members), field, level)
    if rule.each is not None:
        return _each(rule, rule.each, field, level)
    check, hint = (field.check, field.hint) if field else (json_able, None)
    return finish_rule(rule, level, check, hint, must=field.required if field else False)


def _nested(rules: tuple[Rule, ...], field: TargetField | None, level: Level) -> Finish:
    build = _object(rules, field.nested if field else None, level)
    sourced = [rule for rule in rules if (path := path_of(rule)) is not None and path.start != "context"]
    present = list(dict.fromkeys(at for rule in sourced for at in slots_of(rule, level)))
    if (field is not None and field.required) or not present or any(rule.required for rule in rules):
        return build

    def finish(slots: Slots) -> Any:
        for at in present:
            value = slots[at]
            if value is not None and value != "":
                return build(slots)
        return MISSING

    return finish


def _each(rule: Rule, inner: tuple[Rule, ...], field: TargetField | None, level: Level) -> Finish:
    depth = level.depth + 1
    where = parse_where(rule.where).path if rule.where else None
    places = [*places_read(inner, depth), *([place_of(where, depth)] if where is not None else [])]
    below = Level(Layout(places), depth, level.own, level.lookup)
    if len(inner) == 1 and inner[0].target == ELEMENT:
        check: Check = (field.item or json_able) if field else json_able
        build = finish_rule(inner[0], below, check, None, must=True, plain=field is None)
    else:
        build = _object(inner, field.element if field else None, below)
    handed = _handing(level.layout.handed(below.layout.above))
    every = _elements(build, below.layout.gather(), _keeps(rule, below))
    items = _items(rule, level, must=field.required if field else False)

    def finish(slots: Slots) -> Any:
        found = items(slots)
        if found is MISSING:
            return MISSING
        if not isinstance(found, list | tuple):
            raise Unreadable("a list was expected here")
        built = every(found, handed(slots))
        return built if field is None else tuple(built)

    return finish


def _elements(
    build: Finish, gather: Gather, keeps: Callable[[Slots], bool] | None
) -> Callable[[Iterable[Any], list[Any]], list[Any]]:
    if keeps is None:
        return lambda found, above: [build(gather(item, above)) for item in found]
    return lambda found, above: [build(slots) for item in found if keeps(slots := gather(item, above))]


def _items(rule: Rule, level: Level, *, must: bool) -> Finish:
    take, steps = take_of(rule, level), steps_of(rule, level)
    absent = absent_of(rule, lambda value: value, None, must=must)

    def items(slots: Slots) -> Any:
        found = take(slots)
        for step in steps:
            if found is None:
                break
            found = run_step(step, found, slots)
        return absent() if found is None or found == "" else found

    return items


def _keeps(rule: Rule, below: Level) -> Callable[[Slots], bool] | None:
    """The rule's `where` on the slots of an element, the twin of where.read_where."""
    if not rule.where:
        return None
    condition = parse_where(rule.where)
    at, negated, lookup = below.layout.slot(condition.path, below.depth), condition.negated, below.lookup
    if condition.table is not None:
        table = condition.table
        return lambda slots: (slots[at] is not None and lookup(table, text(slots[at])) is not None) is not negated
    if condition.value is None:
        return lambda slots: bool(slots[at]) is not negated
    wanted = condition.value
    return lambda slots: (("" if slots[at] is None else text(slots[at])) == wanted) is not negated
