# SPDX-License-Identifier: Apache-2.0
"""Canonical documents as deliveries hand them over."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crossdock.canonical.fulfillment import FulfillmentLine, Package, Shipment
from crossdock.canonical.money import Money
from crossdock.canonical.party import Address, Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.sdk.sending import Outgoing

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def line(number: int, sku: str, quantity: int = 2, unit: str = "EA", **changed: Any) -> OrderLine:
    """A line at 10.50 a piece, one off."""
    total = Money(Decimal("10.50") * quantity - 1, "USD")
    price, off = Money(Decimal("10.50"), "USD"), Money(Decimal("1.00"), "USD")
    given = {"unit_price": price, "discount": off, "total": total, "description": f"Article {sku}", **changed}
    return OrderLine(line=str(number), sku=sku, quantity=Quantity(Decimal(quantity), unit), **given)


def order(*lines: OrderLine, key: str = "shopify-us/1", known: str = "", **changed: Any) -> Outgoing:
    """An order on its way; `known`: the number it had before."""
    total = sum((one.total.amount for one in lines), Decimal(0))
    given: dict[str, Any] = {
        "customer": Party(name="Ada Byron", email="ada@example.com"),
        "ship_to": Address(
            name="Ada Byron", street="1 Main St", city="Louisville", region="KY", postal_code="40202", country="US"
        ),
        **changed,
    }
    document = SalesOrder(
        order_key=key,
        number="#1",
        channel="shopify-us",
        placed_at=NOW,
        currency="USD",
        lines=lines,
        total=Money(total, "USD"),
        **given,
    )
    return Outgoing(
        delivery_id=1,
        operation="sales_order",
        reference=key,
        idempotency_key="00000000-0000-4000-8000-000000000001",
        document=document,
        known={"business_central/sales_order": known} if known else {},
    )


def shipment(*left: tuple[str, int], unit: str = "EA", name: str = "shp_1", **changed: Any) -> Outgoing:
    """A shipment with a package for each of `left`: SKU and quantity."""
    packages = tuple(
        Package(
            tracking_number=f"1Z{number}",
            lines=(FulfillmentLine(line=str(number), sku=sku, quantity=Quantity(Decimal(quantity), unit)),),
        )
        for number, (sku, quantity) in enumerate(left, start=1)
    )
    document = Shipment(
        shipment_id=name,
        order_key="shopify-us/1",
        fulfillment_reference="shopify-us/1#1",
        location="DC-EAST",
        carrier="UPS",
        shipped_at=NOW,
        packages=packages,
    )
    return Outgoing(
        delivery_id=1,
        operation="item_fulfillment",
        reference=f"shopify-us/1#1/{name}",
        idempotency_key="00000000-0000-4000-8000-000000000002",
        document=document,
        known={},
        **changed,
    )
