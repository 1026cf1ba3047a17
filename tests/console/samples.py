# SPDX-License-Identifier: Apache-2.0
"""What a filling is made of: interfaces, a routing decision, one order as the store sends it and in canonical form."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

INTERFACES = [
    ("shopify-us.orders", "shopify-us", "in", "sales_order", "web-team", "gold", timedelta(minutes=15)),
    ("warehouse.stock", "warehouse", "in", "stock_movements", "warehouse-team", "silver", timedelta(hours=4)),
    ("warehouse.shipments", "warehouse", "in", "shipment", "warehouse-team", "gold", timedelta(minutes=15)),
    ("northwind-feed.invoices", "northwind-feed", "in", "sales_order", "edi-team", "silver", timedelta(hours=4)),
    ("netsuite.orders", "netsuite", "out", "sales_order", "erp-team", "gold", timedelta(minutes=15)),
    ("shopify-us.stock", "shopify-us", "out", "stock_level", "web-team", "silver", timedelta(hours=4)),
]
BUSY = b'{"title": "Too many concurrent requests", "o:errorCode": "CONCURRENCY_LIMIT_EXCEEDED"}'
DECISION = {
    "entity": "us",
    "erp": "netsuite",
    "locations": {"WH-EAST": ["1"], "WH-WEST": ["2"]},
    "why": [
        "entity us: channel shopify-us belongs to it; ERP netsuite: the ERP of us",
        "location WH-EAST for 1 line(s): it is the product's own location and no rule says otherwise",
        "location WH-WEST for 1 line(s): rule: SKU begins with CD-9",
    ],
    "rules": "estate/7f3a91",
}


def canonical_order(number: int, sku: str = "CD-1001", customer: str = "C-204") -> dict[str, Any]:
    """A sales order in canonical form, worth 184.50 USD."""
    return {
        "order_key": f"shopify-us/{number}",
        "number": f"#{number}",
        "channel": "shopify-us",
        "placed_at": "2026-11-23T08:00:00Z",
        "entity": "us",
        "currency": "USD",
        "customer": {"id": customer, "name": "Harbor & Pine Outfitters"},
        "ship_to": {"street": "18 Wharf Street", "city": "Portland", "region": "ME", "country": "US"},
        "po_number": f"PO-{number}",
        "lines": [
            {
                "line": "1",
                "sku": sku,
                "quantity": {"value": "3", "unit": "EA"},
                "unit_price": {"amount": "41.50", "currency": "USD"},
                "total": {"amount": "124.50", "currency": "USD"},
            },
            {
                "line": "2",
                "sku": "CD-9002",
                "quantity": {"value": "1", "unit": "EA"},
                "unit_price": {"amount": "60.00", "currency": "USD"},
                "total": {"amount": "60.00", "currency": "USD"},
            },
        ],
        "total": {"amount": "184.50", "currency": "USD"},
    }


def webhook(number: int, sku: str = "CD-1001") -> bytes:
    """The same order as the store sends it."""
    return json.dumps(
        {
            "id": number,
            "name": f"#{number}",
            "currency": "USD",
            "total_price": "184.50",
            "po_number": f"PO-{number}",
            "customer": {"id": 204, "email": "purchasing@harborpine.example"},
            "line_items": [
                {"id": 1, "sku": sku, "quantity": 3, "price": "41.50"},
                {"id": 2, "sku": "CD-9002", "quantity": 1, "price": "60.00"},
            ],
        }
    ).encode()
