# SPDX-License-Identifier: Apache-2.0
"""Orders go to Business Central as they go to NetSuite: placed once, changed, shipped, cancelled, returned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest_asyncio

from crossdock.app.reconciling import compared_systems
from crossdock.app.wiring import wire
from crossdock.connectors.business_central.auth import SCOPE
from crossdock.runtime.nats import Bus
from crossdock.sandbox.business_central.simulator import BusinessCentralConfig, BusinessCentralSim
from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.warehouse.expect import ComeBack, ReceiveRequest
from crossdock.sandbox.warehouse.ship import MoveRequest, move_once
from tests.connectors.listing import act, all_pages
from tests.flow.staging import MASTER, Stage, staged
from tests.flow.test_returns import ask, changed, on_hand, shipped

EAST, WEST = "DC-EAST", "DC-WEST"
CLIENT, SECRET = "crossdock", "made-up-secret"
CONFIG = BusinessCentralConfig(clients={CLIENT: SECRET}, catalog=MASTER, extra_items=("FREIGHT", "FEE", "REFUND"))
SYSTEM = """\
systems:
  bc:
    connector: business_central
    owner: erp
    settings: {{url: "{url}", tenant: {tenant}, environment: {environment}, company: {company}, client_id: {client},
                charge_items: {{shipping: FREIGHT, fee: FEE, refund: REFUND}}}}
    secrets: {{client_secret: "file:bc.secret"}}
"""
INTERFACES = """\
interfaces:
  bc.receipts: {system: bc, direction: out, operations: [item_receipt], object: return_receipt, owner: erp, tier: gold,
                version: 1, state: active}
  bc.credits: {system: bc, direction: out, operations: [credit_memo], object: refund, owner: erp, tier: gold,
               version: 1, state: active}
  bc.invoices: {system: bc, topics: [invoices], object: invoice, owner: erp, tier: gold, version: 1, state: active,
                poll: {every: 1s}}
  bc.payments: {system: bc, topics: [payments], object: payment, owner: erp, tier: gold, version: 1, state: active,
                poll: {every: 1s}}
  bc.orders: {system: bc, direction: out, operations: [sales_order, order_cancel], object: sales_order, owner: erp,
              tier: gold, version: 1, state: active}
  bc.shipments: {system: bc, direction: out, operations: [item_fulfillment], object: shipment, owner: erp, tier: gold,
                 version: 1, state: active}
"""
GOVERNED = """\
inventory:
  hold_for: 1m
  channels: {shopify-us: {locations: [DC-EAST, DC-WEST]}}
"""


async def _company_id(sim: BusinessCentralSim) -> str:
    form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "scope": SCOPE}
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{sim.url}/{CONFIG.tenant}/oauth2/v2.0/token", data=form) as reply:
            token = (await reply.json())["access_token"]
        address = f"{sim.url}/v2.0/{CONFIG.tenant}/{CONFIG.environment}/api/v2.0/companies"
        async with session.get(address, headers={"Authorization": f"Bearer {token}"}) as reply:
            return str((await reply.json())["value"][0]["id"])


def _in_europe(text: str, sim: BusinessCentralSim, company: str) -> str:
    """The staged estate with Business Central for its ERP."""
    system = SYSTEM.format(
        url=sim.url, tenant=CONFIG.tenant, environment=CONFIG.environment, company=company, client=CLIENT
    )
    for old, new in (
        ("erp: netsuite}", "erp: bc}"),
        ("systems:\n", system),
        ("interfaces:\n", INTERFACES),
        ('netsuite: "1"', 'netsuite: "1", bc: DC-EAST'),
        ('netsuite: "2"', 'netsuite: "2", bc: DC-WEST'),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest_asyncio.fixture
async def erp() -> AsyncIterator[BusinessCentralSim]:
    async with BusinessCentralSim(CONFIG) as simulator:
        yield simulator


@pytest_asyncio.fixture
async def stage(
    erp: BusinessCentralSim, pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    (tmp_path / "bc.secret").write_text(SECRET, "utf-8")
    company = await _company_id(erp)
    async with staged(
        pool, database, nats_url, tmp_path, lambda text: changed(_in_europe(text, erp, company))
    ) as running:
        address = f"{running.url}/hooks/warehouse/return.received"
        running.warehouse.emitter.subscriptions.append(Subscription("return.received", address))
        yield running


@pytest_asyncio.fixture
async def governed(
    erp: BusinessCentralSim, pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """The estate with stock that is governed: an order's goods come from where they are."""
    (tmp_path / "bc.secret").write_text(SECRET, "utf-8")
    company = await _company_id(erp)

    def change(text: str) -> str:
        kept = "".join(line for line in text.splitlines(True) if not line.startswith("stock_publication"))
        return _in_europe(kept, erp, company) + GOVERNED

    async with staged(pool, database, nats_url, tmp_path, change) as running:
        yield running


