# SPDX-License-Identifier: Apache-2.0
"""Decide what documents mean: each capability gets its documents as one batch and answers per document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.billing.invoice import take_invoices
from crossdock.billing.payment import take_payments
from crossdock.billing.told import Listeners
from crossdock.catalog.accept import accept_customers, accept_products
from crossdock.catalog.accept_prices import take_price_lists
from crossdock.decide_back_orders import Due, decide_back_orders, due_orders, pairs_of_due
from crossdock.decide_orders import Rules, decide_orders, others_of, pairs_of_orders, prepare_order, tell_holds
from crossdock.decide_returns import ReturnTurns, decide_receipts, decide_returns, pairs_of_returns, turns_of_returns
from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.fulfillment.ship import ship
from crossdock.inventory.apply import apply, pairs_of
from crossdock.inventory.count import count, locations_of_counts, pairs_of_counts
from crossdock.inventory.differ import counts_of, decide_differences, told_again
from crossdock.inventory.expect import expect, pairs_of_notices
from crossdock.inventory.forecast import take_forecasts
from crossdock.inventory.level import Levels, Pair
from crossdock.inventory.lock import lock_levels, write_levels
from crossdock.inventory.tell_again import tell_again
from crossdock.journal.decided import Decided, Translated
from crossdock.orders.accept import Prepared
from crossdock.orders.cancel import cancel
from crossdock.orders.follow import follow


class Desk(Struct, frozen=True):
    """What the deciders of one batch share. `levels`: every stock level they may change, locked; `orders`: the sales
    orders of the batch, prepared, in their order; `turns`: the orders whose returns it may change; `due`: those that
    goods may have come for."""

    conn: asyncpg.Connection
    rules: Rules
    levels: Levels
    orders: Sequence[Prepared | Decided]
    turns: ReturnTurns
    due: dict[str, Due | CrossdockError]


Decide = Callable[[Desk, Sequence[Translated]], Awaitable[list[Decided]]]


async def decide(conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated]) -> list[Decided]:
    """The decision on each document, in the same order; one call per kind.

    Levels are locked first and all at once, before anything else is (`inventory.lock` says why); before them only the
    turns of accounts whose credit or duplicates are looked at, and of orders whose goods come back, which nobody takes
    later.
    """
    by_kind: dict[str, list[Translated]] = {}
    for item in batch:
        by_kind.setdefault(item.kind, []).append(item)
    asked = by_kind.get("sales_order", ())
    others = await others_of(conn, rules, asked)
    turns = await turns_of_returns(conn, by_kind.get("goods_return", ()), by_kind.get("return_receipt", ()))
    orders = [prepare_order(rules, item, others) for item in asked]
    due = await due_orders(conn, rules, by_kind.get("back_order", ()))
    levels = await _lock(conn, rules, orders, by_kind, pairs_of_due(rules, due))
    desk = Desk(conn, rules, levels, orders, turns, due)
    decisions: dict[int, Decided] = {}
    for kind in sorted(by_kind, key=turn_of):
        items = by_kind[kind]
        decided = await _DECIDERS.get(kind, _unknown)(desk, items)
        decisions.update(zip([item.claimed.id for item in items], decided, strict=True))
    await write_levels(conn, levels)
    await _follow(conn, decisions)
    return [decisions[item.claimed.id] for item in batch]


async def _follow(conn: asyncpg.Connection, decisions: dict[int, Decided]) -> None:
    """Tell of orders that have moved to another state, with the last document of the batch that touched them."""
    by = {key: document for document, decided in decisions.items() for key in decided.orders}
    for moved in await follow(conn, by):
        document = by[moved.order_key]
        decisions[document] = replace(decisions[document], events=(*decisions[document].events, moved.event))


async def _lock(
    conn: asyncpg.Connection,
    rules: Rules,
    orders: Sequence[Prepared | Decided],
    by_kind: Mapping[str, Sequence[Translated]],
    pairs: set[Pair],
) -> Levels:
    places = rules.policy.locations
    counts = [*by_kind.get("stock_count", ()), *counts_of(by_kind.get("stock_difference", ()))]
    moved = pairs_of(by_kind.get("stock_movements", ()), rules.catalog, places)
    moved |= pairs_of_counts(counts, rules.catalog, places)
    moved |= pairs_of_notices(by_kind.get("inbound_receipt", ()), rules.catalog, places)
    moved |= pairs_of_returns(rules, by_kind.get("return_receipt", ()))
    ready = [one for one in orders if isinstance(one, Prepared)]
    if rules.stock.governed:
        pairs = pairs | await pairs_of_orders(conn, rules, ready)
    return await lock_levels(conn, pairs, moved, locations_of_counts(counts, places))


async def _orders(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    decided = await decide_orders(desk.conn, desk.rules, desk.orders, desk.levels)
    return await tell_holds(desk.conn, desk.rules, batch, desk.orders, decided)


async def _cancellations(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await cancel(desk.conn, batch, desk.rules.catalog, desk.rules.policy.channels.__contains__)


async def _back_orders(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await decide_back_orders(desk.conn, desk.rules, batch, desk.due, desk.levels)


async def _movements(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    rules = desk.rules
    return await apply(desk.conn, batch, rules.catalog, rules.policy.locations, desk.levels)


async def _counts(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    rules = desk.rules
    return await count(desk.conn, batch, rules.catalog, rules.policy.locations, desk.levels)


async def _notices(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await expect(desk.conn, batch, desk.rules.catalog, desk.rules.policy.locations)


async def _shipments(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await ship(desk.conn, batch, desk.rules.channel_system, desk.rules.catalog.products)


async def _returns(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await decide_returns(desk.conn, desk.rules, batch, desk.turns)


async def _receipts(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await decide_receipts(desk.conn, desk.rules, batch, desk.turns, desk.levels)


def _listeners(rules: Rules) -> Listeners:
    return Listeners(
        outgoing=rules.outgoing, channel_system=rules.channel_system, erps=frozenset(rules.policy.erp_of.values())
    )


async def _invoices(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await take_invoices(
        desk.conn, batch, _listeners(desk.rules), _sources(desk.rules, batch), desk.rules.catalog
    )


async def _payments(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await take_payments(desk.conn, batch, _listeners(desk.rules), _sources(desk.rules, batch))


def _sources(rules: Rules, batch: Sequence[Translated]) -> dict[str, str]:
    return {name: rules.facts(name).system for name in {item.claimed.interface for item in batch}}


async def _differences(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    for system, pairs in sorted(told_again(batch).items()):
        await tell_again(desk.conn, system, pairs)
    return decide_differences(batch, await _counts(desk, counts_of(batch)))


async def _forecasts(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await take_forecasts(desk.conn, batch, desk.rules.catalog, desk.rules.policy.channels)


async def _products(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    await accept_products(desk.conn, [(item.claimed.id, item.document) for item in batch])
    return [Decided(accepted=True) for _ in batch]


async def _customers(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    await accept_customers(desk.conn, [(item.claimed.id, item.document) for item in batch])
    return [Decided(accepted=True) for _ in batch]


async def _price_lists(desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
    return await take_price_lists(desk.conn, batch)


async def _unknown(_desk: Desk, batch: Sequence[Translated]) -> list[Decided]:
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
    "back_order": _back_orders,
    "stock_movements": _movements,
    "stock_count": _counts,
    "inbound_receipt": _notices,
    "stock_difference": _differences,
    "shipment": _shipments,
    "goods_return": _returns,
    "return_receipt": _receipts,
    "invoice": _invoices,
    "payment": _payments,
    "demand_forecast": _forecasts,
    "product": _products,
    "customer": _customers,
    "price_list": _price_lists,
}
# A count finds the movements of its batch in the ledger; goods that came are there for the orders of the same batch.
_TURNS: Mapping[str, int] = {
    "stock_movements": 1,
    "stock_count": 2,
    "stock_difference": 2,
    # What has been waiting is served before what is new.
    "back_order": 3,
    "sales_order": 4,
    "shipment": 5,
    # What is to come back must have left; what came back must have been allowed to.
    "goods_return": 6,
    "return_receipt": 7,
    # Lives of orders are locked after their levels and fulfillment orders.
    "invoice": 8,
    "payment": 9,
    # Stamps are given under one lock, which is held no longer than it must be.
    "price_list": 10,
}


def turn_of(kind: str) -> int:
    """When documents of `kind` are decided on within a batch: an order before its shipment, whichever came first."""
    return _TURNS.get(kind, 0)
