# SPDX-License-Identifier: Apache-2.0
"""Decide on returns and on what came of them: the order, its returns, the ledger and the money in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.goods_return import GoodsReturn, ReturnReceipt
from crossdock.decide_orders import Rules
from crossdock.inventory.apply import apply
from crossdock.inventory.level import Levels, Pair
from crossdock.journal.decided import Decided, Translated
from crossdock.returns.accept import accept_returns
from crossdock.returns.context import ReturnContext
from crossdock.returns.receive import Received, receive
from crossdock.returns.sold import orders_of, read_sold, take_turns
from crossdock.returns.stock import pairs_of_receipts


class ReturnTurns(Struct, frozen=True):
    """Whose turns a batch has taken: the orders, and which return is of which as it was known then."""

    orders: frozenset[str] = frozenset()
    order_of: Mapping[str, str] = {}


async def turns_of_returns(
    conn: asyncpg.Connection, returns: Sequence[Translated], receipts: Sequence[Translated]
) -> ReturnTurns:
    """Take the turns of the orders that these returns and receipts are about; before anything else is locked.

    Two returns of one order, or a return and what came of another one, never count the same goods or money."""
    if not returns and not receipts:
        return ReturnTurns()
    order_of = await orders_of(conn, [item.document.return_key for item in (*returns, *receipts)])
    asked: list[GoodsReturn] = [item.document for item in returns]
    orders = frozenset({one.order_key for one in asked} | set(order_of.values()))
    await take_turns(conn, orders)
    return ReturnTurns(orders, order_of)


def pairs_of_returns(rules: Rules, receipts: Sequence[Translated]) -> set[Pair]:
    """The stock levels that these receipts may move."""
    there: list[ReturnReceipt] = [item.document for item in receipts]
    return pairs_of_receipts((one for one in there if one.location in rules.policy.locations), rules.catalog.products)


async def decide_returns(
    conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated], turns: ReturnTurns
) -> list[Decided]:
    """The decision on each return, in the same order."""
    return await accept_returns(conn, batch, await _context(conn, rules, turns), turns.order_of)


async def decide_receipts(
    conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated], turns: ReturnTurns, levels: Levels
) -> list[Decided]:
    """The decision on each receipt, in the same order; goods are in the ledger when it is made.

    `levels`: those of `pairs_of_returns`, locked."""
    received = await receive(conn, batch, await _context(conn, rules, turns), turns.order_of)
    moving = [
        (item, one)
        for item, one in zip(batch, received, strict=True)
        if one.movements is not None and one.decided.error is None
    ]
    documents = [
        Translated(claimed=item.claimed, kind="stock_movements", document=one.movements, body=None, made_by="")
        for item, one in moving
    ]
    applied = await apply(conn, documents, rules.catalog, rules.policy.locations, levels) if documents else []
    told = {item.claimed.id: done for (item, _), done in zip(moving, applied, strict=True)}
    return [_joined(one, told.get(item.claimed.id)) for item, one in zip(batch, received, strict=True)]


def _joined(received: Received, applied: Decided | None) -> Decided:
    if applied is None:
        return received.decided
    if applied.parts or applied.error is not None or applied.duplicate:
        # What was checked before cannot be refused now; if it is, nothing of the batch may stand.
        raise RuntimeError(f"goods that came back are not taken into the ledger: {applied}")
    return replace(received.decided, events=(*received.decided.events, *applied.events))


async def _context(conn: asyncpg.Connection, rules: Rules, turns: ReturnTurns) -> ReturnContext:
    return ReturnContext(
        sold=await read_sold(conn, turns.orders, rules.catalog.products),
        rules=rules.returns,
        products=rules.catalog.products,
        system_of={name: facts.system for name, facts in rules.policy.locations.items()},
        channel_system={name: facts.system for name, facts in rules.policy.channels.items()},
        told=rules.outgoing,
    )
