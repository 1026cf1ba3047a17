# SPDX-License-Identifier: Apache-2.0
"""Rules of a mapping before they are compiled: grouped by field, checked for contradictions."""

from __future__ import annotations

from msgspec import UNSET

from crossdock.mapping.failures import MappingError
from crossdock.mapping.paths import Path, Read, parse_path
from crossdock.mapping.values import read_source
from crossdock.sdk.words import Rule


def grouped(rules: tuple[Rule, ...]) -> dict[str, list[tuple[str, Rule]]]:
    """`rules` by the first field of their target, each with the rest of its target."""
    groups: dict[str, list[tuple[str, Rule]]] = {}
    for rule in rules:
        head, _, rest = rule.target.partition(".")
        groups.setdefault(head, []).append((rest, rule))
    return groups


def retargeted(rule: Rule, target: str) -> Rule:
    """The same rule with another target."""
    return Rule(**{**{name: getattr(rule, name) for name in rule.__struct_fields__}, "target": target})


def path_of(rule: Rule) -> Path | None:
    """The path a rule is named by in a failure: its source, or the first of its sources that is in the document."""
    if rule.source is not None:
        return parse_path(rule.source)
    own = [source for source in rule.sources if not source.startswith("~")]
    return parse_path((own or list(rule.sources))[0]) if rule.sources else None


def first_source(rules: tuple[Rule, ...]) -> Path | None:
    """The first path in the document that any of `rules` reads."""
    for rule in rules:
        written = rule.source or next((source for source in rule.sources), None)
        if written and written[0] != "~":
            try:
                return parse_path(written)
            except MappingError:
                continue
    return None


def presence(rules: tuple[Rule, ...], depth: int) -> list[Read]:
    """Readers of everything in the document that `rules` take values from."""
    reads: list[Read] = []
    for rule in rules:
        try:
            read = read_source(rule, depth)
            path = path_of(rule)
        except MappingError:
            continue
        if read is not None and path is not None and path.start != "context":
            reads.append(read)
    return reads


def check_shape(rule: Rule, depth: int) -> None:
    """Raise MappingError when words of a rule contradict each other."""
    given = [
        word
        for word, there in (
            ("source", rule.source is not None),
            ("sources", bool(rule.sources)),
            ("const", rule.const is not UNSET),
        )
        if there
    ]
    if len(given) > 1:
        raise MappingError(f"it has {' and '.join(given)}", fix="keep one of them")
    if given == ["const"] and (rule.via or rule.crosswalk or rule.has_default or rule.each is not None):
        raise MappingError(
            "a const is finished, nothing else applies to it", fix="leave via, crosswalk, default, each out"
        )
    if rule.each is not None and rule.crosswalk:
        raise MappingError("a list is not looked up in a crosswalk", fix="put the crosswalk on a rule inside each")
    if rule.each is None and (rule.where or rule.isolate):
        raise MappingError("where and isolate belong to each", fix="leave them out or add each")
    if rule.isolate and depth:
        raise MappingError("only a list at the top can be isolated", fix="leave isolate out of inner lists")
    if rule.each is not None and rule.has_default and not isinstance(rule.default, list | tuple):
        raise MappingError("the default of a list is a list", fix="write []")
    if rule.sources and not rule.via and rule.each is None:
        raise MappingError("several sources need a converter", fix="put concat, join or first in via")
