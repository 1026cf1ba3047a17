# SPDX-License-Identifier: Apache-2.0
"""What a routing decision did not choose: why not, and what would have changed that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from crossdock.routing.policy import Asked, Policy, RouteRule

# What is kept of a decision stays small, also in an estate of hundreds of locations.
MOST = 12
# Who decides before any rule is asked.
_FIRST = ("the order",)


class Choice(Struct, frozen=True, gc=False):
    """What was chosen: its name, why, who decided in a word or two, and the number of the rule that did (0: none)."""

    name: str
    why: str
    by: str
    rule: int = 0


class Passed(Struct, frozen=True, gc=False):
    """What was not chosen: its name, why not, and what would have changed that."""

    name: str
    why_not: str
    would_change: str


def locations_passed(choice: Choice, policy: Policy, asked: Asked, sku: str, own: str) -> tuple[Passed, ...]:
    """Every other location that goods of `sku` could have left from; those that somebody names first, at most twelve.

    `own`: the product's own location, "" = it has none.
    """
    named = [rule.location for rule in policy.rules if rule.location]
    others = dict.fromkeys([*named, *([own] if own else []), policy.default_location, *policy.locations])
    return _passed(
        choice,
        [name for name in others if name and name != choice.name][:MOST],
        _rules(policy, lambda rule: rule.location),
        lambda rule: rule.misses(sku, asked),
        {policy.default_location: "the default location", own: "the product's own location"},
    )


def entities_passed(choice: Choice, policy: Policy, asked: Asked, skus: Sequence[str]) -> tuple[Passed, ...]:
    """Every other entity that the order of these goods could have belonged to, at most twelve."""
    own = policy.channels[asked.channel].entity
    others = dict.fromkeys([*(rule.entity for rule in policy.rules if rule.entity), own, *policy.erp_of])
    return _passed(
        choice,
        [name for name in others if name and name != choice.name][:MOST],
        _rules(policy, lambda rule: rule.entity),
        lambda rule: list(dict.fromkeys(miss for sku in skus or ("",) for miss in rule.misses(sku, asked))),
        {own: f"the entity of channel {asked.channel}"},
    )


def _rules(policy: Policy, names: Callable[[RouteRule], str]) -> dict[str, list[tuple[int, RouteRule]]]:
    found: dict[str, list[tuple[int, RouteRule]]] = {}
    for number, rule in enumerate(policy.rules, 1):
        if names(rule):
            found.setdefault(names(rule), []).append((number, rule))
    return found


def _passed(
    choice: Choice,
    others: Iterable[str],
    rules: dict[str, list[tuple[int, RouteRule]]],
    misses_of: Callable[[RouteRule], list[tuple[str, str]]],
    otherwise: dict[str, str],
) -> tuple[Passed, ...]:
    return tuple(_one(name, choice, rules.get(name, []), misses_of, otherwise.get(name, "")) for name in others)


def _one(
    name: str,
    choice: Choice,
    rules: list[tuple[int, RouteRule]],
    misses_of: Callable[[RouteRule], list[tuple[str, str]]],
    otherwise: str,
) -> Passed:
    if otherwise:
        return Passed(name, f"it is {otherwise}, and {choice.by} decides before that", _without(choice))
    if not rules:
        return Passed(name, "nothing names it", "a rule that names it")
    # Of the rules that name it, the one that is closest to holding.
    misses, number = min(((misses_of(rule), number) for number, rule in rules), key=lambda one: len(one[0]))
    later = _before(choice, number) if not choice.rule or number > choice.rule else ""
    if not misses:
        return Passed(name, f"rule {number} names it and holds, and {choice.by} decides before it", later)
    would = [wanted for _, wanted in misses] + ([later] if later and choice.by in _FIRST else [])
    if choice.rule and number > choice.rule:
        would.append(later)
    return Passed(name, f"rule {number} names it, and {'; '.join(now for now, _ in misses)}", "; ".join(would))


def _before(choice: Choice, number: int) -> str:
    return f"rule {number} before rule {choice.rule}" if choice.rule else _without(choice)


def _without(choice: Choice) -> str:
    return f"without rule {choice.rule}" if choice.rule else f"without what {choice.by} says"
