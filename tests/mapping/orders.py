# SPDX-License-Identifier: Apache-2.0
"""A small store order, the mapping that reads it and the one that writes it back, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from crossdock.sdk.words import Mapping, Rule

MONEY = (("money", "$.currency"),)
SKUS = {"A-1": "CD-1", "A-2": "CD-2"}

IN = Mapping(
    name="store.order",
    version=3,
    direction="in",
    source="store order",
    target="sales_order",
    dropped=("landing_site", "line_items.grams"),
    rules=(
        Rule(target="order_key", sources=("~.channel", "id"), via=(("concat", "/"),)),
        Rule(target="number", source="name"),
        Rule(target="channel", source="~.channel"),
        Rule(target="placed_at", source="created_at", via=("datetime",)),
        Rule(target="currency", source="currency"),
        Rule(target="customer.email", source="email"),
        Rule(target="ship_to.street", source="address.street"),
        Rule(target="ship_to.country", source="address.country", via=("country",)),
        Rule(target="total", source="total", via=MONEY),
        Rule(
            target="lines",
            source="line_items",
            each=(
                Rule(target="line", source="id", via=("text",)),
                Rule(target="sku", source="sku", crosswalk="sku"),
                Rule(target="quantity", source="quantity", via=(("quantity", "EA"),)),
                Rule(target="unit_price", source="price", via=MONEY),
                Rule(target="total", source="line_total", via=MONEY),
            ),
        ),
    ),
)

OUT = Mapping(
    name="store.back",
    version=1,
    direction="out",
    source="sales_order",
    target="json",
    rules=(
        Rule(target="id", source="order_key", via=(("split", "/", 1), "integer")),
        Rule(target="name", source="number"),
        Rule(target="created_at", source="placed_at", via=("iso",)),
        Rule(target="currency", source="currency"),
        Rule(target="email", source="customer.email"),
        Rule(target="address.street", source="ship_to.street"),
        Rule(target="address.country", source="ship_to.country"),
        Rule(target="total", source="total.amount"),
        Rule(
            target="line_items",
            source="lines",
            each=(
                Rule(target="id", source="line", via=("integer",)),
                Rule(target="sku", source="sku", crosswalk="sku_back"),
                Rule(target="quantity", source="quantity.value", via=("json_number",)),
                Rule(target="price", source="unit_price.amount"),
                Rule(target="line_total", source="total.amount"),
            ),
        ),
    ),
)

CONTEXT = {"channel": "shop"}


def lookup(table: str, value: str) -> str | None:
    """The crosswalks of the store, both ways."""
    known = SKUS if table == "sku" else {ours: theirs for theirs, ours in SKUS.items()}
    return known.get(value)


def order(**changes: Any) -> dict[str, Any]:
    """An order that translates, with `changes` to its fields."""
    return {
        "id": 77,
        "name": "#1001",
        "created_at": "2026-11-23T09:00:00Z",
        "currency": "USD",
        "email": "ada@example.com",
        "address": {"street": "1 Harbour Way", "country": "US"},
        "total": "37.50",
        "line_items": [line(), line(id=2, sku="A-2", quantity=1, line_total="12.50")],
        **changes,
    }


def line(**changes: Any) -> dict[str, Any]:
    """An order line that translates, with `changes` to its fields."""
    return {"id": 1, "sku": "A-1", "quantity": 2, "price": "12.50", "line_total": "25.00", **changes}
