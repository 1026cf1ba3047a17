# SPDX-License-Identifier: Apache-2.0
"""Orders from a store reach ERP and warehouse exactly once, however they are told."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.flow.staging import Stage


async def test_an_order_reaches_erp_and_warehouse(stage: Stage) -> None:
    order = stage.order()
    assert await stage.hook(order) == 200
    await stage.rest()
    assert await stage.documents(order) == [("orders/create", "settled")]
    assert list(stage.in_erp()) == [stage.key(order)]
    assert stage.in_warehouse() == {f"{stage.key(order)}#1": "open"}
    row = await stage.pool.fetchrow("SELECT made_by, step, open_deliveries FROM document")
    assert row["made_by"].startswith("sales_order/1 shopify.order/")
    assert (row["step"], row["open_deliveries"]) == ("done", 0)
    versions = await stage.pool.fetch("SELECT number, stage, made_by FROM document_version")
    assert [tuple(version)[:2] for version in versions] == [(1, "canonical")]
    assert row["made_by"].startswith(versions[0]["made_by"])
    assert await stage.balanced()


async def test_the_same_webhook_many_times_is_one_order(stage: Stage) -> None:
    order = stage.order()
    answers = await asyncio.gather(*(stage.hook(order, webhook_id="w1") for _ in range(20)))
    assert set(answers) == {200}
    await stage.rest()
    assert await stage.documents(order) == [("orders/create", "settled")]
    assert await stage.pool.fetchval("SELECT count(*) FROM duplicate") == 19
    assert len(stage.in_erp()) == len(stage.in_warehouse()) == 1
    assert await stage.balanced()


async def test_the_same_bytes_under_another_id_are_noticed_and_have_no_effect(stage: Stage) -> None:
    order = stage.order()
    await stage.hook(order)
    await stage.rest()
    await stage.hook(order)
    await stage.rest()
    assert await stage.documents(order) == [("orders/create", "settled"), ("orders/create", "duplicate")]
    notes = await stage.pool.fetch("SELECT note FROM document ORDER BY id")
    assert notes[1]["note"].startswith("possible duplicate: the same bytes came before under another id")
    assert len(stage.in_erp()) == len(stage.in_warehouse()) == 1


async def test_an_older_version_that_comes_late_has_no_effect(stage: Stage) -> None:
    order = stage.order()
    newer = stage.later(order, note="leave it at the back door")
    await stage.hook(newer, "orders/updated")
    await stage.rest()
    await stage.hook(order)
    await stage.rest()
    assert await stage.documents(order) == [("orders/updated", "settled"), ("orders/create", "duplicate")]
    assert len(stage.in_erp()) == len(stage.in_warehouse()) == 1


async def test_a_changed_order_is_changed_in_the_erp_and_asked_for_anew(stage: Stage) -> None:
    order = stage.order()
    await stage.hook(order)
    await stage.rest()
    moved = {**order["shipping_address"], "city": "Anchorage", "zip": "99501", "province_code": "AK"}
    await stage.hook(stage.later(order, shipping_address=moved), "orders/updated")
    await stage.rest()
    assert await stage.documents(order) == [("orders/create", "settled"), ("orders/updated", "settled")]
    assert stage.in_warehouse() == {f"{stage.key(order)}#1": "cancelled", f"{stage.key(order)}#2": "open"}
    cities = {
        one["reference"][-2:]: one["content"]["ship_to"]["city"] for one in stage.warehouse.warehouse.orders.values()
    }
    assert cities["#2"] == "Anchorage"
    assert len(stage.in_erp()) == 1


@pytest.mark.parametrize("kind", ["error_before", "down"])
async def test_a_change_that_the_erp_lost_reaches_it(stage: Stage, kind: str) -> None:
    """No answer and no effect: that the order is there says nothing of its change."""
    order = stage.order()
    await stage.hook(order)
    await stage.rest()
    stage.fault(stage.erp, kind, count=1, match="eid:")
    moved = {**order["shipping_address"], "city": "Anchorage", "zip": "99501", "province_code": "AK"}
    await stage.hook(stage.later(order, shipping_address=moved), "orders/updated")
    await stage.rest()
    (stored,) = stage.in_erp().values()
    assert stored["shippingAddress"]["city"] == "Anchorage"
    assert not any(one.count for one in stage.erp.faults.faults)
    assert await stage.cases() == []


async def test_a_cancelled_order_is_closed_in_the_erp_and_withdrawn(stage: Stage) -> None:
    order = stage.order()
    await stage.hook(order)
    await stage.rest()
    gone = stage.later(order, cancelled_at="2026-11-23T12:01:00Z", cancel_reason="customer")
    await stage.hook(gone, "orders/cancelled")
    await stage.rest()
    assert stage.in_warehouse() == {f"{stage.key(order)}#1": "cancelled"}
    (record,) = stage.in_erp().values()
    assert all(line["isClosed"] for line in record["item"])
    assert await stage.pool.fetchval("SELECT status FROM sales_order") == "cancelled"
    assert await stage.cases() == []


async def test_a_cancellation_that_overtook_its_order_leaves_nothing(stage: Stage) -> None:
    order = stage.order()
    gone = stage.later(order, cancelled_at="2026-11-23T12:01:00Z", cancel_reason="customer")
    await stage.hook(gone, "orders/cancelled")
    await stage.hook(order)
    await stage.rest()
    assert await stage.documents(order) == [("orders/cancelled", "settled"), ("orders/create", "duplicate")]
    assert stage.in_erp() == {}
    assert stage.in_warehouse() == {}


async def test_versions_of_one_order_that_come_all_at_once_end_at_the_newest(stage: Stage) -> None:
    order = stage.order()
    versions = [order, *(stage.later(order, n, note=f"version {n}") for n in range(1, 12))]
    await asyncio.gather(*(stage.hook(version, "orders/updated") for version in reversed(versions)))
    await stage.rest()
    states = [state for _, state in await stage.documents(order)]
    assert len(states) == 12
    assert set(states) <= {"settled", "duplicate"}
    newest = await stage.pool.fetchval("SELECT max(version) FROM document")
    assert await stage.pool.fetchval("SELECT version FROM sales_order") == newest
    assert len(stage.in_erp()) == len(stage.in_warehouse()) == 1
    assert await stage.balanced()


@pytest.mark.parametrize("kind", ["error_after", "cut_after", "error_before", "down", "throttled"])
@pytest.mark.parametrize("where", ["erp", "warehouse"])
async def test_whatever_a_system_does_to_the_call_there_is_one_order(stage: Stage, kind: str, where: str) -> None:
    """A 500 after having created the order, a connection cut after the request, no answer at all, too busy."""
    simulator = stage.erp if where == "erp" else stage.warehouse
    stage.fault(simulator, kind, count=3, match="salesOrder" if where == "erp" else "fulfillment-orders")
    orders = [stage.order() for _ in range(4)]
    for order in orders:
        await stage.hook(order)
    await stage.rest()
    assert set(stage.in_erp()) == {stage.key(order) for order in orders}
    assert stage.in_warehouse() == {f"{stage.key(order)}#1": "open" for order in orders}
    assert await stage.cases() == []
    assert await stage.balanced()


async def test_one_order_that_always_fails_beside_a_thousand_good_ones(stage: Stage) -> None:
    bad = stage.order()
    bad["line_items"][0]["sku"] = "NO-SUCH"
    good = [stage.order(lines=1) for _ in range(1000)]
    limit = asyncio.Semaphore(50)

    async def tell(order: dict[str, object]) -> int:
        async with limit:
            return await stage.hook(order)

    assert set(await asyncio.gather(*(tell(order) for order in [*good[:500], bad, *good[500:]]))) == {200}
    await stage.rest()
    assert set(stage.in_erp()) == {stage.key(order) for order in good}
    assert len(stage.in_warehouse()) == 1000
    (case,) = await stage.cases()
    assert (case["key"], case["rule"], case["owner"]) == (
        f"order/{stage.key(bad)}",
        "shopify.order/1: lines.sku",
        "web",
    )
    states = await stage.pool.fetch("SELECT state, count(*) FROM document GROUP BY state ORDER BY state")
    assert [tuple(row) for row in states] == [("case", 1), ("settled", 1000)]
    assert await stage.balanced()


async def test_ten_thousand_lines_are_refused_by_size_or_a_case_with_a_reason(stage: Stage) -> None:
    order = stage.order(lines=10_000)
    assert len(msgspec.json.encode(order)) > 5_000_000
    assert await stage.hook(order) == 413
    slim = {
        "id",
        "title",
        "quantity",
        "price",
        "sku",
        "requires_shipping",
        "taxable",
        "tax_lines",
        "discount_allocations",
    }
    lines = [{name: line[name] for name in slim & line.keys()} for line in order["line_items"]]
    assert await stage.hook({**order, "line_items": lines}) == 200
    await stage.rest()
    (case,) = await stage.cases()
    assert (case["rule"], case["field"]) == ("order.max_lines", "lines")
    assert case["reason"] == "the order has 10000 lines, at most 5000 are taken"
    assert stage.in_erp() == {}
