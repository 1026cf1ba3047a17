# SPDX-License-Identifier: Apache-2.0
"""Decide what documents mean: each capability gets its documents as one batch and answers per document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.accept import accept_customers, accept_products
from crossdock.catalog.cache import Catalog
from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.fulfillment.plan import Wanted, left_already, plan
from crossdock.fulfillment.ship import ship
from crossdock.inventory.apply import apply
from crossdock.journal.decided import Decided, Routed, Translated
from crossdock.orders.accept import ChannelRules, Prepared, accept, prepare, with_our_skus
from crossdock.orders.cancel import cancel
from crossdock.orders.changes import Meaning
from crossdock.routing.policy import Policy
from crossdock.routing.route import route


class InterfaceFacts(Struct, frozen=True, kw_only=True):
    """What the path needs of an incoming interface."""

    name: str
    system: str
    owner: str
    settle_within: timedelta


class Rules(Struct, frozen=True, kw_only=True):
    """What decisions are made with, compiled from the estate.

    `outgoing`: (system, operation) → outgoing interface. `channel_system`: channel → the system that is told of its
    shipments. `tell_stock`: (channel system, location) pairs whose levels are published.
    """

    catalog: Catalog
    policy: Policy
    interfaces: Mapping[str, InterfaceFacts]
    outgoing: Mapping[tuple[str, str], str]
    channel_system: dict[str, str]
    tell_stock: Sequence[tuple[str, str]]

    def facts(self, interface: str) -> InterfaceFacts:
        """What is known of `interface`; of one that the estate no longer has, that its documents are due at once."""
        known = self.interfaces.get(interface)
        return known or InterfaceFacts(name=interface, system="", owner="", settle_within=timedelta(0))


Decide = Callable[[asyncpg.Connection, Rules, Sequence[Translated]], Awaitable[list[Decided]]]


async def decide(conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    """The decision on each document, in the same order; one call per kind."""
    decisions: dict[int, Decided] = {}
    by_kind: dict[str, list[Translated]] = {}
    for item in batch:
        by_kind.setdefault(item.kind, []).append(item)
    for kind, items in by_kind.items():
        decided = await _DECIDERS.get(kind, _unknown)(conn, rules, items)
        decisions.update(zip([item.claimed.id for item in items], decided, strict=True))
    return [decisions[item.claimed.id] for item in batch]


async def _orders(conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    first = [_prepare(rules, item) for item in batch]
    ready = [one for one in first if isinstance(one, Prepared)]
    left = await left_already(conn, [one.order.order_key for one in ready])
    accepted = await accept(conn, ready, left)
    wanted = [
        Wanted(
            document_id=one.item.claimed.id,
            order=one.order,
            splits=() if meaning is Meaning.CANCELLED else tuple(s for s in one.routed.splits if s.system),
            known=meaning is not Meaning.NEW,
        )
        for one, (meaning, _) in zip(ready, accepted, strict=True)
        if meaning in (Meaning.NEW, Meaning.CHANGED, Meaning.CANCELLED, Meaning.REVIVED)
    ]
    system_of = {name: facts.system for name, facts in rules.policy.locations.items()}
    plans = dict(zip([w.document_id for w in wanted], await plan(conn, wanted, system_of), strict=True))
    done = {
        one.item.claimed.id: replace(decided, deliveries=(*decided.deliveries, *plans.get(one.item.claimed.id, ())))
        for one, (_, decided) in zip(ready, accepted, strict=True)
    }
    return [one if isinstance(one, Decided) else done[one.item.claimed.id] for one in first]


def _prepare(rules: Rules, item: Translated) -> Prepared | Decided:
    source = rules.facts(item.claimed.interface).system
    order: SalesOrder = with_our_skus(item.document, rules.catalog, source)
    channel = rules.policy.channels.get(order.channel)
    if channel is None:
        error = NeedsEdit(
            f"channel {order.channel!r} is not in the estate",
            field="channel",
            rule="order.channel_known",
            value=order.channel,
            fix="add the channel to the estate, or put the right one",
        )
        return Decided(error=error, money=order.total.amount, currency=order.total.currency)
    limits = ChannelRules(currency=channel.currency, customer=channel.customer, max_lines=rules.policy.max_lines)
    return prepare(item, order, rules.catalog, limits, source, _route(rules, order))


def _route(rules: Rules, order: SalesOrder) -> Routed | CrossdockError:
    products = rules.catalog.products

    def location_of(sku: str) -> str:
        return products[sku].location if sku in products else ""

    def stocked(sku: str) -> bool:
        return sku not in products or products[sku].stocked

    try:
        return route(order, rules.policy, location_of, stocked)
    except CrossdockError as error:
        return error


async def _cancellations(conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    return await cancel(conn, batch, rules.catalog, rules.policy.channels.__contains__)


async def _movements(conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    return await apply(conn, batch, rules.catalog, rules.policy.locations, rules.tell_stock)


async def _shipments(conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    return await ship(conn, batch, rules.channel_system)


async def _products(conn: asyncpg.Connection, _rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    await accept_products(conn, [(item.claimed.id, item.document) for item in batch])
    return [Decided(accepted=True) for _ in batch]


async def _customers(conn: asyncpg.Connection, _rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    await accept_customers(conn, [(item.claimed.id, item.document) for item in batch])
    return [Decided(accepted=True) for _ in batch]


async def _unknown(_conn: asyncpg.Connection, _rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    return [
        Decided(
            error=NeedsEdit(
                f"nothing decides on a {item.kind}",
                rule="decide.kind",
                value=item.kind,
                fix="give the interface an object that Crossdock decides on",
            )
        )
        for item in batch
    ]


_DECIDERS: Mapping[str, Decide] = {
    "sales_order": _orders,
    "cancellation": _cancellations,
    "stock_movements": _movements,
    "shipment": _shipments,
    "product": _products,
    "customer": _customers,
}
