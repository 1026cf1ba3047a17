# SPDX-License-Identifier: Apache-2.0
"""Which source paths a mapping reads, and for which target: the ground of lineage and coverage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct

from crossdock.mapping.converters import named
from crossdock.mapping.paths import is_path, parse_path
from crossdock.mapping.where import parse_where
from crossdock.sdk.words import Mapping, Rule


class Use(Struct, frozen=True):
    """One reading of `source` for `target`; both from the root, with "[]" for each element of a list.

    `whole`: everything inside the source is taken too; false for a list whose elements have rules of their own.
    `computed`: read from elements that a converter made, so `source` need not be a field of the document.
    """

    target: str
    source: str
    whole: bool = True
    computed: bool = False


def uses(mapping: Mapping) -> list[Use]:
    """Every path that `mapping` reads, in the order of its rules; context paths begin with "~."."""
    return list(_uses(mapping.rules, "", ("",), computed=False))


def leaves(mapping: Mapping) -> list[tuple[str, Rule]]:
    """Every rule with its target from the root: "lines[].sku"; the rule of a list comes before those inside it."""
    return list(_leaves(mapping.rules, ""))


def steps_of(path: str) -> tuple[str, ...]:
    """`path` (a rule's, a dropped one or a `Use.source`) as bare field names, without list marks and numbers."""
    names = path.replace("[]", "").split(".")
    return tuple(name for name in names if name and name not in ("$", "*") and not name.isdecimal())


def _leaves(rules: tuple[Rule, ...], prefix: str) -> Iterator[tuple[str, Rule]]:
    for rule in rules:
        target = prefix + rule.target if rule.target != "@" else prefix.rstrip(".")
        yield target, rule
        if rule.each is not None:
            yield from _leaves(rule.each, f"{target}[].")


def _uses(rules: tuple[Rule, ...], prefix: str, bases: tuple[str, ...], *, computed: bool) -> Iterator[Use]:
    for rule in rules:
        target = prefix + rule.target if rule.target != "@" else prefix.rstrip(".")
        sources = [_absolute(written, bases) for written in _sources(rule)]
        whole = rule.each is None or bool(rule.via)
        for source in sources:
            yield Use(target, source, whole, computed)
        for argument in _arguments(rule):
            yield Use(target, _absolute(argument, bases), computed=computed)
        if rule.each is None:
            continue
        inner = (*bases, f"{sources[0]}[]" if sources else "")
        made = computed or bool(rule.via)
        if rule.where:
            yield Use(f"{target}[]", _absolute(parse_where(rule.where).path, inner), computed=made)
        yield from _uses(rule.each, f"{target}[].", inner, computed=made)


def _sources(rule: Rule) -> tuple[str, ...]:
    if rule.const is not UNSET:
        return ()
    return (rule.source,) if rule.source is not None else rule.sources


def _arguments(rule: Rule) -> Iterator[Any]:
    for converter in rule.via:
        yield from (argument for argument in named(converter)[1] if is_path(argument))


def _absolute(written: str, bases: tuple[str, ...]) -> str:
    path = parse_path(written)
    text = ""
    for step in path.steps:
        text += "[]" if isinstance(step, int) or step == "*" else f".{step}"
    if path.start == "context":
        return f"~{text}"
    base = bases[0] if path.start == "root" else bases[-1 - path.climbs]
    return f"{base}{text}".lstrip(".")