async def _orders(erp: BusinessCentralSim) -> dict[str, dict[str, Any]]:
    return {one["externalDocumentNumber"]: one for one in (await act(erp.url, "orders"))["orders"]}


async def _no_doubles(erp: BusinessCentralSim) -> bool:
    return all(len(ids) == 1 for ids in (await act(erp.url, "creations"))["creations"].values())


def _lines(order: dict[str, Any]) -> list[tuple[str, int, float]]:
    return [(one["sku"], one["quantity"], float(one["price"])) for one in order["line_items"]]


def _goods(stored: dict[str, Any]) -> list[tuple[str, int, float]]:
    goods = [one for one in stored["lines"] if one["lineObjectNumber"] not in ("FREIGHT", "FEE", "REFUND")]
    return [(one["lineObjectNumber"], one["quantity"], one["unitPrice"]) for one in goods]


async def test_orders_are_placed_shipped_and_cancelled(stage: Stage, erp: BusinessCentralSim) -> None:
    orders = [stage.order(lines=2) for _ in range(4)]
    for order in orders:
        assert await stage.hook(order) == 200
    await stage.rest()
    assert await stage.cases() == []
    stored = await _orders(erp)
    assert set(stored) == {stage.key(order).upper() for order in orders}
    for order in orders:
        assert _goods(stored[stage.key(order).upper()]) == _lines(order)

    gone, *kept = orders
    at = gone["updated_at"]
    await stage.hook(stage.later(gone, cancelled_at=at), "orders/cancelled")
    await stage.rest()
    stage.ship()
    await stage.rest()
    assert await stage.cases() == []
    stored = await _orders(erp)
    assert set(stored) == {stage.key(order).upper() for order in kept}
    assert all(line["shippedQuantity"] == line["quantity"] for one in stored.values() for line in one["lines"])
    shipments = (await act(erp.url, "shipments"))["shipments"]
    assert len(shipments) == len(kept)
    assert await _no_doubles(erp)
    assert await stage.balanced()

    # What left the warehouse left Business Central's books, at the same places.
    wired = wire(stage.estate)
    async with compared_systems(wired, "bc") as (system,):
        theirs = {(row.sku, row.location): row.quantity for row in (await all_pages(system.lister))[0]}
    assert {key: number for key, number in theirs.items() if number} == {
        key: number for key, number in stage.stock().items() if number
    }
    assert sum(theirs.values()) == -sum(Decimal(quantity) for order in kept for _, quantity, _ in _lines(order))


async def test_order_that_shrinks_in_the_store_shrinks(stage: Stage, erp: BusinessCentralSim) -> None:
    order = stage.order(lines=3)
    await stage.hook(order)
    await stage.rest()
    dropped, *rest = order["line_items"]
    tax = sum((Decimal(one["price"]) for one in dropped["tax_lines"]), Decimal(0))
    off = sum((Decimal(one["amount"]) for one in dropped["discount_allocations"]), Decimal(0))
    less = stage.later(
        order,
        line_items=[{**dropped, "current_quantity": 0}, *rest],
        current_total_tax=str(Decimal(order["total_tax"]) - tax),
        current_total_price=str(
            Decimal(order["total_price"]) - (Decimal(dropped["price"]) * dropped["quantity"] - off) - tax
        ),
    )
    await stage.hook(less, "orders/updated")
    await stage.rest()
    assert await stage.cases() == []
    (stored,) = (await _orders(erp)).values()
    assert _goods(stored) == [(one["sku"], one["quantity"], float(one["price"])) for one in rest]
    assert await _no_doubles(erp)


async def test_answers_that_are_lost_make_no_second_order(stage: Stage, erp: BusinessCentralSim) -> None:
    for kind in ("cut_after", "error_after", "throttled"):
        erp.faults.add(Fault(kind=kind, probability=0.2, count=5))
    orders = [stage.order(lines=2) for _ in range(12)]
    for order in orders:
        await stage.hook(order)
    await stage.rest()
    stage.ship()
    await stage.rest()
    erp.faults.clear()
    await stage.rest()
    stored = await _orders(erp)
    assert set(stored) == {stage.key(order).upper() for order in orders}
    assert all(line["shippedQuantity"] == line["quantity"] for one in stored.values() for line in one["lines"])
    assert len((await act(erp.url, "shipments"))["shipments"]) == len(orders)
    assert await _no_doubles(erp)
    assert await stage.cases() == []
    assert await stage.balanced()


