# SPDX-License-Identifier: Apache-2.0
"""What the simulated store holds: products, stock levels, orders with their fulfillment orders, and fulfillments."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crossdock.sandbox.books import Books
from crossdock.sandbox.catalog import Catalog, Location, Product
from crossdock.sandbox.shopify.orders import money, variant_id

ITEM_BASE = 43_729_076_118_237_201
LOCATION_BASE = 24_826_418_118_237_203
SPLIT_BASE = 1_046_000_818


def stamp() -> str:
    """Now, RFC 3339 in UTC."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def gid(kind: str, number: int | str) -> str:
    """A global id."""
    return f"gid://shopify/{kind}/{number}"


class Store:
    """The records of one shop. Stock follows orders as in the real store: an order commits, a fulfillment takes
    away."""

    def __init__(self, books: Books, catalog: Catalog, domain: str, *, commit_stock: bool, split_share: float) -> None:
        self.books = books
        self.catalog = catalog
        self.domain = domain
        self.commit_stock = commit_stock
        self.split_share = split_share
        self.by_item = {self.item_id(product): product for product in catalog.products}
        self.by_variant = {variant_id(product): product for product in catalog.products}
        self.by_sku = catalog.by_sku()
        self.by_location = {self.location_id(place): place for place in catalog.locations}
        self.orders: dict[str, dict[str, Any]] = books.table("orders")
        self.levels: dict[str, dict[str, Any]] = books.table("levels")
        self.prices: dict[str, dict[str, Any]] = books.table("prices")
        self.by_fulfillment_order: dict[int, str] = {}
        self.seed()

    def seed(self) -> None:
        """Zero stock at every location where nothing is known, and the index of fulfillment orders."""
        if not self.levels:
            now = stamp()
            for product in self.catalog.products:
                for place in self.catalog.locations:
                    self.levels[self.level_key(product, place)] = {
                        "available": 0,
                        "committed": 0,
                        "updated_at": now,
                        "sets": 0,
                        "set_to": None,
                    }
        self.by_fulfillment_order = {
            held["id"]: key for key, order in self.orders.items() for held in order["fulfillment_orders"]
        }

    def item_id(self, product: Product) -> int:
        return ITEM_BASE + product.index * 2

    def location_id(self, place: Location) -> int:
        return LOCATION_BASE + self.catalog.locations.index(place) * 2

    @staticmethod
    def level_key(product: Product, place: Location) -> str:
        return f"{product.sku}@{place.code}"

    def find(self, node_id: str, kind: str) -> int | None:
        """The number in a global id of this kind, or None when it is of another form."""
        prefix = f"gid://shopify/{kind}/"
        number = node_id.removeprefix(prefix).split("?")[0]
        return int(number) if node_id.startswith(prefix) and number.isdigit() else None

    def set_available(self, product: Product, place: Location, quantity: int) -> None:
        key = self.level_key(product, place)
        level = {**self.levels[key], "available": quantity, "updated_at": stamp(), "set_to": quantity}
        level["sets"] += 1
        self.books.put("levels", key, level)

    def set_by_hand(self, key: str, quantity: int) -> None:
        """What a clerk does in the admin: the level changes, and no API call did it."""
        self.books.put("levels", key, {**self.levels[key], "available": quantity, "updated_at": stamp()})

    def price(self, product: Product) -> str:
        """What buyers pay for one."""
        held = self.prices.get(product.sku)
        return held["price"] if held is not None else money(product.price_cents)

    def set_price(self, product: Product, price: Decimal) -> None:
        """The price from now on; by hand or by a call."""
        times = self.prices.get(product.sku, {"times": 0})["times"] + 1
        row = {"sku": product.sku, "price": f"{price:.2f}", "updated_at": stamp(), "times": times}
        self.books.put("prices", product.sku, row)
        self.books.bump("prices.set")

    def on_show(self, sku: str) -> int:
        """What buyers see of a SKU: available at all locations together."""
        product = self.by_sku[sku]
        levels = [int(self.levels[self.level_key(product, place)]["available"]) for place in self.catalog.locations]
        return max(0, sum(levels))

    def shift(self, product: Product, place: Location, *, available: int = 0, committed: int = 0) -> None:
        key = self.level_key(product, place)
        level = {**self.levels[key], "updated_at": stamp()}
        level["available"] += available
        level["committed"] += committed
        self.books.put("levels", key, level)

    def place(self, payload: dict[str, Any], broken: str | None) -> dict[str, Any]:
        """File an order the way the store has it. What the webhook of a broken one says is another matter."""
        rng = random.Random(payload["id"])
        lines = [
            {
                "id": line["id"],
                "sku": line["sku"],
                "title": line["title"],
                "quantity": line["quantity"],
                "price": line["price"],
                "variant_id": line["variant_id"],
            }
            for line in payload["line_items"]
        ]
        order = {
            "id": payload["id"],
            "number": payload["order_number"],
            "name": payload["name"],
            "created_at": payload["created_at"],
            "updated_at": payload["updated_at"],
            "cancelled_at": None,
            "cancel_reason": None,
            "broken": broken,
            "email": payload["email"],
            "currency": payload["currency"],
            "total": payload["total_price"],
            "po_number": payload["po_number"],
            "note": payload["note"],
            "taxes_included": payload["taxes_included"],
            "presentment": payload["total_price_set"]["presentment_money"],
            "lines": lines,
            "transactions": self._paid(payload),
            "refunds": [],
            "fulfillments": [],
            "fulfillment_orders": self._split(payload["id"], lines, rng),
        }
        self.keep(order)
        for held in order["fulfillment_orders"]:
            self.by_fulfillment_order[held["id"]] = str(order["id"])
        if self.commit_stock:
            self._move_committed(order, 1)
        return order

    def _paid(self, payload: dict[str, Any]) -> list[dict[str, Any]]:
        """What the buyer paid, all at once."""
        if not float(payload["total_price"]) > 0:
            return []
        return [
            {
                "id": 3_893_000_000_000_000_000 + payload["id"] % 1_000_000_000_000,
                "kind": "SALE",
                "status": "SUCCESS",
                "gateway": "bogus",
                "amount": payload["total_price_set"]["presentment_money"]["amount"],
                "created_at": payload["created_at"],
            }
        ]

    def keep(self, order: dict[str, Any]) -> None:
        self.books.put("orders", str(order["id"]), order)

    def cancel(self, order: dict[str, Any], reason: str) -> None:
        order["cancelled_at"] = order["updated_at"] = stamp()
        order["cancel_reason"] = reason
        if self.commit_stock:
            self._move_committed(order, -1)
        for held in order["fulfillment_orders"]:
            if held["status"] == "OPEN":
                held["status"] = "CANCELLED"
                for line in held["lines"]:
                    line["remaining"] = 0
        self.keep(order)

    def _split(self, order_id: int, lines: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
        places = self.catalog.locations
        home = rng.randrange(len(places))
        split = len(lines) > 1 and len(places) > 1 and rng.random() < self.split_share
        groups: dict[int, list[int]] = {}
        for index in range(len(lines)):
            place = (home + 1) % len(places) if split and index >= len(lines) // 2 else home
            groups.setdefault(place, []).append(index)
        made = []
        for part, (place, indexes) in enumerate(groups.items()):
            ident = order_id + SPLIT_BASE + part * 2
            held = [
                {
                    "id": ident + 10 + index * 2,
                    "line": index,
                    "total": lines[index]["quantity"],
                    "remaining": lines[index]["quantity"],
                }
                for index in indexes
            ]
            made.append({"id": ident, "place": place, "status": "OPEN", "lines": held, "updated_at": stamp()})
        return made

    def _move_committed(self, order: dict[str, Any], sign: int) -> None:
        for held in order["fulfillment_orders"]:
            place = self.catalog.locations[held["place"]]
            for line in held["lines"]:
                product = self.by_sku.get(order["lines"][line["line"]]["sku"])
                if product is not None:
                    self.shift(product, place, available=-sign * line["remaining"], committed=sign * line["remaining"])
