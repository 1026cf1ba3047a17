# SPDX-License-Identifier: Apache-2.0
"""A mapping told to people: a table of its rules, and lineage both ways."""

from __future__ import annotations

from msgspec import UNSET, Struct

from crossdock.mapping.converters import named
from crossdock.mapping.reads import leaves, uses
from crossdock.sdk.words import Converter, Mapping, Rule


class Lineage(Struct, frozen=True, kw_only=True):
    """Where every target comes from, where every source goes, and what is left out on purpose; "[]" = each element."""

    sources: dict[str, tuple[str, ...]]
    targets: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...]


def lineage(mapping: Mapping) -> Lineage:
    """The lineage of `mapping`. Targets made from constants have no sources."""
    sources: dict[str, list[str]] = {target: [] for target, _ in leaves(mapping)}
    targets: dict[str, list[str]] = {}
    for use in uses(mapping):
        into = sources.setdefault(use.target, [])
        if use.source not in into:
            into.append(use.source)
        out = targets.setdefault(use.source, [])
        if use.target not in out:
            out.append(use.target)
    return Lineage(
        sources={target: tuple(found) for target, found in sources.items()},
        targets={source: tuple(found) for source, found in sorted(targets.items())},
        dropped=mapping.dropped,
    )


def describe(mapping: Mapping) -> str:
    """`mapping` as Markdown: a heading, one table row per rule, and what is dropped."""
    known = lineage(mapping).sources
    rows = [
        f"| `{target}` | {_code(known.get(target, ()))} | {_cell(how(rule))} | {_cell(rule.note)} |"
        for target, rule in leaves(mapping)
    ]
    parts = [
        f"## {mapping.label}: {mapping.source} → {mapping.target}",
        "",
        *([mapping.note, ""] if mapping.note else []),
        "| target | from | how | note |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    if mapping.dropped:
        parts += [f"Left out on purpose: {_code(mapping.dropped)}.", ""]
    return "\n".join(parts)


def how(rule: Rule) -> str:
    """What happens to the rule's value on its way, in a few words: "strip, money $.currency; default 0"."""
    said = []
    if rule.const is not UNSET:
        said.append(f"always {rule.const!r}")
    if rule.via:
        said.append(", ".join(_converter(converter) for converter in rule.via))
    if rule.crosswalk:
        said.append(f"crosswalk {rule.crosswalk}")
    if rule.each is not None:
        said.append(f"each element where {rule.where}" if rule.where else "each element")
        if rule.isolate:
            said.append("a bad element is left to a case")
    if rule.has_default:
        said.append(f"default {rule.default!r}")
    if rule.required:
        said.append("required")
    return "; ".join(said)


def _converter(converter: Converter) -> str:
    name, arguments = named(converter)
    return " ".join([name, *map(_argument, arguments)])


def _argument(argument: object) -> str:
    plain = isinstance(argument, str) and argument and argument == argument.strip()
    return str(argument) if plain else repr(argument)


def _code(paths: tuple[str, ...]) -> str:
    return ", ".join(f"`{path}`" for path in paths)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
