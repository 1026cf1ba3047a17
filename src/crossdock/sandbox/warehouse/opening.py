# SPDX-License-Identifier: Apache-2.0
"""Opening stock: receipts of every product at every location, told like any other movement."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from crossdock.sandbox.warehouse.records import Warehouse

BATCH = 500


class OpeningRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Receive `quantity` of each of the first `skus` products (all without it) at every location, of those in `scarce`
    the number given there."""

    quantity: int = 100
    skus: int | None = None
    scarce: dict[str, int] = msgspec.field(default_factory=dict)


def receive_opening(warehouse: Warehouse, request: OpeningRequest) -> dict[str, int]:
    """Receive the opening stock; return how many movements that took."""
    catalog = warehouse.catalog
    made = [
        warehouse.move("receipt", product.sku, place.code, Decimal(quantity), "OPENING")
        for product in catalog.products[: request.skus]
        for quantity in [request.scarce.get(product.sku, request.quantity)]
        for place in catalog.locations
        if quantity > 0
    ]
    for start in range(0, len(made), BATCH):
        warehouse.tell_movements(made[start : start + BATCH])
    return {"movements": len(made)}
