# SPDX-License-Identifier: Apache-2.0
"""Goods: stock moves in the warehouse and is told to the store; shipments are told to store and ERP."""

from __future__ import annotations

import random
import time
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from crossdock.sandbox.faults import Fault
from crossdock.sandbox.signing import signed_headers
from crossdock.sandbox.warehouse.count import CountRequest, count_stock
from crossdock.sandbox.warehouse.opening import OpeningRequest, receive_opening
from crossdock.sandbox.warehouse.ship import random_movements
from crossdock.triage.edit import edit, editable
from tests.flow.staging import Stage


async def levels(pool: asyncpg.Pool) -> dict[tuple[str, str], Decimal]:
    rows = await pool.fetch("SELECT sku, location, on_hand FROM stock_level")
    return {(row["sku"], row["location"]): row["on_hand"] for row in rows}


def shown(stage: Stage) -> dict[tuple[str, str], int]:
    """What the store shows as available, where it was told."""
    told = stage.shop.store.levels.items()
    return {(k.partition("@")[0], k.partition("@")[2]): one["set_to"] for k, one in told if one["set_to"] is not None}


async def event(stage: Stage, topic: str, data: dict[str, Any], message_id: str = "m1") -> int:
    """Send an event as the warehouse would; the status of the answer."""
    body = msgspec.json.encode({"type": topic, "id": message_id, "occurred_at": "2026-11-23T12:00:00Z", "data": data})
    headers = signed_headers(stage.warehouse.config.secret, message_id, int(time.time()), body)
    async with stage.session.post(f"{stage.url}/hooks/warehouse/{topic}", data=body, headers=headers) as answer:
        return answer.status


async def test_stock_in_the_store_is_the_warehouses(stage: Stage) -> None:
    stage.warehouse.faults.add(Fault("duplicates", probability=0.5))
    stage.warehouse.faults.add(Fault("reorder", probability=0.5, seconds=0.3))
    receive_opening(stage.warehouse.warehouse, OpeningRequest(quantity=50))
    rng = random.Random(5)
    for _ in range(40):
        moved: list[dict[str, Any]] = []
        for _ in range(10):
            moved += random_movements(stage.warehouse.warehouse, rng, 40, 2)
        stage.warehouse.warehouse.tell_movements(moved)
    await stage.rest()
    theirs = stage.stock()
    assert await levels(stage.pool) == theirs
    assert shown(stage) == {place: int(level) for place, level in theirs.items()}
    ledger = await stage.pool.fetch(
        "SELECT sku, location, sum(quantity) AS level FROM stock_movement WHERE kind <> 'pick' GROUP BY 1, 2"
    )
    assert {(row["sku"], row["location"]): row["level"] for row in ledger} == theirs
    assert await stage.pool.fetchval("SELECT count(*) FROM duplicate") > 0
    assert await stage.balanced()


async def test_what_a_count_finds_is_in_levels_and_store(stage: Stage) -> None:
    receive_opening(stage.warehouse.warehouse, OpeningRequest(quantity=50, skus=4))
    await stage.rest()
    first, second = (product.sku for product in stage.shop.catalog.products[:2])
    # Told late: it happened before the count, which has it already.
    late = stage.warehouse.warehouse.move("ship", first, "DC-EAST", Decimal(-8), "X")
    count_stock(
        stage.warehouse.warehouse,
        CountRequest(location="DC-EAST", skus=[first, second], found={first: -2, second: 1}),
    )
    await stage.rest()
    stage.warehouse.warehouse.tell_movements([late])
    stage.warehouse.warehouse.tell_movements(
        [stage.warehouse.warehouse.move("ship", second, "DC-EAST", Decimal(-4), "Y")]
    )
    await stage.rest()
    assert (await levels(stage.pool))[first, "DC-EAST"] == 40
    assert (await levels(stage.pool))[second, "DC-EAST"] == 47
    assert await levels(stage.pool) == {pair: level for pair, level in stage.stock().items() if level}
    await stage.until(lambda: _told(stage.pool))
    assert shown(stage)[first, "DC-EAST"] == 40
    assert await stage.cases() == []
    assert await stage.balanced()


async def test_a_throttling_store_is_told_the_newest_level_in_the_end(stage: Stage) -> None:
    receive_opening(stage.warehouse.warehouse, OpeningRequest(quantity=50, skus=5))
    await stage.rest()
    for kind in ("throttled", "error_after", "cut_after", "down"):
        stage.fault(stage.shop, kind, count=1)
    for number in range(5):
        sku = stage.shop.catalog.products[number].sku
        moved = [stage.warehouse.warehouse.move("ship", sku, "DC-EAST", Decimal(-50 + number), "X")]
        stage.warehouse.warehouse.tell_movements(moved)
    await stage.rest()
    await stage.until(lambda: _told(stage.pool))
    skus = [product.sku for product in stage.shop.catalog.products[:5]]
    assert [shown(stage)[sku, "DC-EAST"] for sku in skus] == [0, 1, 2, 3, 4]


async def _told(pool: asyncpg.Pool) -> bool:
    """The store was told everything, also what had to be told again."""
    return not await pool.fetchval(
        "SELECT EXISTS (SELECT FROM publication p WHERE p.waiting > 0 OR EXISTS (SELECT FROM event e "
        "WHERE e.type = 'inventory.level.changed' AND (e.xid, e.id) > (p.followed_xid, p.followed_id)))"
    )


