# SPDX-License-Identifier: Apache-2.0
"""`fulfillmentCreate`: not idempotent, all or nothing, plain user errors without codes."""

from __future__ import annotations

from typing import Any

from crossdock.sandbox.shopify.store import Store, stamp
from crossdock.sandbox.shopify.views import Views

MAX_LINES = 512


class FulfillmentError(Exception):
    """The message and the field of a user error."""

    def __init__(self, message: str, *field: str) -> None:
        super().__init__(message)
        self.field = ["fulfillment", *field] if field else ["fulfillment"]


class FulfillmentCreator:
    """Makes fulfillments out of what remains of fulfillment orders."""

    def __init__(self, store: Store, views: Views) -> None:
        self._store = store
        self._views = views

    def create(
        self, _root: Any, _info: Any, *, fulfillment: dict[str, Any], message: str | None = None
    ) -> dict[str, Any]:
        try:
            order, taken = self._choose(fulfillment["lineItemsByFulfillmentOrder"])
        except FulfillmentError as error:
            self._store.books.bump("fulfillments.refused")
            return {"fulfillment": None, "userErrors": [{"field": error.field, "message": str(error)}]}
        made = self._make(order, taken, fulfillment.get("trackingInfo") or {})
        return {"fulfillment": self._views.fulfillment(order, made), "userErrors": []}

    def _choose(
        self, wanted: list[dict[str, Any]]
    ) -> tuple[dict[str, Any], list[tuple[dict[str, Any], dict[str, Any], int]]]:
        if not wanted:
            raise FulfillmentError("At least one fulfillment order is required.", "lineItemsByFulfillmentOrder")
        order_key: str | None = None
        chosen: list[dict[str, Any]] = []
        for entry in wanted:
            number = self._store.find(entry["fulfillmentOrderId"], "FulfillmentOrder")
            key = self._store.by_fulfillment_order.get(number or 0)
            if key is None:
                raise FulfillmentError("Fulfillment order does not exist.")
            if order_key not in (None, key):
                raise FulfillmentError("All fulfillment orders must belong to the same order.")
            order_key = key
            chosen.append(next(held for held in self._store.orders[key]["fulfillment_orders"] if held["id"] == number))
        if len({held["place"] for held in chosen}) > 1:
            raise FulfillmentError("All fulfillment orders must be assigned to the same location.")
        taken = [part for entry, held in zip(wanted, chosen, strict=True) for part in self._take(entry, held)]
        if len(taken) > MAX_LINES:
            raise FulfillmentError(f"A fulfillment can't have more than {MAX_LINES} line items.")
        return self._store.orders[order_key or ""], taken

    @staticmethod
    def _take(entry: dict[str, Any], held: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any], int]]:
        if held["status"] not in ("OPEN", "IN_PROGRESS"):
            raise FulfillmentError(
                f"Fulfillment order {held['id']} has an unfulfillable status= {held['status'].lower()}."
            )
        asked = entry.get("fulfillmentOrderLineItems")
        if not asked:
            return [(held, line, line["remaining"]) for line in held["lines"] if line["remaining"]]
        lines = {f"gid://shopify/FulfillmentOrderLineItem/{line['id']}": line for line in held["lines"]}
        used: dict[str, int] = {}
        for item in asked:
            line = lines.get(item["id"])
            if line is None:
                raise FulfillmentError("Fulfillment order line item does not exist.")
            used[item["id"]] = used.get(item["id"], 0) + item["quantity"]
            if item["quantity"] < 1 or used[item["id"]] > line["remaining"]:
                raise FulfillmentError("Invalid fulfillment order line item quantity requested.")
        return [(held, lines[item_id], quantity) for item_id, quantity in used.items()]

    def _make(
        self, order: dict[str, Any], taken: list[tuple[dict[str, Any], dict[str, Any], int]], tracking: dict[str, Any]
    ) -> dict[str, Any]:
        number = self._store.books.bump("fulfillments")
        now = stamp()
        place = taken[0][0]["place"]
        company = tracking.get("company")
        numbers = tracking.get("numbers") or ([tracking["number"]] if tracking.get("number") else [])
        urls = tracking.get("urls") or ([tracking["url"]] if tracking.get("url") else [])
        shown = [
            {"company": company, "number": value, "url": urls[index] if index < len(urls) else None}
            for index, value in enumerate(numbers)
        ]
        made = {
            "id": 255_858_046_118_237_001 + number * 2,
            "name": f"{order['name']}-F{len(order['fulfillments']) + 1}",
            "place": place,
            "created_at": now,
            "tracking": shown,
            "fulfillment_orders": sorted({held["id"] for held, _, _ in taken}),
            "lines": [{"line": line["line"], "quantity": quantity} for _, line, quantity in taken],
        }
        for held, line, quantity in taken:
            line["remaining"] -= quantity
            held["updated_at"] = now
            if all(entry["remaining"] == 0 for entry in held["lines"]):
                held["status"] = "CLOSED"
            else:
                held["status"] = "IN_PROGRESS"
            product = self._store.by_sku.get(order["lines"][line["line"]]["sku"])
            if product is not None and self._store.commit_stock:
                self._store.shift(product, self._store.catalog.locations[place], committed=-quantity)
        order["fulfillments"].append(made)
        order["updated_at"] = now
        self._store.keep(order)
        return made
