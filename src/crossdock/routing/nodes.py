# SPDX-License-Identifier: Apache-2.0
"""Choose the nodes that ship an order: fewest shipments or lowest cost, among the locations that have the goods.

Every set of locations is tried where these are few; where they are many, each alone and what a greedy search finds, so
that the answer is never worse than any location that has everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from crossdock.inventory.needs import Chooser, Need, Placing, Took
from crossdock.routing.costs import ZERO, Destination, NodePolicy

EXHAUSTIVE = 8
"""Up to so many locations, and while there are not too many lines, every set of them is tried."""
MOST_TRIALS = 20_000
"""Lines times sets of locations that are tried for one order; beyond it the search is greedy."""
PASSED = 12
Left = Callable[[str, str], Decimal]
Free = Mapping[tuple[str, str], Decimal]
Takes = tuple[tuple[Took, ...], ...]


class Plan(Struct, frozen=True, kw_only=True):
    """One way to ship an order. `late`: locations whose cut-off is over for today; `unpriced`: those without a rate."""

    names: tuple[str, ...]
    takes: Takes
    cost: Decimal
    unpriced: tuple[str, ...]
    late: tuple[str, ...]

    @property
    def called(self) -> str:
        """Its locations as a person reads them."""
        return " + ".join(self.names)

    def price(self, currency: str) -> str:
        """What it costs, in words."""
        return f"no rate for {', '.join(self.unpriced)}" if self.unpriced else f"{self.cost} {currency}".rstrip()


class _Search:
    """One order's search; `left` is read once for each SKU and location."""

    def __init__(self, policy: NodePolicy, to: Destination, at: datetime) -> None:
        self._policy = policy
        self._to = to
        self._at = at

    def choose(self, needs: Sequence[Need], places: Sequence[str], left: Left) -> Placing:
        """Where each need comes from. What no location has is left out, as little of it as can be."""
        named = dict.fromkeys([*places, *(need.place for need in needs if need.place)])
        names = sorted(named)
        free = {(sku, place): left(sku, place) for need in needs for sku in need.parts for place in names}
        most = self._assign(needs, names, free)
        wanted = _wanted(needs, most)
        needed = [place for place in names if any(free[sku, place] for need in needs for sku in need.parts)]
        found: dict[tuple[str, ...], Plan] = {}
        for chosen in self._sets(needed, wanted, free):
            plan = self._plan(wanted, chosen, free)
            if plan is not None:
                found.setdefault(plan.names, plan)
        plans = sorted(found.values(), key=self._score)
        if not plans:
            return Placing(takes=most, why="as the goods lie", currency=self._policy.currency)
        best = plans[0]
        return Placing(
            takes=best.takes,
            why=self._why(best, plans),
            passed=tuple([*self._worse(best, plans[1:]), *self._lacking(wanted, found, needed, free)][:PASSED]),
            cost=None if best.unpriced else best.cost,
            currency=self._policy.currency,
        )

    def _sets(self, places: list[str], needs: Sequence[Need], free: Free) -> Iterator[list[str]]:
        """Sets of locations to try, small ones first."""
        if len(places) <= EXHAUSTIVE and len(needs) << len(places) <= MOST_TRIALS:
            for number in range(len(places) + 1):
                yield from map(list, combinations(places, number))
            return
        yield []
        yield from ([place] for place in places)
        units = sum((need.quantity for need in needs), ZERO)
        by_cost = sorted(places, key=lambda place: (*_known(self._policy.cost({place: units}, self._to)), place))
        by_goods = sorted(places, key=lambda place: (-_filled(needs, place, free), place))
        for order in (by_goods, by_cost, _covering(places, needs, free)):
            whole = self._first_whole(order, needs, free)
            if whole:
                yield from self._pruned(whole, needs, free)

    def _first_whole(self, order: list[str], needs: Sequence[Need], free: Free) -> list[str]:
        """The shortest beginning of `order` that has everything."""
        low, high = 1, len(order)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._plan(needs, order[:middle], free) else (middle + 1, high)
        return order[:low]

    def _pruned(self, places: list[str], needs: Sequence[Need], free: Free) -> Iterator[list[str]]:
        """The set, and smaller ones that still have everything, without one more of them each time."""
        yield places
        for place in reversed(places):
            fewer = [other for other in places if other != place]
            if fewer and self._plan(needs, fewer, free) is not None:
                places = fewer
                yield places

    def _plan(self, needs: Sequence[Need], places: Sequence[str], free: Free) -> Plan | None:
        """The best way to ship everything from these locations; None when they have not got it."""
        takes = self._assign(needs, places, free)
        units: dict[str, Decimal] = defaultdict(Decimal)
        for need, parts in zip(needs, takes, strict=True):
            if _sum(parts) < need.quantity:
                return None
            for place, quantity in parts:
                units[place] += quantity
        names = tuple(sorted(units))
        priced = {place: self._policy.cost({place: units[place]}, self._to) for place in names}
        cut_offs = self._policy.cut_offs
        return Plan(
            names=names,
            takes=takes,
            cost=sum((cost for cost in priced.values() if cost is not None), ZERO),
            unpriced=tuple(place for place, cost in priced.items() if cost is None),
            late=tuple(place for place in names if place in cut_offs and not cut_offs[place].met(self._at)),
        )

    def _assign(self, needs: Sequence[Need], places: Sequence[str], free: Free) -> Takes:
        """Each need from the cheapest of these locations, whole from one where that costs no more."""
        taken: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        result: dict[int, tuple[Took, ...]] = {}

        def left(sku: str, place: str) -> Decimal:
            return free[sku, place] - taken[sku, place]

        rates = {place: self._policy.rate(place, self._to) for place in places}
        units = {place: _known(rate.unit if rate is not None else None) for place, rate in rates.items()}
        # What cannot be split finely is placed first: the rest fits around it.
        for need in sorted(needs, key=lambda need: (-need.step, need.index)):
            there = {place: need.makes(left, place) for place in places if need.place in ("", place)}
            if need.ruled in there and there[need.ruled] >= need.quantity:
                there = {need.ruled: there[need.ruled]}
            order = sorted(there, key=lambda place: (units[place], there[place] < need.quantity, -there[place], place))
            rest, parts = need.quantity, []
            for place in order:
                quantity = min(there[place], rest)
                if quantity > 0:
                    parts.append((place, quantity))
                    rest -= quantity
            for place, quantity in parts:
                for sku, each in need.parts.items():
                    taken[sku, place] += quantity * each
            result[need.index] = tuple(parts)
        return tuple(result[need.index] for need in needs)

    def _score(self, plan: Plan) -> tuple[Any, ...]:
        money = (len(plan.unpriced), plan.cost)
        first = (len(plan.names), *money) if self._policy.prefer == "fewest_shipments" else (*money, len(plan.names))
        return (*first, len(plan.late), plan.names)

    def _why(self, best: Plan, plans: Sequence[Plan]) -> str:
        number = len(best.names)
        shipments = f"{number} shipment{'' if number == 1 else 's'}"
        said = {"fewest_shipments": "fewest shipments", "lowest_cost": "lowest cost"}[self._policy.prefer]
        known = [shipments, best.price(self._policy.currency)] if self._policy.rates else [shipments]
        ways = f"of {len(plans)} ways" if len(plans) > 1 else "the only way"
        return f"{said} {ways}: {', '.join(known)}"

    def _worse(self, best: Plan, others: Sequence[Plan]) -> Iterator[tuple[str, str, str]]:
        currency = self._policy.currency
        for one in others:
            more = len(one.names) - len(best.names)
            dearer = one.cost - best.cost
            by_number = more > 0 and f"{len(one.names)} shipments instead of {len(best.names)}"
            by_rate = len(one.unpriced) > len(best.unpriced) and f"there is {one.price(currency)}"
            by_cost = dearer > 0 and f"it costs {one.price(currency)} instead of {best.price(currency)}"
            fewest = self._policy.prefer == "fewest_shipments"
            if fewest and by_number:
                yield (
                    one.called,
                    by_number,
                    "prefer: lowest_cost" if dearer < 0 else f"fewer locations than {best.called}",
                )
            elif by_rate:
                yield one.called, by_rate, f"a rate for {', '.join(one.unpriced)}"
            elif by_cost:
                yield one.called, by_cost, f"cheaper by more than {dearer} {currency}".rstrip()
            elif by_number:
                yield one.called, by_number, "cheaper at all"
            elif len(one.late) > len(best.late):
                ends = "; ".join(f"{place} at {self._policy.cut_offs[place].describe()}" for place in one.late)
                yield one.called, "its cut-off is over for today", f"a decision before the cut-off of {ends}"
            else:
                yield (
                    one.called,
                    "nothing speaks for either, and its name comes later",
                    "a lower cost or a later cut-off",
                )

    def _lacking(
        self, needs: Sequence[Need], tried: Collection[tuple[str, ...]], places: Sequence[str], free: Free
    ) -> Iterator[tuple[str, str, str]]:
        """Single locations that have not got everything, or that a rule or the order keeps goods from."""
        for place in places:
            if (place,) in tried:
                continue
            bound = [need for need in needs if need.place not in ("", place) and need.quantity]
            if bound:
                said = f"line {bound[0].line} goes from {bound[0].place}"
                yield f"{place} alone", said, f"without the rule or the order that names {bound[0].place}"
                continue
            takes = self._assign(needs, [place], free)
            lacks = [
                f"{need.quantity - _sum(parts)} {need.unit} of {need.sku}"
                for need, parts in zip(needs, takes, strict=True)
                if _sum(parts) < need.quantity
            ]
            yield f"{place} alone", f"it lacks {_some(lacks)}", f"{_some(lacks)} more there"


