# SPDX-License-Identifier: Apache-2.0
"""What the simulated market holds: what each SKU shows, orders, what it sold, and the events it tells of orders."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from crossdock.sandbox.books import Books
from crossdock.sandbox.catalog import Catalog
from crossdock.sandbox.emitting import Emitter, Event

TELLINGS_KEPT = 100
"""So many of the newest tellings of each SKU are remembered."""

Wanted = Sequence[tuple[str, int]]
"""What a buyer wants: (SKU, units), each SKU once."""


def now_text() -> str:
    """Now, RFC 3339 in UTC."""
    return in_utc(datetime.now(UTC))


def in_utc(at: datetime) -> str:
    """An aware moment as RFC 3339 in UTC."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Market:
    """The records. A number shown is changed only by a telling or a sale."""

    def __init__(self, books: Books, catalog: Catalog, emitter: Emitter) -> None:
        self.books = books
        self.catalog = catalog
        self.emitter = emitter
        self.products = catalog.by_sku()
        self.shown: dict[str, dict[str, Any]] = books.table("shown")
        self.prices: dict[str, dict[str, Any]] = books.table("prices")
        self.orders: dict[str, dict[str, Any]] = books.table("orders")

    def tell_number(self, item: dict[str, Any]) -> tuple[str, int]:
        """Show a checked item's number: ("set" or "stale", the sequence that is there now)."""
        sku, sequence = item["sku"], item["sequence"]
        held = self.shown.get(sku)
        if held is not None and held["sequence"] >= sequence:
            self.books.bump("availability.stale")
            return "stale", held["sequence"]
        times = held["times"] + 1 if held is not None else 1
        told = {
            "told": item["available"],
            "sequence": sequence,
            "as_of": item["as_of"],
            "told_at": now_text(),
        }
        self.books.put("shown", sku, {"available": item["available"], **told, "times": times})
        self.books.put("tellings", f"{sku}#{times % TELLINGS_KEPT}", told)
        self.books.bump("availability.set")
        return "set", sequence

    def tell_price(self, item: dict[str, Any]) -> tuple[str, int]:
        """Show a checked item's price: ("set" or "stale", the sequence that is there now)."""
        sku, sequence = item["sku"], item["sequence"]
        held = self.prices.get(sku)
        if held is not None and held["sequence"] is not None and held["sequence"] >= sequence:
            self.books.bump("prices.stale")
            return "stale", held["sequence"]
        told = {"told": item["price"], "sequence": sequence, "as_of": item["as_of"], "told_at": now_text()}
        times = held["times"] + 1 if held is not None else 1
        self.books.put("prices", sku, {"price": item["price"], "currency": item["currency"], **told, "times": times})
        self.books.bump("prices.set")
        return "set", sequence

    def misprice(self, sku: str, price: str) -> None:
        """Show another price than was told, as a clerk of the market may: nothing else changes."""
        nothing = {"told": None, "sequence": None, "as_of": None, "told_at": None, "times": 0}
        held = self.prices.get(sku, {"currency": self.catalog.currency, **nothing})
        self.books.put("prices", sku, {**held, "price": price})

    def available(self, sku: str) -> int:
        """What buyers see of a SKU now."""
        held = self.shown.get(sku)
        return held["available"] if held is not None else 0

    def misshow(self, sku: str, available: int) -> None:
        """Show another number than was told and sold: a fault."""
        self.books.put("shown", sku, {**self.shown[sku], "available": available})

    def tellings(self, sku: str) -> list[dict[str, Any]]:
        """The newest tellings of a SKU, oldest first."""
        rows = self.books.table("tellings")
        found = [rows[key] for place in range(TELLINGS_KEPT) if (key := f"{sku}#{place}") in rows]
        return sorted(found, key=lambda row: row["sequence"])

    def count_sale(self, wanted: Wanted, table: str) -> None:
        """Add the units of a cart to `table` (sold, refused or cancelled, by SKU)."""
        rows = self.books.table(table)
        for sku, units in wanted:
            self.books.put(table, sku, rows.get(sku, 0) + units)

    def place(self, order: dict[str, Any], wanted: Wanted) -> None:
        """File an order, lower what is shown by what it takes, and tell of it."""
        self.books.put("orders", order["id"], order)
        for sku, units in wanted:
            held = self.shown.get(sku)
            if held is not None:
                self.books.put("shown", sku, {**held, "available": max(0, held["available"] - units)})
        self.count_sale(wanted, "sold")
        self.tell("order.placed", order)

    def cancel(self, ident: str) -> dict[str, Any]:
        """Cancel a whole order and tell of it; what is cancelled stays so. KeyError when there is none of this id.

        What is shown stays as it is: the units are for sale again when the market is told so.
        """
        order = self.orders[ident]
        if order["status"] == "cancelled":
            return order
        changed = max(datetime.now(UTC), datetime.fromisoformat(order["updated_at"]) + timedelta(milliseconds=1))
        order = {**order, "status": "cancelled", "updated_at": in_utc(changed)}
        self.books.put("orders", ident, order)
        self.books.bump("orders.cancelled")
        self.count_sale([(line["sku"], int(line["quantity"])) for line in order["lines"]], "cancelled")
        self.tell("order.cancelled", order)
        return order

    def tell(self, topic: str, order: dict[str, Any]) -> None:
        event_id = f"msg_{uuid.uuid4().hex}"
        body = msgspec.json.encode(
            {"type": topic, "id": event_id, "occurred_at": order["updated_at"], "data": {"order": order}}
        )

        def identify(place: int) -> tuple[str, dict[str, str]]:
            return (event_id if place == 0 else f"{event_id}_{place}"), {}

        self.emitter.emit(Event(topic, body, order["id"], identify))
