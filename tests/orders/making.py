# SPDX-License-Identifier: Apache-2.0
"""Canonical documents and claimed ones, sound unless a test says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crossdock.canonical.money import Money
from crossdock.canonical.objects import encode
from crossdock.canonical.party import Address, Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.journal.claim import Claimed
from crossdock.journal.decided import Translated

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def line(number: int = 1, sku: str = "CD-1", quantity: str = "2", price: str = "10.00", **changes: Any) -> OrderLine:
    """A line whose total is right; `changes` may make it wrong."""
    given: dict[str, Any] = {
        "line": str(number),
        "sku": sku,
        "quantity": Quantity(Decimal(quantity)),
        "unit_price": usd(price),
        "total": Money(Decimal(quantity) * Decimal(price), "USD"),
    }
    return OrderLine(**{**given, **changes})


def order(order_id: str = "1", *lines: OrderLine, **changes: Any) -> SalesOrder:
    """An order of `lines` (one, if none are given) whose total adds up; `changes` may make it wrong."""
    lines = lines or (line(),)
    given: dict[str, Any] = {
        "order_key": f"shop/{order_id}",
        "number": f"#{order_id}",
        "channel": "shop",
        "version": 1,
        "placed_at": NOON,
        "currency": "USD",
        "customer": Party(id="C-1"),
        "ship_to": Address(name="Ada", street="Oak Ave 1", city="Boise", country="US"),
        "lines": lines,
        "total": Money(sum((one.total.amount for one in lines), Decimal(0)), "USD"),
    }
    return SalesOrder(**{**given, **changes})


def claimed(document_id: int = 1, **changes: Any) -> Claimed:
    """A document under our lock, as `claim` would give it."""
    given: dict[str, Any] = {
        "id": document_id,
        "message_id": document_id,
        "parent_id": None,
        "interface": "shop.orders",
        "topic": "orders/create",
        "kind": "",
        "key": f"order/shop/{document_id}",
        "version": 1,
        "digest": 1,
        "step": "translate",
        "items": 1,
        "attempts": 0,
        "received_at": NOON,
        "note": "",
        "overtakes": True,
        "body": b"{}",
        "stage": "source",
        "number": 0,
        "made_by": "",
        "same_bytes": False,
    }
    return Claimed(**{name: value for name, value in {**given, **changes}.items() if name in Claimed.__struct_fields__})


def translated(document: Any, kind: str = "sales_order", document_id: int = 1, **changes: Any) -> Translated:
    """A claimed document in canonical form."""
    return Translated(
        claimed=claimed(document_id, **changes), kind=kind, document=document, body=encode(document), made_by="test/1"
    )


def catalog(*skus: str, customers: tuple[str, ...] = ("C-1",)) -> Catalog:
    """A catalog in memory of `skus`, kept in EA, without locations of their own."""
    made = Catalog()
    made.products = {sku: ProductFacts("EA", "", True, True) for sku in skus or ("CD-1", "CD-2")}
    made.customers = dict.fromkeys(customers, CustomerFacts())
    return made