async def test_goods_come_back_and_are_credited_once(stage: Stage, erp: BusinessCentralSim) -> None:
    payload = await shipped(stage)
    (stored,) = (await _orders(erp)).values()
    await act(erp.url, "invoice", {"number": stored["number"]})
    before = await on_hand(stage)
    await ask(stage, payload)
    await stage.rest()
    first = payload["line_items"][0]
    scrapped = ReceiveRequest(reference="shopify-us/R-1", lines=[ComeBack(first["id"], 1, "scrap")], tell=3)
    stage.warehouse.desk.receive(scrapped)
    await stage.rest()
    erp.faults.add(Fault(kind="error_after", count=2))
    stage.warehouse.desk.receive(ReceiveRequest(reference="shopify-us/R-1", tell=2))
    await stage.rest()
    assert await stage.cases() == []
    after = await on_hand(stage)
    back = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    came = (await act(erp.url, "return_orders"))["return_orders"]
    assert len(came) == 1, "what was scrapped never comes into stock"
    told = {(line["itemNumber"], line["locationCode"]): line["receivedQuantity"] for line in came[0]["lines"]}
    assert told == back
    memos = (await act(erp.url, "credit_memos"))["credit_memos"]
    assert len(memos) == 2
    assert round(sum(memo["totalAmountIncludingTax"] for memo in memos), 2) == float(payload["total_price"])
    assert await _no_doubles(erp)
    assert await stage.balanced()


async def test_one_order_leaves_two_places_and_its_line_both(governed: Stage, erp: BusinessCentralSim) -> None:
    """Of a line that neither place has enough of, each ships what it has; Business Central takes every shipment."""
    stage = governed
    order = stage.order(lines=2)
    while order["line_items"][0]["quantity"] < 2:
        order = stage.order(lines=2)
    split, whole = ((one["sku"], one["quantity"]) for one in order["line_items"])
    held = {(split[0], EAST): split[1] - 1, (split[0], WEST): 1, (whole[0], WEST): whole[1]}
    for (sku, place), quantity in held.items():
        move_once(stage.warehouse.warehouse, MoveRequest("receipt", sku, place, quantity))
        await act(erp.url, "adjust", {"sku": sku, "location": place, "quantity": quantity})
    await stage.rest()
    assert await stage.hook(order) == 200
    await stage.rest()
    assert sorted(stage.in_warehouse()) == [f"{stage.key(order)}#1", f"{stage.key(order)}#2"]

    for reference in stage.in_warehouse():
        stage.ship(references=[reference])
        await stage.rest()
        assert await stage.cases() == []
        (stored,) = (await _orders(erp)).values()
        assert stored["status"] == "Draft", "the order may be changed again"
    shipments = (await act(erp.url, "shipments"))["shipments"]
    assert len(shipments) == 2
    assert _goods(stored) == _lines(order)
    assert [one["shippedQuantity"] for one in stored["lines"]] == [one["quantity"] for one in stored["lines"]]
    rows = (await act(erp.url, "stock"))["stock"]
    levels = {(row["itemNumber"], row["locationCode"]): row["quantityOnHand"] for row in rows}
    assert {key: levels[key] for key in held} == dict.fromkeys(held, 0), "each place gave what it had"
    assert await _no_doubles(erp)
    assert await stage.balanced()


async def test_invoices_and_payments_come_back_and_close_the_order(stage: Stage, erp: BusinessCentralSim) -> None:
    # Business Central works tax out itself, and this company's is none.
    many = [stage.order(lines=2) for _ in range(20)]
    orders = [one for one in many if one["taxes_included"] or one["total_tax"] == "0.00"][:3]
    assert len(orders) == 3
    for order in orders:
        assert await stage.hook(order) == 200
    await stage.rest()
    stage.ship()
    await stage.rest()
    erp.faults.add(Fault("error_before", probability=0.3, match="salesInvoices", for_seconds=3))
    stored = (await _orders(erp)).values()
    made = [await act(erp.url, "invoice", {"number": one["number"]}) for one in stored]
    invoices = [one["invoice"]["number"] for one in made]

    async def all_in(state: str) -> bool:
        rows = await stage.pool.fetch("SELECT state FROM order_life")
        return [row["state"] for row in rows] == [state] * len(orders)

    await stage.until(lambda: all_in("invoiced"))
    for number in invoices:
        await act(erp.url, "pay", {"number": number, "amount": 1.0})
        await act(erp.url, "pay", {"number": number})
    await stage.until(lambda: all_in("closed"))
    await stage.rest()
    assert await stage.cases() == []
    rows = await stage.pool.fetch(
        "SELECT i.number, i.total - p.amount AS open FROM invoice i JOIN payment p USING (order_key)"
    )
    assert sorted(tuple(row) for row in rows) == [(number, 0) for number in sorted(invoices)]
    assert await stage.balanced()
