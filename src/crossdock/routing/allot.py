# SPDX-License-Identifier: Apache-2.0
"""What an order that is routed wants of stock, and where it would leave from at given levels, without any effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import CrossdockError
from crossdock.inventory.allocate import allocate, pairs_wanted
from crossdock.inventory.free import Hold
from crossdock.inventory.level import Level, Levels, Pair
from crossdock.inventory.needs import Owed, Wish
from crossdock.inventory.rules import StockRules
from crossdock.journal.decided import Routed
from crossdock.routing.costs import destination_of
from crossdock.routing.nodes import chooser
from crossdock.routing.placed import as_seen, placed
from crossdock.routing.policy import Policy
from crossdock.routing.route import DecisionRecord, decision_of

_PLENTY = Decimal(10) ** 9


class Ground(Struct, frozen=True, kw_only=True):
    """What allotting stands on: the rules of routing and of stock, and what products are."""

    policy: Policy
    stock: StockRules
    products: Mapping[str, ProductFacts]


class Had(Struct, frozen=True, kw_only=True):
    """What an order brings along: what its reservation holds, what an earlier version of it holds, seconds it waited,
    which lines are still wanted (None = all), and what others wait for longer."""

    held: Mapping[Pair, Decimal] = {}
    before: Sequence[Hold] = ()
    waited: float = 0.0
    only: Mapping[str, Decimal] | None = None
    owed: Sequence[Owed] = ()


def places_of(order: SalesOrder, routed: Routed, stock: StockRules) -> list[str]:
    """Where goods of an order may come from: its channel's locations, else every one that ships; and what it names."""
    channel = stock.channels.get(order.channel)
    places = channel.locations if channel is not None else stock.locations
    named = [line.location for line in order.lines if line.location]
    sent = [split.location for split in routed.splits]
    return [place for place in dict.fromkeys([*places, *sent, *named]) if place in stock.locations]


def wish_of(order: SalesOrder, routed: Routed, ground: Ground, had: Had, at: datetime) -> Wish:
    """What `order` wants of stock, when that is decided at `at` (UTC)."""
    policy = ground.policy
    return Wish(
        order=order,
        routed=routed,
        locations=places_of(order, routed, ground.stock),
        system_of={name: facts.system for name, facts in policy.locations.items()},
        held=had.held,
        before=had.before,
        waited=had.waited,
        suppliers=frozenset(name for name, facts in policy.locations.items() if facts.supplier),
        choose=chooser(policy.nodes, destination_of(order.ship_to), at),
        when_short=policy.channels[order.channel].when_short if order.channel in policy.channels else "wait",
        only=had.only,
        owed=had.owed,
    )


def allot(order: SalesOrder, routed: Routed, ground: Ground, levels: Levels, at: datetime) -> DecisionRecord:
    """The decision on `order` with where its goods would leave from at these levels, which are used up.

    Raises what is said of an order whose goods are not there.
    """
    result = allocate(wish_of(order, routed, ground, Had(), at), ground.products, levels, 0.0)
    if isinstance(result, CrossdockError):
        raise result
    return decision_of(placed(order, routed, result, ground.policy))


def seen_or_plenty(order: SalesOrder, routed: Routed, ground: Ground, recorded: DecisionRecord) -> tuple[Levels, bool]:
    """Levels as a recorded decision saw them, True; where it noted none, as if everything were everywhere, False."""
    pairs = pairs_wanted(order, ground.products, places_of(order, routed, ground.stock))
    seen = as_seen(recorded, pairs)
    return (seen, True) if seen is not None else (Levels([Level(*pair, _PLENTY) for pair in pairs], pairs), False)
