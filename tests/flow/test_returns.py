# SPDX-License-Identifier: Apache-2.0
"""A return goes the whole path: order, shipment, return, receipt, ledger, the ERP's books, the money; each once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio

from crossdock.canonical.goods_return import GoodsReturn, ReturnLine
from crossdock.canonical.objects import encode
from crossdock.canonical.quantity import Quantity
from crossdock.journal.keep import keep
from crossdock.runtime.clock import now
from crossdock.runtime.nats import Bus
from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.warehouse.expect import ComeBack, ReceiveRequest
from crossdock.sdk.receiving import Incoming, digest_of
from tests.flow.staging import Stage, staged

INTERFACES = """\
  warehouse.returns: {system: warehouse, topics: [return.received], object: return_receipt, owner: wh, tier: gold,
                      version: 1, state: active}
  warehouse.expected: {system: warehouse, direction: out, operations: [expected_return, return_cancel],
                       object: goods_return, owner: wh, tier: gold, version: 1, state: active}
  netsuite.returns: {system: netsuite, direction: out, operations: [return_authorization, return_cancel],
                     object: goods_return, owner: erp, tier: gold, version: 1, state: active}
  netsuite.receipts: {system: netsuite, direction: out, operations: [item_receipt], object: return_receipt, owner: erp,
                      tier: gold, version: 1, state: active}
  netsuite.credits: {system: netsuite, direction: out, operations: [credit_memo], object: refund, owner: erp,
                     tier: gold, version: 1, state: active}
  shopify-us.refunds: {system: shopify-us, direction: out, operations: [refund], object: refund, owner: web,
                       tier: gold, version: 1, state: active}
"""
POLICY = "returns: {window_days: 30}\n"
API = "customer: WEB-STORE, api: true}"


def changed(estate: str) -> str:
    """Returns are taken and told; the store's channel takes them by the API."""
    estate = estate.replace("customer: WEB-STORE}", API)
    return estate.replace("interfaces:\n", "interfaces:\n" + INTERFACES) + POLICY


