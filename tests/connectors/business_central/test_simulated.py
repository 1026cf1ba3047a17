# SPDX-License-Identifier: Apache-2.0
"""The connector against a simulated company that was written apart from it, from the published facts alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from crossdock.canonical.money import Money
from crossdock.canonical.party import Party
from crossdock.canonical.sales_order import Charge
from crossdock.connectors.business_central.auth import SCOPE
from crossdock.connectors.business_central.check import Reached, reach
from crossdock.connectors.business_central.client import RestClient
from crossdock.connectors.business_central.invoices import changed_invoices, invoices_of
from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.sandbox.business_central.simulator import BusinessCentralConfig, BusinessCentralSim
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.faults import Fault
from crossdock.sdk.connector import SystemConfig, load_connector
from crossdock.sdk.sending import Delivered, Failed
from tests.connectors.business_central.documents import line, order, shipment
from tests.connectors.business_central.test_returns import receipt, refund
from tests.connectors.listing import act, all_pages

CLIENT, SECRET = "app-1", "s3cret/with+signs"
CONFIG = BusinessCentralConfig(
    clients={CLIENT: SECRET}, extra_items=("FREIGHT", "REFUND", "FEE"), catalog=CatalogConfig(products=12, locations=2)
)


async def _company_id(sim: BusinessCentralSim, config: BusinessCentralConfig) -> str:
    form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "scope": SCOPE}
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{sim.url}/{config.tenant}/oauth2/v2.0/token", data=form) as reply:
            token = (await reply.json())["access_token"]
        address = f"{sim.url}/v2.0/{config.tenant}/{config.environment}/api/v2.0/companies"
        async with session.get(address, headers={"Authorization": f"Bearer {token}"}) as reply:
            return str((await reply.json())["value"][0]["id"])


async def _given(sim: BusinessCentralSim, config: BusinessCentralConfig = CONFIG, **changed: Any) -> dict[str, Any]:
    return {
        "settings": {
            "url": sim.url,
            "tenant": config.tenant,
            "environment": config.environment,
            "company": await _company_id(sim, config),
            "client_id": CLIENT,
            "default_customer": "WEB-STORE",
            "charge_items": {"shipping": "FREIGHT", "refund": "REFUND", "fee": "FEE"},
            **changed,
        },
        "secrets": {"client_secret": SECRET},
    }


def _config(given: dict[str, Any]) -> SystemConfig:
    limits = load_connector("business_central").manifest.limits
    return SystemConfig(
        name="business_central",
        settings=given["settings"],
        secret=given["secrets"].__getitem__,
        limits=limits,
        names={},
        translate={},
    )


@pytest.fixture
async def sim() -> AsyncIterator[BusinessCentralSim]:
    async with BusinessCentralSim(CONFIG) as simulator:
        yield simulator


@pytest.fixture
async def sender(sim: BusinessCentralSim, open_sender: Any) -> Any:
    return open_sender("business_central", **await _given(sim))


def _usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


CHARGES = (
    Charge(kind="shipping", description="Standard", amount=_usd("7.50")),
    Charge(kind="discount", amount=_usd("-2.00")),
)


async def _sent(sender: Any, item: Any, operation: str = "sales_order") -> str:
    (outcome,) = await sender.send(operation, [item])
    assert isinstance(outcome, Delivered), outcome
    return outcome.reference


async def _orders(sim: BusinessCentralSim) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await act(sim.url, "orders"))["orders"]
    return found


async def _doubles(sim: BusinessCentralSim) -> dict[str, Any]:
    created = (await act(sim.url, "creations"))["creations"]
    assert any(name.startswith("salesOrders/SHOPIFY-US/") for name in created)
    return {name: ids for name, ids in created.items() if len(ids) > 1}


async def test_order_is_placed_once_with_all_it_says(sim: BusinessCentralSim, sender: Any) -> None:
    item = order(line(1, "CD-00001", location="DC-WEST"), line(2, "CD-00002", 3), charges=CHARGES)
    assert await sender.find("sales_order", [item]) == [None]
    number = await _sent(sender, item)
    assert await _sent(sender, item) == number
    (found,) = await sender.find("sales_order", [item])
    assert found.reference == number
    (stored,) = await _orders(sim)
    assert stored["externalDocumentNumber"] == "SHOPIFY-US/1"
    assert stored["customerNumber"] == "WEB-STORE"
    assert (stored["shipToName"], stored["shipToCity"]) == ("Ada Byron", "Louisville")
    assert stored["discountAmount"] == 2
    lines = [
        (one["lineObjectNumber"], one["quantity"], one["unitPrice"], one["discountAmount"]) for one in stored["lines"]
    ]
    assert lines == [("CD-00001", 2, 10.5, 1), ("CD-00002", 3, 10.5, 1), ("FREIGHT", 1, 7.5, 0)]
    assert await _doubles(sim) == {}


async def test_order_shrinks_grows_and_moves(sim: BusinessCentralSim, sender: Any) -> None:
    before = order(line(1, "CD-00001", 4), line(2, "CD-00002", 3), line(3, "CD-00003", 2), charges=CHARGES)
    number = await _sent(sender, before)
    after = order(
        line(1, "CD-00001", 2, location="DC-WEST"),
        line(3, "CD-00003", 5),
        line(4, "CD-00004"),
        charges=CHARGES,
        known=number,
    )
    assert await sender.find("sales_order", [after]) == [None]
    assert await _sent(sender, after) == number
    (found,) = await sender.find("sales_order", [after])
    assert found.reference == number
    (stored,) = await _orders(sim)
    lines = sorted((one["lineObjectNumber"], one["quantity"]) for one in stored["lines"])
    assert lines == [("CD-00001", 2), ("CD-00003", 5), ("CD-00004", 2), ("FREIGHT", 1)]
    assert stored["discountAmount"] == 2


async def test_order_ships_in_two_parts_and_no_more(
    sim: BusinessCentralSim, open_sender: Any, open_lister: Any
) -> None:
    given = await _given(sim)
    sender, lister = open_sender("business_central", **given), open_lister("business_central", **given)
    item = order(
        line(1, "CD-00001", 2, location="DC-EAST"), line(2, "CD-00002", 3, location="DC-EAST"), charges=CHARGES
    )
    number = await _sent(sender, item)
    before = {(row.sku, row.location): row.quantity for row in (await all_pages(lister))[0]}
    parts = [shipment(("CD-00001", 2), ("CD-00002", 1)), shipment(("CD-00002", 2), name="shp_2")]
    assert await sender.find("item_fulfillment", parts) == [None, None]
    numbers = [await _sent(sender, part, "item_fulfillment") for part in parts]
    assert len(set(numbers)) == 2
    assert [await _sent(sender, part, "item_fulfillment") for part in parts] == numbers
    found = await sender.find("item_fulfillment", parts)
    assert [one.reference for one in found] == numbers
    shipments = (await act(sim.url, "shipments"))["shipments"]
    assert len(shipments) == 2
    after = {(row.sku, row.location): row.quantity for row in (await all_pages(lister))[0]}
    moved = {key: after[key] - before[key] for key in before if after[key] != before[key]}
    assert moved == {("CD-00001", "DC-EAST"): -2, ("CD-00002", "DC-EAST"): -3}
    (outcome,) = await sender.send("item_fulfillment", [shipment(("CD-00001", 1), name="shp_3")])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert outcome.error.rule == "business_central.remaining"
    # Freight went with the first shipment, so the whole order can be invoiced and is gone.
    await act(sim.url, "invoice", {"number": number})
    (state,) = [one["state"] for one in await _orders(sim)]
    assert state == "invoiced"
    assert await _sent(sender, item) == number
    client = RestClient(_config(given))
    (invoice,) = await invoices_of(client, "shopify-us/1")
    changed = await changed_invoices(client, now() - timedelta(minutes=2))
    await client.close()
    assert [one.number for one in changed.invoices] == [invoice.number]
    assert invoice.order_number == number
    assert sorted(one.line_object_number for one in invoice.sales_invoice_lines) == ["CD-00001", "CD-00002", "FREIGHT"]
    assert await _doubles(sim) == {}


async def test_what_comes_back_comes_into_stock_and_is_credited(
    sim: BusinessCentralSim, open_sender: Any, open_lister: Any
) -> None:
    given = await _given(sim)
    sender, lister = open_sender("business_central", **given), open_lister("business_central", **given)
    sold = order(line(1, "CD-00001", 4, location="DC-EAST"))
    number = await _sent(sender, sold)
    await _sent(sender, shipment(("CD-00001", 4)), "item_fulfillment")
    await act(sim.url, "invoice", {"number": number})
    before = {(row.sku, row.location): row.quantity for row in (await all_pages(lister))[0]}
    back, given_back = receipt(("CD-00001", 2, "restock"), ("CD-00001", 1, "scrap")), refund(fee="2.50")
    for item in (back, given_back):
        assert await sender.find(item.operation, [item]) == [None]
        reference = await _sent(sender, item, item.operation)
        assert await _sent(sender, item, item.operation) == reference
        (found,) = await sender.find(item.operation, [item])
        assert found.reference == reference
    after = {(row.sku, row.location): row.quantity for row in (await all_pages(lister))[0]}
    moved = {key: after[key] - before[key] for key in before if after[key] != before[key]}
    assert moved == {("CD-00001", "DC-EAST"): 2}, "the credit memo brings no goods"
    (memo,) = (await act(sim.url, "credit_memos"))["credit_memos"]
    assert memo["totalAmountIncludingTax"] == 23
    assert len((await act(sim.url, "return_orders"))["return_orders"]) == 1
    assert len((await act(sim.url, "receipts"))["receipts"]) == 1
    assert await _doubles(sim) == {}


@pytest.mark.parametrize("kind", ["cut_after", "error_after"])
async def test_what_was_done_without_an_answer_is_found(
    sim: BusinessCentralSim, sender: Any, monkeypatch: Any, kind: Any
) -> None:
    await _sent(sender, order(line(1, "CD-00003"), key="shopify-us/2"))
    item = order(line(1, "CD-00001"))
    ask = sender._client.record

    async def spoilt(method: Any, path: str, **rest: Any) -> Any:
        if method == "POST":
            sim.faults.add(Fault(kind=kind, count=1))
        return await ask(method, path, **rest)

    for operation, owed in (
        ("sales_order", item),
        ("item_fulfillment", shipment(("CD-00001", 1))),
        ("item_receipt", receipt(("CD-00001", 1, "restock"))),
        ("credit_memo", refund()),
    ):
        found = None
        while found is None:
            # Returns take two calls: each is lost once.
            monkeypatch.setattr(sender._client, "record", spoilt)
            (outcome,) = await sender.send(operation, [owed])
            monkeypatch.setattr(sender._client, "record", ask)
            sim.faults.clear()
            assert isinstance(outcome, Failed), outcome
            assert isinstance(outcome.error, OutcomeUnknown)
            (found,) = await sender.find(operation, [owed])
        assert await _sent(sender, owed, operation) == found.reference
    assert await _doubles(sim) == {}
    for what in ("shipments", "return_orders", "receipts", "credit_memos"):
        assert len((await act(sim.url, what))[what]) == 1, what


async def test_cancelled_order_is_gone(sim: BusinessCentralSim, sender: Any) -> None:
    item = order(line(1, "CD-00001"), line(2, "CD-00002"))
    number = await _sent(sender, item)
    cancel = replace(item, operation="order_cancel", known={"business_central/sales_order": number})
    assert await sender.find("order_cancel", [cancel]) == [None]
    assert await _sent(sender, cancel, "order_cancel") == number
    assert await _orders(sim) == []
    assert await sender.find("order_cancel", [cancel]) == [Delivered(reference=number)]
    assert await _sent(sender, cancel, "order_cancel") == number


async def test_partly_shipped_order_is_changed_then_cancelled(sim: BusinessCentralSim, sender: Any) -> None:
    """The extension opens the order again after it has posted; what was shipped stays."""
    before = order(line(1, "CD-00001", 4), line(2, "CD-00002"), line(3, "CD-00003"))
    number = await _sent(sender, before)
    await _sent(sender, shipment(("CD-00001", 1)), "item_fulfillment")
    after = order(line(1, "CD-00001", 3), line(3, "CD-00003", 1), known=number)
    assert await _sent(sender, after) == number
    (stored,) = await _orders(sim)
    assert _progress(stored) == [("CD-00001", 3, 1), ("CD-00003", 1, 0)]
    await _sent(sender, shipment(("CD-00001", 1), name="shp_2"), "item_fulfillment")
    cancel = replace(after, operation="order_cancel")
    assert await sender.find("order_cancel", [cancel]) == [None]
    assert await _sent(sender, cancel, "order_cancel") == number
    assert await sender.find("order_cancel", [cancel]) == [Delivered(reference=number)]
    (stored,) = await _orders(sim)
    assert _progress(stored) == [("CD-00001", 2, 2)]
    # What was shipped is invoiced, and nothing else.
    await act(sim.url, "invoice", {"number": number})
    (stored,) = await _orders(sim)
    assert stored["state"] == "invoiced"


async def test_order_that_another_posting_released_has_to_be_reopened(sim: BusinessCentralSim, sender: Any) -> None:
    number = await _sent(sender, order(line(1, "CD-00001", 4)))
    stored = sim.store.one("salesOrders", "number", number)
    sim.store.change("salesOrders", stored, status="Open", _released=True)
    await _sent(sender, shipment(("CD-00001", 1)), "item_fulfillment")
    cancel = replace(order(line(1, "CD-00001", 4), known=number), operation="order_cancel")
    (outcome,) = await sender.send("order_cancel", [cancel])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert (outcome.error.field, outcome.error.fix[:6]) == ("status", "reopen")


async def test_one_line_leaves_from_two_places(sim: BusinessCentralSim, open_sender: Any, open_lister: Any) -> None:
    given = await _given(sim)
    sender, lister = open_sender("business_central", **given), open_lister("business_central", **given)
    sold = order(line(1, "CD-00001", 3), line(2, "CD-00002"), charges=CHARGES)
    number = await _sent(sender, sold)
    before = {(row.sku, row.location): row.quantity for row in (await all_pages(lister))[0]}
    east, west = shipment(("CD-00001", 1), ("CD-00002", 2)), shipment(("CD-00001", 2), name="shp_2")
    west = replace(west, document=replace(west.document, location="DC-WEST"))
    for part in (east, west):
        await _sent(sender, part, "item_fulfillment")
    after = {(row.sku, row.location): row.quantity for row in (await all_pages(lister))[0]}
    moved = {key: after[key] - before[key] for key in before if after[key] != before[key]}
    assert moved == {("CD-00001", "DC-EAST"): -1, ("CD-00002", "DC-EAST"): -2, ("CD-00001", "DC-WEST"): -2}
    (stored,) = await _orders(sim)
    assert _progress(stored) == [("CD-00001", 3, 3), ("CD-00002", 2, 2), ("FREIGHT", 1, 1)]
    assert await _sent(sender, sold) == number
    assert (await _orders(sim))[0]["lastModifiedDateTime"] == stored["lastModifiedDateTime"]


def _progress(stored: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(one["lineObjectNumber"], one["quantity"], one["shippedQuantity"]) for one in stored["lines"]]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (order(line(1, "CD-00001"), line(2, "NO-SUCH-ITEM")), "lines[].sku"),
        (order(line(1, "CD-00001"), customer=Party(id="NOBODY")), "customer.id"),
        (order(line(1, "CD-00001", location="DC-MOON")), "lines[].location"),
        (order(line(1, "CD-00001", unit="PK")), "lines[].quantity.unit"),
    ],
)
async def test_what_is_not_there_is_a_case_that_names_it(
    sim: BusinessCentralSim, sender: Any, item: Any, field: str
) -> None:
    (outcome,) = await sender.send("sales_order", [item])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit), outcome.error
    assert outcome.error.field == field
    assert await _orders(sim) == []


async def test_stock_in_pages(open_lister: Any) -> None:
    config = replace(CONFIG, page_size=7)
    async with BusinessCentralSim(config) as sim:
        lister = open_lister("business_central", **await _given(sim, config))
        everything, pages = await all_pages(lister)
        assert (len(everything), pages) == (24, 4)
        assert len({(row.sku, row.location) for row in everything}) == 24
        some, _ = await all_pages(lister, ["CD-00002", "CD-00005", "NONE"])
        assert some == [replace(row, as_of=some[0].as_of) for row in everything if row.sku in ("CD-00002", "CD-00005")]
        await act(sim.url, "adjust", {"sku": "CD-00002", "location": "DC-EAST", "quantity": 40})
        (east,) = [row for row in (await all_pages(lister, ["CD-00002"]))[0] if row.location == "DC-EAST"]
        (former,) = [row for row in some if (row.sku, row.location) == ("CD-00002", "DC-EAST")]
        assert east.quantity == former.quantity + 40


async def test_company_and_extension_answer(sim: BusinessCentralSim) -> None:
    given = await _given(sim)
    assert await reach(_config(given)) == Reached(CONFIG.company_name, ())
    missing = await reach(_config({**given, "settings": {**given["settings"], "extension": "other/pages/v1.0"}}))
    assert missing.missing == ("locationStock", "salesOrderShipments")


async def test_tokens_that_ended_are_renewed(sim: BusinessCentralSim, sender: Any) -> None:
    await _sent(sender, order(line(1, "CD-00001")))
    await act(sim.url, "expire_tokens", {})
    await _sent(sender, order(line(1, "CD-00001"), key="shopify-us/2"))
    assert len(await _orders(sim)) == 2


async def test_wrong_secret_pauses_the_system(sim: BusinessCentralSim, open_sender: Any) -> None:
    sender = open_sender("business_central", **{**await _given(sim), "secrets": {"client_secret": "wrong-one"}})
    (outcome,) = await sender.send("sales_order", [order(line(1, "CD-00001"))])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsConfig)
    assert "wrong-one" not in repr(outcome)


async def test_too_many_requests_are_throttled(open_sender: Any) -> None:
    config = replace(CONFIG, requests=6)
    async with BusinessCentralSim(config) as sim:
        sender = open_sender("business_central", **await _given(sim, config))
        outcomes = await sender.send(
            "sales_order", [order(line(1, "CD-00001"), key=f"shopify-us/{n}") for n in range(3)]
        )
        failed = [one for one in outcomes if isinstance(one, Failed)]
        assert failed
        assert all(isinstance(one.error, RetryLater) and one.error.throttled for one in failed)
        assert len(await _orders(sim)) == 3 - len(failed)
