# SPDX-License-Identifier: Apache-2.0
"""What a batch owes is owed in the order of deciding: a shipment that waited for its order never overtakes it."""

from __future__ import annotations

import asyncpg

from crossdock.flow import Outcome, _write
from crossdock.journal.decided import Decided, NewDelivery, NewEvent
from tests.inventory.deciding import rules
from tests.orders.making import order, translated
from tests.orders.test_follow import shipment


def _outcome(number: int, kind: str, document: object, operation: str) -> Outcome:
    item = translated(document, kind, number, key="order/shop/1")
    owed = NewDelivery(system="erp", operation=operation, object=kind, reference=operation)
    told = NewEvent(type=f"{kind}.told", data=b"{}")
    return Outcome(claimed=item.claimed, item=item, decided=Decided(deliveries=(owed,), events=(told,), accepted=True))


async def test_an_order_is_owed_and_told_before_a_shipment_that_waited_for_it(pool: asyncpg.Pool) -> None:
    waited = _outcome(1, "shipment", shipment(1, "1", "CD-1", "2"), "item_fulfillment")
    came = _outcome(2, "sales_order", order(), "sales_order")
    async with pool.acquire() as conn, conn.transaction():
        await _write(conn, rules(), [waited, came])
        owed = await conn.fetch("SELECT operation FROM delivery ORDER BY id")
        told = await conn.fetch("SELECT type FROM event ORDER BY id")
    assert [row["operation"] for row in owed] == ["sales_order", "item_fulfillment"]
    assert [row["type"] for row in told] == ["sales_order.told", "shipment.told"]