async def test_bad_movements_are_cases_of_their_own_and_the_good_ones_count(stage: Stage) -> None:
    sku, other = (product.sku for product in stage.shop.catalog.products[:2])

    def movement(number: int, **changes: Any) -> dict[str, Any]:
        base = {
            "id": f"mv{number}",
            "type": "receipt",
            "sku": sku,
            "location": "DC-EAST",
            "quantity": "4",
            "unit": "EA",
        }
        return {**base, "occurred_at": "2026-11-23T12:00:00Z", "reference": None, "lot": None, **changes}

    moves = [
        movement(1),
        movement(2, sku="NO-SUCH"),
        movement(3, quantity="many"),
        movement(4, sku=other),
        movement(5, location="MOON"),
    ]
    assert await event(stage, "stock.movements", {"movements": moves}) == 200
    await stage.rest()
    assert await levels(stage.pool) == {(sku, "DC-EAST"): Decimal(4), (other, "DC-EAST"): Decimal(4)}
    cases = await stage.cases()
    assert len(cases) == 3
    assert {case["value"] for case in cases} == {"NO-SUCH", "many", "MOON"}
    for case in cases:
        async with stage.pool.acquire() as conn:
            body = (await editable(conn, case["id"])).body
            for wrong, right in ((b"NO-SUCH", sku.encode()), (b'"many"', b'"4"'), (b"MOON", b"DC-WEST")):
                body = body.replace(wrong, right)
            async with conn.transaction():
                await edit(conn, case["id"], body, by="jo", origin="cli")
    await stage.rest()
    assert await levels(stage.pool) == {
        (sku, "DC-EAST"): Decimal(12), (other, "DC-EAST"): Decimal(4), (sku, "DC-WEST"): Decimal(4),
    }  # fmt: skip
    assert await stage.cases() == []
    assert await stage.balanced()


async def test_shipments_are_told_to_store_and_erp_once_each(stage: Stage) -> None:
    stage.warehouse.faults.add(Fault("duplicates"))
    orders = [stage.order(lines=3) for _ in range(6)]
    for order in orders:
        await stage.hook(order)
    await stage.rest()
    stage.ship(partial=1.0)
    await stage.rest()
    partly = len(stage.erp.account.all("itemFulfillment"))
    assert partly == 6
    while stage.ship()["shipped"]:
        await stage.rest()
    shipments = stage.warehouse.books.table("shipments")
    assert len(stage.erp.account.all("itemFulfillment")) == len(shipments)
    assert len(shipments) > partly
    fulfilled = [one for order in stage.shop.store.orders.values() for one in order["fulfillments"]]
    assert len(fulfilled) == len(shipments)
    assert stage.shop.counts()["orders_fulfilled_twice"] == 0
    states = await stage.pool.fetch("SELECT DISTINCT state FROM fulfillment_order")
    assert [row["state"] for row in states] == ["shipped"]
    assert await stage.cases() == []
    assert await stage.balanced()


async def test_a_fulfillment_the_erp_made_but_did_not_confirm_is_made_once(stage: Stage) -> None:
    orders = [stage.order() for _ in range(3)]
    for order in orders:
        await stage.hook(order)
    await stage.rest()
    stage.fault(stage.erp, "cut_after", count=1, match="!transform")
    stage.fault(stage.erp, "error_after", count=1, match="!transform")
    # Looking fails for a while too: nothing may be sent before it was possible to look.
    stage.fault(stage.erp, "error_before", count=4, match="suiteql")
    stage.ship()
    await stage.rest()
    assert len(stage.erp.account.all("itemFulfillment")) == 3
    assert await stage.cases() == []
    assert await stage.balanced()


async def test_a_shipment_that_came_before_its_order_waits_for_it(stage: Stage) -> None:
    order = stage.order(lines=1)
    line = order["line_items"][0]
    packed = {"line": line["id"], "sku": line["sku"], "quantity": str(line["quantity"]), "unit": "EA"}
    shipment = {
        "id": "shp_1",
        "fulfillment_order_reference": f"{stage.key(order)}#1",
        "order_reference": order["name"],
        "location": "DC-EAST",
        "carrier": "UPS",
        "service": "ground",
        "shipped_at": "2026-11-23T12:00:00Z",
        "final": True,
        "packages": [{"sscc": "", "tracking_number": "1Z9", "weight": None, "lines": [packed]}],
    }
    assert await event(stage, "shipment.confirmed", {"shipment": shipment}) == 200
    await stage.until(lambda: _waits(stage))
    await stage.hook(order)
    await stage.rest()
    assert await stage.documents(order) == [("shipment.confirmed", "settled"), ("orders/create", "settled")]
    made_by = await stage.pool.fetchval("SELECT made_by FROM document WHERE topic = 'shipment.confirmed'")
    assert made_by == "shipment/1 warehouse_rest.shipment/1"
    assert len(stage.erp.account.all("itemFulfillment")) == 1


async def _waits(stage: Stage) -> bool:
    return bool(await stage.pool.fetchval("SELECT count(*) FROM document WHERE state = 'retry'"))
