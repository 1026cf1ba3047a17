# SPDX-License-Identifier: Apache-2.0
"""Counting in the simulated warehouse: what is there is told as it is, with what was found missing or too many."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from crossdock.sandbox.host import ControlError
from crossdock.sandbox.warehouse.records import Warehouse, now_text

MAX_ENTRIES = 10_000


class CountRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Count at `location` the first `skus` products, or those listed; `complete`: all there are. `found`: by SKU, how
    many are found too many (below zero: missing); no movement tells of these."""

    location: str
    skus: int | list[str] | None = None
    complete: bool = False
    found: dict[str, int] = {}


def count_stock(warehouse: Warehouse, request: CountRequest) -> dict[str, Any]:
    """Count and tell; the count as the event has it. ControlError for an unknown location or SKU."""
    known = [product.sku for product in warehouse.catalog.products]
    listed = request.skus if isinstance(request.skus, list) else known[: request.skus]
    skus = known if request.complete else listed
    unknown = sorted({*skus, *request.found} - set(known))
    if unknown or request.location not in {place.code for place in warehouse.catalog.locations}:
        raise ControlError(f"no such location or SKU: {', '.join([request.location, *unknown][:10])}")
    if len(skus) > MAX_ENTRIES:
        raise ControlError(f"a count has at most {MAX_ENTRIES} entries")
    for sku, quantity in request.found.items():
        warehouse.find(sku, request.location, Decimal(quantity))
    there = {sku: warehouse.stock.get(f"{sku}@{request.location}", {}).get("on_hand", "0") for sku in skus}
    count = {
        "id": f"cnt_{warehouse.books.bump('counts'):08d}",
        "location": request.location,
        "as_of": now_text(),
        "complete": request.complete,
        # A complete count leaves out what is not there, as warehouses do.
        "entries": [
            {"sku": sku, "quantity": quantity, "unit": "EA", "lot": None}
            for sku, quantity in there.items()
            if not request.complete or Decimal(quantity)
        ],
    }
    warehouse.tell("stock.counted", {"count": count}, "movements")
    return count
