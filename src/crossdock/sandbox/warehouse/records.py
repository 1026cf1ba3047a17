# SPDX-License-Identifier: Apache-2.0
"""What the simulated warehouse holds: fulfillment orders, shipments, stock, and the events it tells of them."""

from __future__ import annotations

import time
import uuid
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from crossdock.sandbox.books import Books
from crossdock.sandbox.catalog import Catalog
from crossdock.sandbox.emitting import Emitter, Event

MAX_MOVEMENTS = 500
SIGNS = {
    "receipt": 1,
    "return": 1,
    "transfer_in": 1,
    "transfer_out": -1,
    "ship": -1,
    "pick": -1,
    "adjustment": 0,
    "count": 0,
}
"""Sign of the quantity by movement type; 0 = either."""


def now_text() -> str:
    """Now, RFC 3339 in UTC."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Warehouse:
    """The records. Stock is changed only together with a movement."""

    def __init__(self, books: Books, catalog: Catalog, emitter: Emitter) -> None:
        self.books = books
        self.catalog = catalog
        self.emitter = emitter
        self.orders: dict[str, dict[str, Any]] = books.table("orders")
        self.by_reference: dict[str, str] = {}
        self.grams = {product.sku: product.grams for product in catalog.products}
        self.waiting: deque[tuple[float, str]] = deque()
        """Open orders with the moment they came (monotonic), oldest first, for auto-ship."""
        self.stock: dict[str, dict[str, str]] = books.table("stock")
        self.seed()

    def seed(self) -> None:
        """Opening stock, where there is none yet, and the index of references."""
        self.by_reference = {order["reference"]: ident for ident, order in self.orders.items()}
        live = [ident for ident, order in self.orders.items() if order["status"] in ("open", "partially_shipped")]
        self.waiting = deque((time.monotonic(), ident) for ident in live)
        if not self.stock:
            stamp = now_text()
            for product in self.catalog.products:
                for place, level in product.stock.items():
                    self.books.put("stock", f"{product.sku}@{place}", {"on_hand": str(level), "updated_at": stamp})

    def take(self, order: dict[str, Any]) -> tuple[int, str]:
        """File a checked order: (201, id) when it is new, (200, id) when it is there, (409, id) when it is another
        one."""
        ident = self.by_reference.get(order["reference"])
        if ident is not None:
            held = self.orders[ident]
            same = held["content"] == order and held["status"] != "cancelled"
            return (200 if same else 409), ident
        ident = f"wfo_{self.books.bump('orders'):08d}"
        stamp = now_text()
        shipped = {str(line["line"]): "0" for line in order["lines"]}
        self.books.put(
            "orders",
            ident,
            {
                "id": ident,
                "reference": order["reference"],
                "status": "open",
                "created_at": stamp,
                "updated_at": stamp,
                "content": order,
                "shipped": shipped,
            },
        )
        self.by_reference[order["reference"]] = ident
        self.waiting.append((time.monotonic(), ident))
        return 201, ident

    def set_status(self, order: dict[str, Any], status: str) -> None:
        order["status"] = status
        order["updated_at"] = now_text()
        self.books.put("orders", order["id"], order)

    def move(self, kind: str, sku: str, location: str, quantity: Decimal, reference: str | None) -> dict[str, Any]:
        """Record a movement (signed quantity in EA) and change the stock, unless it is a pick. Return the movement."""
        stamp = now_text()
        if kind != "pick":
            key = f"{sku}@{location}"
            level = Decimal(self.stock.get(key, {}).get("on_hand", "0")) + quantity
            self.books.put("stock", key, {"on_hand": format(level, "f"), "updated_at": stamp})
        self.books.bump(f"movements.{kind}")
        return {
            "id": f"mov_{self.books.bump('movements'):012d}",
            "type": kind,
            "sku": sku,
            "location": location,
            "quantity": format(quantity, "f"),
            "unit": "EA",
            "occurred_at": stamp,
            "reference": reference,
            "lot": None,
        }

    def find(self, sku: str, location: str, quantity: Decimal) -> None:
        """Change the stock by what a count found (signed), without a movement."""
        key = f"{sku}@{location}"
        level = Decimal(self.stock.get(key, {}).get("on_hand", "0")) + quantity
        self.books.put("stock", key, {"on_hand": format(max(level, Decimal(0)), "f"), "updated_at": now_text()})

    def put_back(self, sku: str, location: str, quantity: Decimal) -> None:
        """Goods of a return are in the building again, without a movement: the return tells of them."""
        key = f"{sku}@{location}"
        level = Decimal(self.stock.get(key, {}).get("on_hand", "0")) + quantity
        self.books.put("stock", key, {"on_hand": format(level, "f"), "updated_at": now_text()})

    def tell_movements(self, movements: list[dict[str, Any]]) -> None:
        for start in range(0, len(movements), MAX_MOVEMENTS):
            self.tell("stock.movements", {"movements": movements[start : start + MAX_MOVEMENTS]}, "movements")

    def tell(self, topic: str, data: dict[str, Any], key: str) -> None:
        event_id = f"msg_{uuid.uuid4().hex}"
        body = msgspec.json.encode({"type": topic, "id": event_id, "occurred_at": now_text(), "data": data})

        def identify(place: int) -> tuple[str, dict[str, str]]:
            return (event_id if place == 0 else f"{event_id}_{place}"), {}

        self.emitter.emit(Event(topic, body, key, identify))


def shown(order: dict[str, Any]) -> dict[str, Any]:
    """A fulfillment order as the contract shows it."""
    content = order["content"]
    lines = [{**line, "quantity_shipped": order["shipped"][str(line["line"])]} for line in content["lines"]]
    return {
        "id": order["id"],
        "reference": order["reference"],
        "order_reference": content["order_reference"],
        "location": content["location"],
        "status": order["status"],
        "requested_service": content["requested_service"],
        "created_at": order["created_at"],
        "updated_at": order["updated_at"],
        "lines": lines,
    }
