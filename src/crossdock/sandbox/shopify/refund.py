# SPDX-License-Identifier: Apache-2.0
"""`refundCreate`: needs an idempotency key, all or nothing, plain user errors without codes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from graphql import GraphQLResolveInfo

from crossdock.sandbox.shopify.inventory import KEY_LIFETIME, key_of
from crossdock.sandbox.shopify.store import Store, gid, stamp
from crossdock.sandbox.shopify.views import Views, refundable

FIRST_REFUND = 509_562_969_118_237_001
FIRST_TRANSACTION = 389_404_469_118_237_001
PAYING = frozenset({"SALE", "CAPTURE"})


class RefundError(Exception):
    """The message and the field of a user error."""

    def __init__(self, message: str, *field: str) -> None:
        super().__init__(message)
        self.field = ["input", *field]


class RefundCreator:
    """Gives money back, and puts goods back where it is told to."""

    def __init__(self, store: Store, views: Views, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._views = views
        self._clock = clock
        self._keys: dict[str, dict[str, Any]] = store.books.table("refund_keys")

    def create(self, _root: Any, info: GraphQLResolveInfo[Any], *, input: dict[str, Any]) -> dict[str, Any]:
        key = key_of(info)
        print_of = hashlib.sha256(msgspec.json.encode(input, order="sorted")).hexdigest()
        held = self._keys.get(key)
        if held is not None and self._clock() - held["at"] <= KEY_LIFETIME:
            return self._again(held, print_of)
        try:
            order, made = self._make(input)
        except RefundError as error:
            self._store.books.bump("refunds.refused")
            self._keep_key(key, print_of, None)
            return _refused(str(error), *error.field)
        self._keep_key(key, print_of, [order["id"], made["id"]])
        return {"refund": self._views.refund(order, made), "order": self._views.order(order), "userErrors": []}

    def _keep_key(self, key: str, print_of: str, made: list[int] | None) -> None:
        self._store.books.put("refund_keys", key, {"print": print_of, "at": self._clock(), "made": made})

    def _again(self, held: dict[str, Any], print_of: str) -> dict[str, Any]:
        if held["print"] != print_of:
            return _refused("The same idempotency key cannot be used with different operation parameters.", "input")
        if held["made"] is None:
            message = "A previous request with this idempotency key failed. Retry with a new idempotency key."
            return _refused(message, "input")
        self._store.books.bump("refunds.replays")
        order = self._store.orders[str(held["made"][0])]
        made = next(one for one in order["refunds"] if one["id"] == held["made"][1])
        return {"refund": self._views.refund(order, made), "order": self._views.order(order), "userErrors": []}

    def _make(self, wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        order = self._store.orders.get(str(self._store.find(wanted["orderId"], "Order") or 0))
        if order is None:
            raise RefundError("Order does not exist", "orderId")
        lines = [
            self._line(order, entry, str(place)) for place, entry in enumerate(wanted.get("refundLineItems") or [])
        ]
        if len({line["line"] for line, _ in lines}) < len(lines):
            raise RefundError("Refund line items must be unique", "refundLineItems")
        given = wanted.get("transactions") or []
        over = wanted.get("allowOverRefunding", False)
        transactions = [self._transaction(order, entry, str(place), over) for place, entry in enumerate(given)]
        if not lines and not transactions:
            raise RefundError("Refund must have at least one line item or transaction")
        made = {
            "id": FIRST_REFUND + self._store.books.bump("refunds") * 2,
            "note": wanted.get("note"),
            "created_at": stamp(),
            "lines": [line for line, _ in lines],
            "total": format(sum((Decimal(one["amount"]) for one in transactions), Decimal(0)), "f"),
        }
        for one in transactions:
            one["id"] = FIRST_TRANSACTION + self._store.books.bump("transactions") * 2
        order["refunds"] = [*order.get("refunds", []), made]
        order["transactions"] = [*order.get("transactions", []), *transactions]
        order["updated_at"] = made["created_at"]
        for line, place in lines:
            product = self._store.by_sku.get(order["lines"][line["line"]]["sku"])
            if place is not None and product is not None:
                self._store.shift(product, place, available=line["quantity"])
        self._store.keep(order)
        return order, made

    def _line(self, order: dict[str, Any], entry: dict[str, Any], place: str) -> tuple[dict[str, Any], Any]:
        """The line with where its goods go back on the shelf (None: nowhere)."""
        where = ("refundLineItems", place)
        number = self._store.find(entry["lineItemId"], "LineItem")
        index = next((index for index, line in enumerate(order["lines"]) if line["id"] == number), None)
        if index is None:
            raise RefundError("Line item does not exist", *where, "lineItemId")
        back = sum(
            line["quantity"] for made in order.get("refunds", []) for line in made["lines"] if line["line"] == index
        )
        quantity = entry["quantity"]
        if quantity < 1 or quantity > order["lines"][index]["quantity"] - back:
            raise RefundError("Quantity cannot refund more items than were purchased", *where, "quantity")
        kind = entry.get("restockType") or "NO_RESTOCK"
        location = None
        if kind == "LEGACY_RESTOCK":
            raise RefundError("Restock type is not accepted", *where, "restockType")
        if kind != "NO_RESTOCK":
            location = self._store.by_location.get(self._store.find(entry.get("locationId") or "", "Location") or 0)
            if location is None:
                raise RefundError("Location must be given to restock", *where, "locationId")
            shipped = sum(
                line["quantity"] for made in order["fulfillments"] for line in made["lines"] if line["line"] == index
            )
            if kind == "RETURN" and quantity > shipped - back:
                raise RefundError("Only fulfilled items can be returned", *where, "restockType")
        elif entry.get("locationId"):
            raise RefundError("Location must be empty when nothing is restocked", *where, "locationId")
        return {"line": index, "quantity": quantity, "restock": kind}, location

    def _transaction(self, order: dict[str, Any], entry: dict[str, Any], place: str, over: bool) -> dict[str, Any]:
        where = ("transactions", place)
        if entry["kind"] != "REFUND":
            raise RefundError("Transaction kind must be refund", *where, "kind")
        parent = next(
            (
                one
                for one in order.get("transactions", [])
                if gid("OrderTransaction", one["id"]) == entry.get("parentId") and one["kind"] in PAYING
            ),
            None,
        )
        if parent is None:
            raise RefundError("Parent transaction does not exist", *where, "parentId")
        if entry["gateway"] != parent["gateway"]:
            raise RefundError("Gateway must be that of the parent transaction", *where, "gateway")
        amount = Decimal(entry["amount"])
        if amount <= 0 or (amount > refundable(order, parent) and not over):
            raise RefundError("Refund amount cannot exceed the amount that is left to refund", *where, "amount")
        return {
            "kind": "REFUND",
            "status": "SUCCESS",
            "gateway": parent["gateway"],
            "amount": format(amount, "f"),
            "parent": parent["id"],
            "created_at": stamp(),
        }


def _refused(message: str, *field: str) -> dict[str, Any]:
    return {"refund": None, "order": None, "userErrors": [{"field": [*field], "message": message}]}
