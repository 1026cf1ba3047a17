# SPDX-License-Identifier: Apache-2.0
"""The store's products and stock as GraphQL objects: dictionaries whose callables graphql-core resolves when a field
is asked for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLError

from crossdock.sandbox.catalog import Location, Product
from crossdock.sandbox.shopify.orders import product_id, variant_id
from crossdock.sandbox.shopify.search import SearchError, compile_search
from crossdock.sandbox.shopify.store import Store, gid

MAX_PAGE = 250
STATES = ("available", "on_hand", "committed", "incoming", "reserved", "damaged", "safety_stock", "quality_control")
VARIANT_FIELDS = frozenset({"sku", "id", "barcode", "title"})
ITEM_FIELDS = frozenset({"sku", "id"})
LOCATION_FIELDS = frozenset({"name", "id"})

View = dict[str, Any]


def bad_input(message: str) -> GraphQLError:
    """The top-level error for an argument that makes no sense."""
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


def connection(
    rows: Sequence[Any], show: Callable[[Any], View], first: int | None, after: str | None, reverse: bool | None = False
) -> View:
    """A page of `rows` in the shape of a connection. Raises GraphQLError without `first`, above 250, or with a
    foreign cursor."""
    if first is None:
        raise bad_input("you must provide one of first or last")
    if not 0 <= first <= MAX_PAGE:
        raise bad_input(f"first must be between 0 and {MAX_PAGE}")
    ordered = list(reversed(rows)) if reverse else rows
    start = 0
    if after is not None:
        try:
            start = int(base64.b64decode(after, validate=True)) + 1
        except ValueError as error:
            raise bad_input("Invalid cursor for current pagination sort.") from error
    page = ordered[start : start + first]
    nodes = [show(row) for row in page]
    cursors = [base64.b64encode(str(start + place).encode()).decode() for place in range(len(page))]
    return {
        "nodes": nodes,
        "edges": [{"cursor": cursor, "node": node} for cursor, node in zip(cursors, nodes, strict=True)],
        "pageInfo": {
            "hasNextPage": start + first < len(ordered),
            "hasPreviousPage": start > 0,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def sought(
    rows: Sequence[Any], query: str | None, fields: frozenset[str], row_of: Callable[[Any], dict[str, Any]]
) -> list[Any]:
    """The rows that a search query finds. Raises GraphQLError for a query that cannot be read."""
    try:
        test = compile_search(query, fields)
    except SearchError as error:
        raise bad_input(str(error)) from error
    return list(rows) if not query else [row for row in rows if test(row_of(row))]


class StockViews:
    """Builds the objects. `started` stands for the update time of master data."""

    def __init__(self, store: Store, shop_name: str, started: str) -> None:
        self._store = store
        self._shop_name = shop_name
        self._started = started

    def shop(self) -> View:
        return {
            "__typename": "Shop",
            "id": gid("Shop", 548_380_009_118_237_207),
            "name": self._shop_name,
            "myshopifyDomain": self._store.domain,
            "currencyCode": self._store.catalog.currency,
            "ianaTimezone": "America/New_York",
        }

    def location(self, place: Location) -> View:
        number = self._store.location_id(place)
        return {
            "__typename": "Location",
            "id": gid("Location", number),
            "legacyResourceId": str(number),
            "name": place.name,
            "isActive": True,
            "fulfillsOnlineOrders": True,
            "shipsInventory": True,
        }

    def variant(self, product: Product) -> View:
        number = variant_id(product)
        parent = product_id(product)
        return {
            "__typename": "ProductVariant",
            "id": gid("ProductVariant", number),
            "legacyResourceId": str(number),
            "sku": product.sku,
            "barcode": product.gtin,
            "title": "Default Title",
            "displayName": f"{product.title} - Default Title",
            "price": self._store.price(product),
            "updatedAt": self._store.prices.get(product.sku, {"updated_at": self._started})["updated_at"],
            "product": {
                "__typename": "Product",
                "id": gid("Product", parent),
                "legacyResourceId": str(parent),
                "title": product.title,
            },
            "inventoryItem": lambda _info: self.item(product),
            "inventoryQuantity": lambda _info: sum(
                self._store.levels[self._store.level_key(product, place)]["available"]
                for place in self._store.catalog.locations
            ),
        }

    def item(self, product: Product) -> View:
        number = self._store.item_id(product)

        def level(_info: Any, *, locationId: str, includeInactive: bool = False) -> View | None:
            place = self._store.by_location.get(self._store.find(locationId, "Location") or 0)
            return None if place is None else self.level(product, place)

        def levels(
            _info: Any, *, first: int | None = None, after: str | None = None, reverse: bool = False, **_more: Any
        ) -> View:
            return connection(
                self._store.catalog.locations, lambda place: self.level(product, place), first, after, reverse
            )

        return {
            "__typename": "InventoryItem",
            "id": gid("InventoryItem", number),
            "legacyResourceId": str(number),
            "sku": product.sku,
            "tracked": True,
            "requiresShipping": True,
            "updatedAt": self._started,
            "variant": lambda _info: self.variant(product),
            "inventoryLevel": level,
            "inventoryLevels": levels,
        }

    def level(self, product: Product, place: Location) -> View:
        ident = f"{self._store.location_id(place)}?inventory_item_id={self._store.item_id(product)}"

        def quantities(_info: Any, *, names: list[str]) -> list[View]:
            level = self._store.levels[self._store.level_key(product, place)]
            unknown = [name for name in names if name not in STATES]
            if unknown:
                raise bad_input(f"{unknown[0]} is not a quantity name")
            held = {
                "available": level["available"],
                "committed": level["committed"],
                "on_hand": level["available"] + level["committed"],
            }
            return [
                {
                    "__typename": "InventoryQuantity",
                    "id": gid("InventoryQuantity", f"{ident}&name={name}"),
                    "name": name,
                    "quantity": held.get(name, 0),
                    "updatedAt": level["updated_at"],
                }
                for name in names
            ]

        return {
            "__typename": "InventoryLevel",
            "id": gid("InventoryLevel", ident),
            "isActive": True,
            "quantities": quantities,
            "item": lambda _info: self.item(product),
            "location": lambda _info: self.location(place),
            "updatedAt": lambda _info: self._store.levels[self._store.level_key(product, place)]["updated_at"],
        }

    def adjustment(self, group: dict[str, Any]) -> View:
        """The group of a set; on a replay it is built again, so `quantityAfterChange` tells of now."""

        def changes(
            _info: Any,
            *,
            inventoryItemIds: list[str] | None = None,
            locationIds: list[str] | None = None,
            quantityNames: list[str] | None = None,
        ) -> list[View]:
            shown = [
                self._change(entry)
                for entry in group["changes"]
                if quantityNames is None or entry["name"] in quantityNames
            ]
            return [
                entry
                for entry in shown
                if (inventoryItemIds is None or entry["item"]["id"] in inventoryItemIds)
                and (locationIds is None or entry["location"]["id"] in locationIds)
            ]

        return {"__typename": "InventoryAdjustmentGroup", **group, "changes": changes}

    def _change(self, entry: dict[str, Any]) -> View:
        product = self._store.by_sku[entry["sku"]]
        place = next(held for held in self._store.catalog.locations if held.code == entry["place"])
        level = self._store.levels[self._store.level_key(product, place)]
        after = level["available"] + (level["committed"] if entry["name"] == "on_hand" else 0)
        return {
            "name": entry["name"],
            "delta": entry["delta"],
            "quantityAfterChange": after,
            "item": self.item(product),
            "location": self.location(place),
        }