@pytest_asyncio.fixture
async def stage(pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(pool, database, nats_url, tmp_path, changed) as running:
        address = f"{running.url}/hooks/warehouse/return.received"
        running.warehouse.emitter.subscriptions.append(Subscription("return.received", address))
        yield running


async def shipped(stage: Stage, lines: int = 2) -> dict[str, Any]:
    """An order of the store that has left."""
    payload = stage.order(lines)
    assert await stage.hook(payload) == 200
    await stage.rest()
    stage.ship()
    await stage.rest()
    assert await stage.cases() == []
    return payload


async def ask(stage: Stage, payload: dict[str, Any], ident: str = "R-1", version: int = 1, **changes: Any) -> None:
    """A return of all of the order, as the API keeps one."""
    asked = GoodsReturn(
        return_key=f"shopify-us/{ident}",
        order_key=stage.key(payload),
        number=ident,
        channel="shopify-us",
        version=version,
        requested_at=now(),
        lines=tuple(
            ReturnLine(line=str(line["id"]), sku=line["sku"], quantity=Quantity(Decimal(line["quantity"])))
            for line in payload["line_items"]
        ),
    )
    for name, value in changes.items():
        asked = GoodsReturn(**{**{field: getattr(asked, field) for field in asked.__struct_fields__}, name: value})
    body = encode(asked)
    message = Incoming(
        interface="shopify-us.api",
        topic="returns",
        dedup_key=f"{ident}/{version}",
        key=f"return/{asked.return_key}",
        version=version,
        body=body,
        headers=b"",
        items=1,
        digest=digest_of(body),
        overtakes=True,
    )
    await keep(stage.pool, [message])


async def on_hand(stage: Stage) -> dict[tuple[str, str], Decimal]:
    rows = await stage.pool.fetch("SELECT sku, location, on_hand - quarantined AS good FROM stock_level")
    return {(row["sku"], row["location"]): row["good"] for row in rows}


async def test_goods_come_back_into_every_book_once(stage: Stage) -> None:
    payload = await shipped(stage)
    before = await on_hand(stage)
    await ask(stage, payload)
    await stage.rest()
    (rma,) = stage.erp.account.all("returnAuthorization").values()
    assert [line["quantity"] for line in rma["item"]] == [line["quantity"] for line in payload["line_items"]]
    (expected,) = stage.warehouse.desk.returns.values()
    assert (expected["reference"], expected["status"]) == ("shopify-us/R-1", "expected")
    # Part of it comes back, told three times; then the rest, told late and twice.
    first = payload["line_items"][0]
    place = expected["content"]["location"]
    one = stage.warehouse.desk.receive(
        ReceiveRequest(reference="shopify-us/R-1", lines=[ComeBack(first["id"], 1, "scrap")], tell=3)
    )
    await stage.rest()
    rest = stage.warehouse.desk.receive(ReceiveRequest(reference="shopify-us/R-1", tell=2))
    await stage.rest()
    assert (one["final"], rest["final"]) == (False, True)
    assert await stage.cases() == []
    row = await stage.pool.fetchrow("SELECT * FROM goods_return")
    assert row is not None
    total = Decimal(payload["total_price"])
    assert (row["state"], row["refund"], row["fee"]) == ("received", total, 0)
    # The ledger: all but the scrapped one is for sale again.
    after = await on_hand(stage)
    back = {
        line["sku"]: Decimal(line["quantity"]) - (1 if line["id"] == first["id"] else 0)
        for line in payload["line_items"]
    }
    for sku, quantity in back.items():
        assert after[sku, place] - before[sku, place] == quantity
        assert stage.stock()[sku, place] == after[sku, place]
    # The store: money back once, to the cent, in two refunds.
    order = stage.shop.store.orders[str(payload["id"])]
    assert [len(order["refunds"]), sum(Decimal(made["total"]) for made in order["refunds"])] == [2, total]
    assert stage.shop.counts()["counters"].get("refunds.refused", 0) == 0
    # The ERP: one authorization, received and credited in full.
    counts = stage.erp.counts()
    assert (counts["return_authorizations"], counts["credit_memos"]) == (1, 2)
    (rma,) = stage.erp.account.all("returnAuthorization").values()
    assert rma["status"] == "G"
    assert [line["quantityReceived"] for line in rma["item"]] == [line["quantity"] for line in payload["line_items"]]
    memos = stage.erp.account.all("creditMemo").values()
    assert round(sum(memo["total"] for memo in memos), 2) == float(total)
    assert counts["created_more_than_once_by_external_id"] == 0
    assert await stage.balanced()


async def test_whatever_the_systems_do_to_the_calls_everything_happens_once(stage: Stage) -> None:
    payload = await shipped(stage)
    for simulator, match in ((stage.erp, "!transform"), (stage.warehouse, "returns"), (stage.shop, "graphql")):
        stage.fault(simulator, "cut_after", count=2, match=match)
        stage.fault(simulator, "error_before", count=2, match=match)
    await ask(stage, payload)
    await stage.until(lambda: len(stage.warehouse.desk.returns) == 1)
    stage.warehouse.desk.receive(ReceiveRequest(reference="shopify-us/R-1", tell=2))
    await stage.rest(180.0)
    assert await stage.cases() == []
    counts = stage.erp.counts()
    assert (counts["return_authorizations"], counts["item_receipts"], counts["credit_memos"]) == (1, 1, 1)
    order = stage.shop.store.orders[str(payload["id"])]
    assert [made["total"] for made in order["refunds"]] == [payload["total_price"]]
    assert len(stage.warehouse.desk.returns) == 1
    assert await stage.balanced()


async def test_a_receipt_that_came_before_its_return_waits_for_it(stage: Stage) -> None:
    payload = await shipped(stage, 1)
    line = payload["line_items"][0]
    content = {
        "reference": "shopify-us/R-1",
        "order_reference": stage.key(payload),
        "location": "DC-EAST",
        "note": None,
        "lines": [
            {"line": line["id"], "sku": line["sku"], "quantity": str(line["quantity"]), "unit": "EA", "reason": None}
        ],
    }
    stage.warehouse.desk.take(content)
    stage.warehouse.desk.receive(ReceiveRequest(reference="shopify-us/R-1"))
    await stage.until(lambda: stage.pool.fetchval("SELECT count(*) FROM document WHERE state = 'retry'"))
    await ask(stage, payload)
    await stage.until(
        lambda: stage.pool.fetchval("SELECT count(*) FROM goods_return WHERE state = 'received'"), seconds=120.0
    )


async def test_too_late_is_a_case_and_a_person_lets_it_pass(stage: Stage) -> None:
    payload = await shipped(stage, 1)
    await ask(stage, payload, requested_at=now() + timedelta(days=40))
    await stage.until(lambda: stage.pool.fetchval("SELECT count(*) FROM triage_case WHERE state = 'open'"))
    (case,) = await stage.cases()
    assert (case["rule"], case["field"], case["money"]) == (
        "return.window",
        "requested_at",
        Decimal(payload["total_price"]),
    )
    assert stage.erp.counts()["return_authorizations"] == 0
    await ask(stage, payload, version=2, requested_at=now() + timedelta(days=40), override="a good customer")
    await stage.rest()
    assert await stage.cases() == []
    assert stage.erp.counts()["return_authorizations"] == 1


async def test_a_return_that_is_taken_back_is_taken_back_everywhere(stage: Stage) -> None:
    payload = await shipped(stage, 1)
    await ask(stage, payload)
    await stage.rest()
    await ask(stage, payload, version=2, status="cancelled")
    await stage.rest()
    (rma,) = stage.erp.account.all("returnAuthorization").values()
    (expected,) = stage.warehouse.desk.returns.values()
    assert (rma["status"], expected["status"]) == ("H", "cancelled")
    assert await stage.cases() == []
