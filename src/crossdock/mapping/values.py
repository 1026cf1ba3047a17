# SPDX-License-Identifier: Apache-2.0
"""One rule as a closure: read, convert, look up, check."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from msgspec import UNSET

from crossdock.mapping.checks import Check, fitting, holds
from crossdock.mapping.convert_text import text
from crossdock.mapping.converters import CONVERTERS, LIST_READERS, RESULTS, Convert, check_arguments, named
from crossdock.mapping.failures import MappingError, Unreadable, shown
from crossdock.mapping.paths import MISSING, Read, is_path, parse_path, read_path
from crossdock.sdk.words import Rule

Lookup = Callable[[str, str], str | None]
Step = Callable[[Any, Any, Any], Any]


def read_source(rule: Rule, depth: int) -> Read | None:
    """A reader of the rule's source or sources, None when it has neither. MISSING when all sources are missing."""
    if rule.source is not None:
        return read_path(parse_path(rule.source), depth)
    if not rule.sources:
        return None
    reads = [read_path(parse_path(source), depth) for source in rule.sources]

    def read(here: Any, up: Any) -> Any:
        values = [None if (value := read(here, up)) is MISSING or value == "" else value for read in reads]
        return values if any(value is not None for value in values) else MISSING

    return read


def run_rule(
    rule: Rule, depth: int, own: dict[str, Convert], lookup: Lookup, check: Check, hint: Any, *, must: bool
) -> Read:
    """The closure that makes the rule's target value; MISSING means: leave the field out.

    `must`: the target cannot do without the field. Raises MappingError; the closure raises Unreadable and what its
    converters raise.
    """
    if rule.const is not UNSET:
        constant = fitted(rule.const, "const", check, hint)
        return (lambda here, up: deepcopy(constant)) if isinstance(constant, dict | list) else lambda here, up: constant
    read = read_source(rule, depth)
    if read is None:
        raise MappingError("it takes its value from nowhere", fix="give it source, sources or const")
    absent = absent_of(rule, check, hint, must=must)
    steps = convert_steps(rule, depth, own)
    if rule.crosswalk:
        ours_of = looked_up(rule, lookup, check, hint)
        steps.append(lambda value, here, up: ours_of(value))
    return composed(read, steps, None if certain(rule, own, hint) else check, absent)


def certain(rule: Rule, own: dict[str, Convert], hint: Any) -> bool:
    """Whether the last converter is a standard one whose results fit the field by their kind."""
    if not rule.via or rule.crosswalk:
        return False
    name = named(rule.via[-1])[0]
    return name not in own and name in RESULTS and holds(hint, RESULTS[name])


def fitted(value: Any, word: str, check: Check, hint: Any) -> Any:
    """A constant or default as its field takes it. MappingError when it does not fit."""
    try:
        return fitting(check, hint, value)
    except Unreadable as error:
        raise MappingError(f"its {word} does not fit the field: {error.reason}", fix=f"correct the {word}") from error


def absent_of(rule: Rule, check: Check, hint: Any, *, must: bool) -> Callable[[], Any]:
    """What stands in for a missing value: the default, MISSING (leave the field out), or a refusal."""
    if rule.has_default:
        default = fitted(rule.default, "default", check, hint)
        return (lambda: deepcopy(default)) if isinstance(default, dict | list) else lambda: default
    if must or rule.required:
        return missing
    return lambda: MISSING


def missing() -> Any:
    """Raise for a value that has to be there."""
    raise Unreadable("it is missing", "send it, or let the mapping give a default")


def convert_steps(rule: Rule, depth: int, own: dict[str, Convert]) -> list[Step]:
    """The rule's converters as steps. MappingError when one does not exist or its arguments cannot be right."""
    steps = []
    for place, converter in enumerate(rule.via):
        name, arguments = named(converter)
        convert = own.get(name) or CONVERTERS.get(name)
        if convert is None:
            raise MappingError(
                f"there is no converter {name!r}", fix=f"use one of {', '.join(sorted({*CONVERTERS, *own}))}"
            )
        if place == 0 and rule.sources and name in CONVERTERS and name not in LIST_READERS:
            raise MappingError(
                f"converter {name} reads one value, not the list of sources",
                fix=f"put one of {', '.join(sorted(LIST_READERS))} first",
            )
        check_arguments(name, convert, arguments)
        steps.append(_convert_step(convert, arguments, depth))
    return steps


def _convert_step(convert: Convert, arguments: tuple[Any, ...], depth: int) -> Step:
    if not arguments:
        return lambda value, here, up: convert(value)
    if not any(is_path(argument) for argument in arguments):
        if len(arguments) == 1:
            only = arguments[0]
            return lambda value, here, up: convert(value, only)
        return lambda value, here, up: convert(value, *arguments)
    reads = [_argument(argument, depth) for argument in arguments]
    if len(reads) == 1:
        read = reads[0]

        def with_one(value: Any, here: Any, up: Any) -> Any:
            argument = read(here, up)
            return convert(value, None if argument is MISSING else argument)

        return with_one

    def with_paths(value: Any, here: Any, up: Any) -> Any:
        found = [read(here, up) for read in reads]
        return convert(value, *[None if argument is MISSING else argument for argument in found])

    return with_paths


def _argument(argument: Any, depth: int) -> Read:
    if is_path(argument):
        return read_path(parse_path(argument), depth)
    return lambda here, up: argument


def looked_up(rule: Rule, lookup: Lookup, check: Check, hint: Any) -> Callable[[Any], Any]:
    """The rule's crosswalk as a function of their value; Unreadable for one that is not in it."""
    table = rule.crosswalk or ""
    default = fitted(rule.default, "default", check, hint) if rule.has_default else None

    def ours_of(value: Any) -> Any:
        theirs = text(value)
        ours = lookup(table, theirs)
        if ours is not None:
            return ours
        if rule.has_default:
            return default
        raise Unreadable(
            f"{shown(theirs)!r} is not in the crosswalk {table!r}",
            f"add it with `crossdock crosswalk set {table} {shown(theirs)!r} OURS` and retry, or correct the value",
        )

    return ours_of


def composed(read: Read, steps: list[Step], check: Check | None, absent: Callable[[], Any]) -> Read:
    """Any rule: read, go through the steps, check."""

    def run(here: Any, up: Any) -> Any:
        value = read(here, up)
        if value is MISSING or value is None or value == "":
            return absent()
        for step in steps:
            value = step(value, here, up)
            if value is None or value == "":
                return absent()
        return value if check is None else check(value)

    return run
