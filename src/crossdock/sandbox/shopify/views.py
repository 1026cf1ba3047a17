# SPDX-License-Identifier: Apache-2.0
"""The store's orders, fulfillment orders and fulfillments as GraphQL objects."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from crossdock.sandbox.shopify.stock_views import StockViews, View, connection
from crossdock.sandbox.shopify.store import gid

ORDER_FIELDS = frozenset({"created_at", "updated_at", "processed_at", "name", "id", "fulfillment_status", "test"})


class Views(StockViews):
    """All objects of the store."""

    def line_item(self, order: dict[str, Any], index: int) -> View:
        line = order["lines"][index]
        product = self._store.by_variant.get(line["variant_id"] or 0)
        remaining = sum(
            held["remaining"]
            for entry in order["fulfillment_orders"]
            for held in entry["lines"]
            if held["line"] == index
        )
        return {
            "__typename": "LineItem",
            "id": gid("LineItem", line["id"]),
            "sku": line["sku"],
            "title": line["title"],
            "name": line["title"],
            "quantity": line["quantity"],
            "currentQuantity": line["quantity"],
            "unfulfilledQuantity": remaining,
            "requiresShipping": True,
            "variant": None if product is None else self.variant(product),
        }

    def order(self, order: dict[str, Any]) -> View:
        shop_money = {"amount": order["total"], "currencyCode": order["currency"]}
        shown = {"amount": order["presentment"]["amount"], "currencyCode": order["presentment"]["currency_code"]}

        def fulfillment_orders(
            _info: Any, *, first: int | None = None, after: str | None = None, reverse: bool = False, **_more: Any
        ) -> View:
            return connection(
                order["fulfillment_orders"], lambda held: self.fulfillment_order(order, held), first, after, reverse
            )

        def line_items(
            _info: Any, *, first: int | None = None, after: str | None = None, reverse: bool = False
        ) -> View:
            return connection(
                range(len(order["lines"])), lambda index: self.line_item(order, index), first, after, reverse
            )

        def fulfillments(_info: Any, *, first: int | None = None, query: str | None = None) -> list[View]:
            return [self.fulfillment(order, made) for made in order["fulfillments"][:first]]

        return {
            "__typename": "Order",
            "id": gid("Order", order["id"]),
            "legacyResourceId": str(order["id"]),
            "name": order["name"],
            "number": order["number"],
            "createdAt": order["created_at"],
            "updatedAt": order["updated_at"],
            "processedAt": order["created_at"],
            "cancelledAt": order["cancelled_at"],
            "cancelReason": order["cancel_reason"] and order["cancel_reason"].upper(),
            "closed": False,
            "confirmed": True,
            "currencyCode": order["currency"],
            "displayFinancialStatus": financial_status(order),
            "displayFulfillmentStatus": fulfillment_status(order),
            "email": order["email"],
            "note": order["note"],
            "poNumber": order["po_number"],
            "taxesIncluded": order["taxes_included"],
            "test": False,
            "totalPriceSet": {"shopMoney": shop_money, "presentmentMoney": shown},
            "fulfillmentOrders": fulfillment_orders,
            "lineItems": line_items,
            "fulfillments": fulfillments,
            "transactions": lambda _info, first=None: [
                self.transaction(order, one) for one in order.get("transactions", [])[:first]
            ],
            "refunds": lambda _info, first=None: [
                self.refund(order, made) for made in order.get("refunds", [])[:first]
            ],
        }

    def transaction(self, order: dict[str, Any], one: dict[str, Any]) -> View:
        parent = next((other for other in order["transactions"] if other["id"] == one.get("parent")), None)
        return {
            "__typename": "OrderTransaction",
            "id": gid("OrderTransaction", one["id"]),
            "kind": one["kind"],
            "status": one["status"],
            "gateway": one["gateway"],
            "createdAt": one["created_at"],
            "test": False,
            "amountSet": _bag(order, one["amount"]),
            "parentTransaction": None if parent is None else lambda _info: self.transaction(order, parent),
        }

    def refund(self, order: dict[str, Any], made: dict[str, Any]) -> View:
        return {
            "__typename": "Refund",
            "id": gid("Refund", made["id"]),
            "legacyResourceId": str(made["id"]),
            "note": made["note"],
            "createdAt": made["created_at"],
            "totalRefundedSet": _bag(order, made["total"]),
            "order": lambda _info: self.order(order),
        }

    def fulfillment_order(self, order: dict[str, Any], held: dict[str, Any]) -> View:
        place = self._store.catalog.locations[held["place"]]

        def lines(_info: Any, *, first: int | None = None, after: str | None = None, reverse: bool = False) -> View:
            return connection(held["lines"], lambda line: self._held_line(order, line), first, after, reverse)

        def fulfillments(
            _info: Any, *, first: int | None = None, after: str | None = None, reverse: bool = False
        ) -> View:
            made = [entry for entry in order["fulfillments"] if held["id"] in entry["fulfillment_orders"]]
            return connection(made, lambda entry: self.fulfillment(order, entry), first, after, reverse)

        return {
            "__typename": "FulfillmentOrder",
            "id": gid("FulfillmentOrder", held["id"]),
            "status": held["status"],
            "requestStatus": "UNSUBMITTED",
            "orderId": gid("Order", order["id"]),
            "orderName": order["name"],
            "createdAt": order["created_at"],
            "updatedAt": held["updated_at"],
            "order": lambda _info: self.order(order),
            "assignedLocation": {
                "name": place.name,
                "countryCode": place.country,
                "location": lambda _info: self.location(place),
            },
            "lineItems": lines,
            "fulfillments": fulfillments,
        }

    def _held_line(self, order: dict[str, Any], line: dict[str, Any]) -> View:
        item = order["lines"][line["line"]]
        product = self._store.by_variant.get(item["variant_id"] or 0)
        return {
            "__typename": "FulfillmentOrderLineItem",
            "id": gid("FulfillmentOrderLineItem", line["id"]),
            "sku": item["sku"],
            "productTitle": item["title"],
            "remainingQuantity": line["remaining"],
            "totalQuantity": line["total"],
            "requiresShipping": True,
            "inventoryItemId": None if product is None else gid("InventoryItem", self._store.item_id(product)),
            "variant": None if product is None else self.variant(product),
            "lineItem": lambda _info: self.line_item(order, line["line"]),
        }

    def fulfillment(self, order: dict[str, Any], made: dict[str, Any]) -> View:
        place = self._store.catalog.locations[made["place"]]

        def lines(_info: Any, *, first: int | None = None, after: str | None = None, reverse: bool = False) -> View:
            def show(line: dict[str, Any]) -> View:
                ident = gid("FulfillmentLineItem", made["id"] * 1000 + line["line"])
                return {
                    "__typename": "FulfillmentLineItem",
                    "id": ident,
                    "quantity": line["quantity"],
                    "lineItem": lambda _info: self.line_item(order, line["line"]),
                }

            return connection(made["lines"], show, first, after, reverse)

        def held_orders(
            _info: Any, *, first: int | None = None, after: str | None = None, reverse: bool = False
        ) -> View:
            held = [entry for entry in order["fulfillment_orders"] if entry["id"] in made["fulfillment_orders"]]
            return connection(held, lambda entry: self.fulfillment_order(order, entry), first, after, reverse)

        return {
            "__typename": "Fulfillment",
            "id": gid("Fulfillment", made["id"]),
            "legacyResourceId": str(made["id"]),
            "name": made["name"],
            "status": "SUCCESS",
            "createdAt": made["created_at"],
            "updatedAt": made["created_at"],
            "totalQuantity": sum(line["quantity"] for line in made["lines"]),
            "trackingInfo": lambda _info, first=None: made["tracking"][:first],
            "location": lambda _info: self.location(place),
            "order": lambda _info: self.order(order),
            "fulfillmentLineItems": lines,
            "fulfillmentOrders": held_orders,
        }


def refundable(order: dict[str, Any], paid: dict[str, Any]) -> Decimal:
    """What is left to refund of a payment."""
    back = sum(
        (Decimal(one["amount"]) for one in order.get("transactions", []) if one.get("parent") == paid["id"]), Decimal(0)
    )
    return Decimal(paid["amount"]) - back


def financial_status(order: dict[str, Any]) -> str:
    """The display status of an order's payments: everything is paid when it is placed."""
    if not order.get("refunds"):
        return "PAID"
    left = sum((refundable(order, one) for one in order["transactions"] if one["kind"] == "SALE"), Decimal(0))
    return "PARTIALLY_REFUNDED" if left > 0 else "REFUNDED"


def _bag(order: dict[str, Any], amount: str) -> View:
    money = {"amount": amount, "currencyCode": order["presentment"]["currency_code"]}
    return {"presentmentMoney": money, "shopMoney": {"amount": amount, "currencyCode": order["currency"]}}


def fulfillment_status(order: dict[str, Any]) -> str:
    """The display status of an order, from what remains of its fulfillment orders."""
    open_lines = [line["remaining"] for held in order["fulfillment_orders"] for line in held["lines"]]
    if order["fulfillments"] and not any(open_lines):
        return "FULFILLED"
    return "PARTIALLY_FULFILLED" if order["fulfillments"] else "UNFULFILLED"


def order_row(order: dict[str, Any]) -> dict[str, Any]:
    """The fields that orders are searched by."""
    return {
        "created_at": datetime.fromisoformat(order["created_at"]),
        "processed_at": datetime.fromisoformat(order["created_at"]),
        "updated_at": datetime.fromisoformat(order["updated_at"]),
        "name": order["name"],
        "id": order["id"],
        "test": "false",
        "fulfillment_status": {"FULFILLED": "shipped", "PARTIALLY_FULFILLED": "partial"}.get(
            fulfillment_status(order), "unfulfilled"
        ),
    }
