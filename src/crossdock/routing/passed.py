# SPDX-License-Identifier: Apache-2.0
"""What a routing decision did not choose: why not, and what would have changed that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile

from msgspec import Struct

from crossdock.routing.policy import Asked, Policy, RouteRule

# What is kept of a decision stays small, also in an estate of hundreds of locations.
MOST = 12
# Who decides before any rule is asked, and where goods go that no rule speaks of.
_THE_ORDER = "the order"
_OWN = "the product's own location"


class Choice(Struct, frozen=True, gc=False):
    """What was chosen: its name, why, who decided in a word or two, and the number of the rule that did (0: none)."""

    name: str
    why: str
    by: str
    rule: int = 0


class Passed(Struct, frozen=True, gc=False):
    """What was not chosen: its name, why not, and what would have changed that (all of it together)."""

    name: str
    why_not: str
    would_change: str


# A rule's number, what it names to choose, and the rule.
_Naming = tuple[int, str, RouteRule]


class _Deciding(Struct, frozen=True):
    """What a choice was made by.

    `rules`: those that name anything to choose, by number, with what they name; `holding`: the numbers of those that
    hold. `goods`: what every SKU begins with that it was made for; `shown`: the one of them to speak of beside a rule.
    `otherwise`: what is chosen when no rule holds, the first that there is, in words.
    """

    choice: Choice
    asked: Asked
    rules: Sequence[_Naming]
    holding: Sequence[int]
    goods: str
    shown: Callable[[RouteRule], str]
    otherwise: Mapping[str, str]

    def first_before(self, last: int, met: RouteRule) -> int | None:
        """The first rule before rule `last` that would hold if the conditions of `met` were met."""
        goods = self.goods if self.goods.startswith(met.sku_prefix) else met.sku_prefix
        now = self.asked
        asked = Asked(met.country or now.country, met.channel or now.channel, met.service or now.service)
        for number, _, rule in self.rules:
            if number >= last:
                return None
            if rule.holds(goods, asked):
                return number
        return None


def locations_passed(choice: Choice, policy: Policy, asked: Asked, sku: str, own: str) -> tuple[Passed, ...]:
    """Every other location that goods of `sku` could have left from; those that somebody names first, at most twelve.

    `own`: the product's own location, "" = it has none.
    """
    rules = [
        (number, rule.location, rule)
        for number, rule in enumerate(policy.rules, 1)
        if rule.location and not rule.if_short
    ]
    otherwise = {own: _OWN} if own else {}
    otherwise.setdefault(policy.default_location, "the default location")
    others = [*(name for _, name, _ in rules), *otherwise, *policy.locations]
    return _passed(others, _Deciding(choice, asked, rules, _holding(rules, sku, asked), sku, lambda _: sku, otherwise))


def entities_passed(choice: Choice, policy: Policy, asked: Asked, skus: Sequence[str]) -> tuple[Passed, ...]:
    """Every other entity that the order of these goods could have belonged to, at most twelve."""
    rules = [(number, rule.entity, rule) for number, rule in enumerate(policy.rules, 1) if rule.entity]
    # A rule about SKUs has to hold for all the goods, and it does when what they all begin with meets it.
    ends = zip(min(skus, default=""), max(skus, default=""), strict=False)
    goods = "".join(letter for letter, _ in takewhile(lambda both: both[0] == both[1], ends))

    def foreign(rule: RouteRule) -> str:
        """The first SKU that does not begin as the rule says, if there is one."""
        return next((sku for sku in skus if not sku.startswith(rule.sku_prefix)), goods)

    own = policy.channels[asked.channel].entity
    otherwise = {own: f"the entity of channel {asked.channel}"}
    others = [*(name for _, name, _ in rules), own, *policy.erp_of]
    return _passed(others, _Deciding(choice, asked, rules, _holding(rules, goods, asked), goods, foreign, otherwise))


def _holding(rules: Iterable[_Naming], goods: str, asked: Asked) -> list[int]:
    return [number for number, _, rule in rules if rule.holds(goods, asked)]


def _passed(others: Iterable[str], deciding: _Deciding) -> tuple[Passed, ...]:
    names = [name for name in dict.fromkeys(others) if name and name != deciding.choice.name]
    return tuple(_one(name, deciding) for name in names[:MOST])


def _one(name: str, deciding: _Deciding) -> Passed:
    by = deciding.choice.by
    unsaid = ["without what the order says"] if by == _THE_ORDER else []
    # Of the rules that name it, the one that is closest to holding.
    nearest = min(
        (
            (rule.misses(deciding.shown(rule), deciding.asked), number, rule)
            for number, named, rule in deciding.rules
            if named == name
        ),
        key=lambda one: len(one[0]),
        default=None,
    )
    if name in deciding.otherwise and (nearest is None or nearest[0]):
        why_not = f"it is {deciding.otherwise[name]}, and {by} decides before that"
        return Passed(name, why_not, "; ".join([*unsaid, *_without(name, deciding)]))
    if nearest is None:
        new = "".join(["a rule that names it", *(f" before rule {one}" for one in deciding.holding[:1])])
        return Passed(name, "nothing names it", "; ".join([new, *unsaid]))
    misses, number, rule = nearest
    first = deciding.first_before(number, rule)
    sooner = [] if first is None else [f"rule {number} before rule {first}"]
    if not misses:
        why_not = f"rule {number} names it and holds, and {by} decides before it"
        return Passed(name, why_not, "; ".join([*unsaid, *sooner]))
    why_not = f"rule {number} names it, and {'; '.join(now for now, _ in misses)}"
    return Passed(name, why_not, "; ".join([*(wanted for _, wanted in misses), *unsaid, *sooner]))


def _without(name: str, deciding: _Deciding) -> list[str]:
    """What is in the way of `name`, which is chosen when no rule holds and nothing comes before it."""
    numbers = [str(number) for number in deciding.holding]
    found = []
    if numbers:
        more = f"s {', '.join(numbers[:-1])} and" if numbers[1:] else ""
        found.append(f"without rule{more} {numbers[-1]}")
    earlier = list(deciding.otherwise)
    return [*found, *(f"without {deciding.otherwise[one]}" for one in earlier[: earlier.index(name)])]
