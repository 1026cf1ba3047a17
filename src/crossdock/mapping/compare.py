# SPDX-License-Identifier: Apache-2.0
"""What changed between two versions of a mapping, rule by rule."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct

from crossdock.mapping.describe import how
from crossdock.mapping.reads import leaves
from crossdock.sdk.words import Mapping, Rule


class Change(Struct, frozen=True):
    """One difference. `target`: of the rule, or the source field for `dropped` and `kept`; texts are for people."""

    kind: Literal["added", "removed", "changed", "dropped", "kept"]
    target: str
    before: str = ""
    after: str = ""


def compare(old: Mapping, new: Mapping) -> list[Change]:
    """The differences from `old` to `new`: rules removed, changed and added, then source fields newly dropped or kept.

    Notes and the order of rules are no differences.
    """
    before = dict(leaves(old))
    after = dict(leaves(new))
    changes = [Change("removed", target, before=told(rule)) for target, rule in before.items() if target not in after]
    for target, rule in after.items():
        if target not in before:
            changes.append(Change("added", target, after=told(rule)))
        elif not _same(before[target], rule):
            changes.append(Change("changed", target, before=told(before[target]), after=told(rule)))
    changes += [Change("dropped", field) for field in new.dropped if field not in old.dropped]
    changes += [Change("kept", field) for field in old.dropped if field not in new.dropped]
    return changes


def told(rule: Rule) -> str:
    """One rule in words: "from total_price: money $.currency"."""
    if rule.const is not UNSET:
        return how(rule)
    taken = f"from {rule.source if rule.source is not None else ' and '.join(rule.sources)}"
    way = how(rule)
    return f"{taken}: {way}" if way else taken


def _same(one: Rule, other: Rule) -> bool:
    """Whether two rules do the same, elements of lists apart (those are compared as rules of their own)."""
    apart = {"note", "each"}
    return (one.each is None) == (other.each is None) and all(
        getattr(one, name) == getattr(other, name) for name in one.__struct_fields__ if name not in apart
    )