def chooser(policy: NodePolicy, to: Destination, at: datetime) -> Chooser | None:
    """Chooses by `policy` for an order that ships to `to` and is decided on at `at`; None: by preference alone."""
    return None if policy.prefer == "rules" else _Search(policy, to, at).choose


def _wanted(needs: Sequence[Need], most: Takes) -> list[Need]:
    """What of each need can be had at all; one that a rule's location has whole comes from there."""
    return [
        replace(
            need,
            quantity=_sum(parts),
            place=need.ruled if need.ruled and parts == ((need.ruled, need.quantity),) else need.place,
        )
        for need, parts in zip(needs, most, strict=True)
    ]


def _sum(parts: Iterable[Took]) -> Decimal:
    return sum((quantity for _, quantity in parts), ZERO)


def _known(cost: Decimal | None) -> tuple[bool, Decimal]:
    return cost is None, cost or ZERO


def _filled(needs: Sequence[Need], place: str, free: Free) -> int:
    return sum(
        need.makes(lambda sku, where: free[sku, where], place) >= need.quantity
        for need in needs
        if need.place in ("", place)
    )


def _covering(places: Sequence[str], needs: Sequence[Need], free: Free) -> list[str]:
    """Locations in the order in which each gives most of what those before it have not got."""
    rest = {need.index: need.quantity for need in needs}
    order: list[str] = []
    waiting = list(places)

    def gives(need: Need, place: str) -> Decimal:
        there = need.makes(lambda sku, where: free[sku, where], place) if need.place in ("", place) else ZERO
        return min(there, rest[need.index])

    for _ in range(min(len(places), EXHAUSTIVE)):
        best = max(waiting, key=lambda place: (sum((gives(need, place) for need in needs), ZERO), place))
        for need in needs:
            rest[need.index] -= gives(need, best)
        order.append(best)
        waiting.remove(best)
    return [*order, *waiting]


def _some(texts: Sequence[str]) -> str:
    return "; ".join([*texts[:3], *(["and more"] if texts[3:] else [])])
