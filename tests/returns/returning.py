# SPDX-License-Identifier: Apache-2.0
"""Orders whose goods have left, returns of them and what comes back; decided on as the worker does."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
from msgspec.structs import replace

from crossdock.canonical.goods_return import Disposition, GoodsReturn, ReturnedLine, ReturnLine, ReturnReceipt
from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.decide_orders import Rules
from crossdock.returns.lines import LineState, load
from crossdock.returns.policy import ReturnPolicy, ReturnRules
from tests.inventory.deciding import quantity, rules
from tests.orders.making import NOON, line, order

OUTGOING = {
    ("erp", "return_authorization"): "erp.returns",
    ("erp", "return_cancel"): "erp.returns",
    ("erp", "credit_memo"): "erp.credits",
    ("wms-east", "expected_return"): "east.returns",
    ("wms-east", "return_cancel"): "east.returns",
    ("shop", "refund"): "shop.refunds",
}


def by(policy: ReturnPolicy | None = None, **changes: Any) -> Rules:
    """The rules of one shop, one ERP and two warehouses whose returns go by `policy` (any return passes)."""
    others = ReturnPolicy() if policy is None else policy
    made = replace(rules(), returns=ReturnRules(version="r/1", others=others), outgoing=OUTGOING)
    return replace(made, **changes)


def sold(order_id: str = "1", **changes: Any) -> SalesOrder:
    """An order of three CD-1 at 10.00 and one CD-2 at 5.00 with 4.00 for shipping: 39.00."""
    given: dict[str, Any] = {"total": line().unit_price.__class__(Decimal("39.00"), "USD")}
    lines = (line(1, "CD-1", "3", "10.00"), line(2, "CD-2", "1", "5.00"))
    return order(order_id, *lines, **{**given, **changes})


async def have(
    pool: asyncpg.Pool, made: SalesOrder, left: dict[str, str] | None = None, days: int = 0, number: int = 900
) -> SalesOrder:
    """The order as if it had gone its way: `left` says how much of each line has left (all of it), `days` before noon;
    {} = nothing has."""
    wanted = {one.line: str(one.quantity.value) for one in made.lines} if left is None else left
    lines = {
        one.line: {
            "sku": one.sku,
            "ordered": str(one.quantity.value),
            "shipped": wanted.get(one.line, "0"),
            "unit": one.quantity.unit,
            "of_order": None,
        }
        for one in made.lines
    }
    gone = any(Decimal(value) for value in wanted.values())
    async with pool.acquire() as conn, conn.transaction():
        await _order(conn, made, number)
        await _fulfillment(conn, made, msgspec.json.encode(lines).decode(), number, gone=gone)
        if gone:
            await conn.execute(
                "INSERT INTO shipment (shipment_key, order_key, fulfillment_reference, location, carrier, tracking, "
                "shipped_at, document_id) VALUES ($1, $2, $3, 'EAST', 'UPS', '{}', $4, $5)",
                f"{made.order_key}#1/s1",
                made.order_key,
                f"{made.order_key}#1",
                NOON - timedelta(days=days),
                number,
            )
    return made


async def _order(conn: asyncpg.Connection, made: SalesOrder, number: int) -> None:
    await conn.execute(
        "INSERT INTO message (id, interface, topic, dedup_key, body) OVERRIDING SYSTEM VALUE "
        "VALUES ($1, 'shop.orders', 'orders', $2, $3)",
        number,
        made.order_key,
        encode(made),
    )
    await conn.execute(
        "INSERT INTO document (id, message_id, interface, topic, key, digest, state, step) OVERRIDING SYSTEM VALUE "
        "VALUES ($1, $1, 'shop.orders', 'orders', $2, 1, 'settled', 'done')",
        number,
        f"order/{made.order_key}",
    )
    await conn.execute(
        "INSERT INTO sales_order (order_key, number, channel, entity, customer_id, status, version, currency, "
        "total, document_id, content, erp, placed_at, decision) "
        "VALUES ($1, $2, $3, 'us', 'C-1', 'open', 1, $4, $5, $6, 1, 'erp', $7, '{}')",
        made.order_key,
        made.number,
        made.channel,
        made.currency,
        made.total.amount,
        number,
        made.placed_at,
    )


async def _fulfillment(conn: asyncpg.Connection, made: SalesOrder, lines: str, number: int, *, gone: bool) -> None:
    await conn.execute(
        "INSERT INTO fulfillment_order (reference, order_key, location, state, document_id, lines) "
        "VALUES ($1, $2, 'EAST', $3, $4, $5)",
        f"{made.order_key}#1",
        made.order_key,
        "shipped" if gone else "open",
        number,
        lines,
    )


def back(return_id: str = "r1", lines: dict[str, str] | None = None, **changes: Any) -> GoodsReturn:
    """A return of order shop/1: quantity (with its unit unless EA) by line, all of it unless told."""
    skus = {"1": "CD-1", "2": "CD-2"}
    wanted = {"1": "3", "2": "1"} if lines is None else lines
    given: dict[str, Any] = {
        "return_key": f"shop/{return_id}",
        "order_key": "shop/1",
        "number": return_id,
        "channel": "shop",
        "version": 1,
        "requested_at": NOON,
        "lines": tuple(
            ReturnLine(line=name, sku=skus.get(name, "CD-1"), quantity=quantity(text)) for name, text in wanted.items()
        ),
    }
    return GoodsReturn(**{**given, **changes})


def came(receipt_id: str, *lines: tuple[str, str, Disposition], return_id: str = "r1", **changes: Any) -> ReturnReceipt:
    """What came back at EAST: (order line, quantity, disposition)."""
    skus = {"1": "CD-1", "2": "CD-2"}
    given: dict[str, Any] = {
        "receipt_id": receipt_id,
        "source": "wms-east",
        "return_key": f"shop/{return_id}",
        "location": "EAST",
        "received_at": NOON,
        "lines": tuple(
            ReturnedLine(line=name, sku=skus[name], quantity=quantity(text), disposition=where)
            for name, text, where in lines
        ),
    }
    return ReturnReceipt(**{**given, **changes})


async def kept(pool: asyncpg.Pool, return_id: str = "r1") -> tuple[str, Decimal, Decimal, dict[str, LineState]]:
    """State, refund, fee and lines of a return."""
    row = await pool.fetchrow("SELECT * FROM goods_return WHERE return_key = $1", f"shop/{return_id}")
    assert row is not None
    return row["state"], row["refund"], row["fee"], load(row["lines"])


async def level(pool: asyncpg.Pool, sku: str = "CD-1", place: str = "EAST") -> tuple[Decimal, Decimal]:
    """On hand and quarantined."""
    row = await pool.fetchrow(
        "SELECT on_hand, quarantined FROM stock_level WHERE sku = $1 AND location = $2", sku, place
    )
    return (Decimal(0), Decimal(0)) if row is None else (row["on_hand"], row["quarantined"])
