# SPDX-License-Identifier: Apache-2.0
"""Asking a simulated account what is on its books."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crossdock.canonical.fulfillment import FulfillmentLine, Package, Shipment
from crossdock.canonical.money import Money
from crossdock.canonical.party import Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.connectors.netsuite import list_stock
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.netsuite.simulator import NetSuiteConfig, NetSuiteSim
from crossdock.sdk.sending import Delivered, Outgoing
from tests.connectors.listing import act, all_pages

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _opened(account: NetSuiteSim, open_one: Any) -> Any:
    config = account.config
    return open_one(
        "netsuite",
        settings={"url": account.url, "account": config.account, "auth": "tba", "default_customer": "WEB-STORE"},
        secrets={
            "consumer_key": config.consumer_key,
            "consumer_secret": config.consumer_secret,
            "token_id": config.token_id,
            "token_secret": config.token_secret,
        },
        names={"location": {place.code: str(n) for n, place in enumerate(account.account.catalog.locations, 1)}},
    )


def _seven_rows_a_page(lister: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(list_stock, "_PAGE", 7)
    original = lister._client.rows

    async def seven(query: str, row: Any) -> Any:
        return (await original(query, row))[:7] if "aggregateitemlocation" in query else await original(query, row)

    monkeypatch.setattr(lister._client, "rows", seven)


def _all_there_is(account: NetSuiteSim, products: Any) -> list[tuple[str, str, Decimal]]:
    return [
        (product.sku, str(number), Decimal(product.stock[place.code]))
        for product in products
        for number, place in enumerate(account.account.catalog.locations, 1)
    ]


async def test_pages_go_by_item_and_hold_every_balance_once(open_lister: Any, monkeypatch: Any) -> None:
    catalog = CatalogConfig(products=12, locations=3)
    async with NetSuiteSim(NetSuiteConfig(catalog=catalog)) as account:
        lister = _opened(account, open_lister)
        _seven_rows_a_page(lister, monkeypatch)
        rows, pages = await all_pages(lister)
        everything = _all_there_is(account, account.account.catalog.products)
        assert [(row.sku, row.location, row.quantity) for row in rows] == everything
        assert pages == 6, "two whole items a page"


async def test_skus_that_are_asked_for_come_in_pages_too(open_lister: Any, monkeypatch: Any) -> None:
    catalog = CatalogConfig(products=12, locations=3)
    async with NetSuiteSim(NetSuiteConfig(catalog=catalog)) as account:
        lister = _opened(account, open_lister)
        _seven_rows_a_page(lister, monkeypatch)
        asked = account.account.catalog.products[3:8]
        rows, pages = await all_pages(lister, [product.sku for product in asked])
        assert [(row.sku, row.location, row.quantity) for row in rows] == _all_there_is(account, asked)
        assert pages == 3, "two whole items a page"


async def test_an_item_without_an_external_id_is_asked_for_by_its_name(open_lister: Any) -> None:
    catalog = CatalogConfig(products=4, locations=2)
    async with NetSuiteSim(NetSuiteConfig(catalog=catalog)) as account:
        first, second, third, _ = account.account.catalog.products
        items = account.account.all("inventoryItem").values()
        (nameless,) = [item for item in items if item["itemId"] == second.sku]
        del account.account.external["inventoryItem", nameless.pop("externalId")]
        # Another item's name is no SKU of ours when it has an external id.
        (renamed,) = [item for item in items if item["itemId"] == third.sku]
        del account.account.external["inventoryItem", renamed["externalId"]]
        renamed["externalId"] = "OTHER"
        account.account.external["inventoryItem", "OTHER"] = renamed["id"]
        rows, _ = await all_pages(_opened(account, open_lister), [first.sku, second.sku, third.sku, "NONE"])
        found = [(row.sku, row.location, row.quantity) for row in rows]
        assert found == _all_there_is(account, [first, second])
        assert await all_pages(_opened(account, open_lister), ["NONE"]) == ([], 1)


async def test_shipped_fulfillments_and_adjustments_change_what_is_on_hand(open_sender: Any, open_lister: Any) -> None:
    async with NetSuiteSim(NetSuiteConfig()) as account:
        place = account.account.catalog.locations[0]
        lister, sender = _opened(account, open_lister), _opened(account, open_sender)
        (before,) = [row for row in (await all_pages(lister, ["CD-00001"]))[0] if row.location == "1"]
        order = SalesOrder(
            order_key="shopify-us/1",
            number="#1",
            channel="shopify-us",
            placed_at=NOW,
            currency="USD",
            customer=Party(),
            lines=(
                OrderLine(
                    line="1",
                    sku="CD-00001",
                    quantity=Quantity(Decimal(3)),
                    unit_price=Money(Decimal(2), "USD"),
                    total=Money(Decimal(6), "USD"),
                ),
            ),
            total=Money(Decimal(6), "USD"),
        )
        made = await _send(sender, "sales_order", order, {})
        shipment = Shipment(
            shipment_id="shp_1",
            order_key=order.order_key,
            fulfillment_reference="shopify-us/1#1",
            location=place.code,
            carrier="UPS",
            shipped_at=NOW,
            packages=(
                Package(
                    tracking_number="1Z1",
                    lines=(FulfillmentLine(line="1", sku="CD-00001", quantity=Quantity(Decimal(3))),),
                ),
            ),
        )
        await _send(sender, "item_fulfillment", shipment, {"netsuite/sales_order": made})
        await act(account.url, "adjust", {"sku": "CD-00001", "location": place.code, "quantity": 40})
        (after,) = [row for row in (await all_pages(lister, ["CD-00001", "NONE"]))[0] if row.location == "1"]
        assert after.quantity == before.quantity - 3 + 40
        assert after.unit == ""


async def _send(sender: Any, operation: str, document: Any, known: dict[str, str]) -> str:
    item = Outgoing(
        delivery_id=1,
        operation=operation,
        reference=f"{document.order_key}{'' if operation == 'sales_order' else '#1/shp_1'}",
        idempotency_key="00000000-0000-4000-8000-000000000001",
        document=document,
        known=known,
    )
    (outcome,) = await sender.send(operation, [item])
    assert isinstance(outcome, Delivered), outcome
    return outcome.reference
