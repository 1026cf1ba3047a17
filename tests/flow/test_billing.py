# SPDX-License-Identifier: Apache-2.0
"""From the order to the money: shipped, invoiced in the ERP, asked for, paid there, closed here; each exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest_asyncio
from msgspec import Struct

from crossdock.app.scheduler import run_scheduler
from crossdock.app.wiring import wire
from crossdock.runtime.embedded import Endpoints
from crossdock.runtime.nats import Bus
from tests.flow.staging import Stage, staged

FACES = """\
  netsuite.invoices: {system: netsuite, topics: [invoices], object: invoice, owner: erp, tier: gold, version: 1,
                      state: active, poll: {every: 1s, overlap: 2m}}
  netsuite.payments: {system: netsuite, topics: [payments], object: payment, owner: erp, tier: gold, version: 1,
                      state: active, poll: {every: 1s, overlap: 2m}}
  shopify-us.payments: {system: shopify-us, topics: [order_transactions/create], object: payment, owner: web,
                        tier: gold, version: 1, state: active}
"""


def asked(estate: str) -> str:
    """The estate, whose ERP is asked what it billed and was paid."""
    return estate.replace("interfaces:\n", "interfaces:\n" + FACES, 1)


class Billed(Struct):
    """A running path, and what another scheduler on it needs."""

    stage: Stage
    endpoints: Endpoints


@pytest_asyncio.fixture
async def billed(pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path) -> AsyncIterator[Billed]:
    async with staged(pool, database, nats_url, tmp_path, asked) as stage:
        yield Billed(stage, Endpoints(database_url=database, nats_url=nats_url))


async def states(stage: Stage) -> dict[str, str]:
    return {row[0]: row[1] for row in await stage.pool.fetch("SELECT order_key, state FROM order_life")}


async def all_in(stage: Stage, state: str, number: int) -> None:
    async def there() -> bool:
        found = await states(stage)
        return len(found) == number and set(found.values()) == {state}

    await stage.until(there)


async def test_an_order_is_shipped_invoiced_paid_and_closed_each_exactly_once(billed: Billed) -> None:
    """While two schedulers ask, calls fail before and after, and what was committed late carries an earlier time."""
    stage, erp = billed.stage, billed.stage.erp
    stop = asyncio.Event()
    second = asyncio.create_task(run_scheduler(stop, wire(stage.estate), billed.endpoints))
    try:
        orders = [stage.order(lines=1 + number % 3) for number in range(4)]
        for payload in orders:
            assert await stage.hook(payload) == 200
        await stage.rest()
        stage.ship()
        await stage.rest()
        await all_in(stage, "shipped", 4)
        for kind in ("error_before", "error_after", "cut_after", "throttled"):
            stage.fault(erp, kind, probability=0.3, match="suiteql", for_seconds=5)
        invoices = erp.billing.run(())
        late = invoices[0]
        late["lastModifiedDate"] = (datetime.now(UTC) - timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
        erp.account.books.put("invoice", late["id"], late)
        await all_in(stage, "invoiced", 4)
        half = {one["id"]: round(one["total"] / 2, 2) for one in invoices}
        payments = [erp.billing.pay(one, half[one["id"]]) for one in invoices]
        payments += [erp.billing.pay(one, None) for one in invoices]
        await all_in(stage, "closed", 4)
        await stage.rest()
    finally:
        stop.set()
        await second
    rows = await stage.pool.fetch("SELECT invoice_key, number, total, state FROM invoice")
    assert {tuple(row) for row in rows} == {
        (f"netsuite/{one['id']}", one["tranId"], Decimal(f"{one['total']:.2f}"), "open") for one in invoices
    }
    rows = await stage.pool.fetch("SELECT payment_key, invoice_key, amount, state FROM payment")
    applied = [(one["id"], one["apply"][0]) for one in payments]
    assert {tuple(row) for row in rows} == {
        (
            f"netsuite/{ident}/{to['doc']['id']}",
            f"netsuite/{to['doc']['id']}",
            Decimal(f"{to['amount']:.2f}"),
            "settled",
        )
        for ident, to in applied
    }
    events = await stage.pool.fetch(
        "SELECT type, count(*) FROM event WHERE type IN ('payment.accepted', 'sales_order.state_changed') GROUP BY 1"
    )
    assert dict(events)["payment.accepted"] == len(payments)
    assert await stage.cases() == []
    assert await stage.balanced()
    assert await stage.pool.fetchval("SELECT count(*) FROM duplicate WHERE interface LIKE 'netsuite.%'") == 0
    told = await stage.pool.fetchval(
        "SELECT count(*) - count(DISTINCT dedup_key) FROM message WHERE topic = 'invoices'"
    )
    assert told == 0


async def test_a_void_invoice_takes_the_order_back(billed: Billed) -> None:
    stage, erp = billed.stage, billed.stage.erp
    assert await stage.hook(stage.order()) == 200
    await stage.rest()
    stage.ship()
    await stage.rest()
    (invoice,) = erp.billing.run(())
    await all_in(stage, "invoiced", 1)
    erp.billing.void(invoice)
    await all_in(stage, "shipped", 1)
    erp.billing.run(())
    await all_in(stage, "invoiced", 1)
    rows = await stage.pool.fetch("SELECT state, version FROM invoice ORDER BY invoice_key")
    assert [row["state"] for row in rows] == ["void", "open"]


async def test_an_order_that_the_store_was_paid_for_closes_with_its_invoice(billed: Billed) -> None:
    stage, erp = billed.stage, billed.stage.erp
    payload = stage.order()
    money = {
        "id": 389_300_000_001,
        "admin_graphql_api_id": "gid://shopify/OrderTransaction/389300000001",
        "order_id": payload["id"],
        "amount": payload["total_price"],
        "currency": payload["currency"],
        "gateway": "bogus",
        "created_at": payload["created_at"],
        "processed_at": None,
        "kind": "authorization",
        "status": "success",
    }
    taken = {**money, "id": 389_300_000_003, "admin_graphql_api_id": None, "kind": "capture", "parent_id": money["id"]}
    # The money is told of before the order, and twice.
    for told in (money, taken, taken):
        assert await stage.hook(told, "order_transactions/create") == 200
    assert await stage.hook(payload) == 200
    await stage.rest()
    stage.ship()
    await stage.rest()
    erp.billing.run(())
    await all_in(stage, "closed", 1)
    await stage.rest()
    rows = await stage.pool.fetch("SELECT payment_key, state, amount, order_key FROM payment ORDER BY 1")
    total, key = Decimal(payload["total_price"]), stage.key(payload)
    assert [tuple(row) for row in rows] == [
        ("shopify-us/389300000001", "promised", total, key),
        ("shopify-us/389300000003", "settled", total, key),
    ]
    assert await stage.cases() == []
    assert await stage.balanced()
