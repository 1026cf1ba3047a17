# SPDX-License-Identifier: Apache-2.0
"""The root queries: searched and paged lists, and single objects by global id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLError

from crossdock.sandbox.catalog import Location, Product
from crossdock.sandbox.shopify.orders import variant_id
from crossdock.sandbox.shopify.stock_views import (
    ITEM_FIELDS,
    LOCATION_FIELDS,
    VARIANT_FIELDS,
    View,
    connection,
    sought,
)
from crossdock.sandbox.shopify.store import Store
from crossdock.sandbox.shopify.views import ORDER_FIELDS, Views, order_row

Resolver = Callable[..., View | None]


class Queries:
    """Resolvers of the query root over one store."""

    def __init__(self, store: Store, views: Views) -> None:
        self._store = store
        self._views = views

    def fields(self) -> View:
        """The root object: every query field with its resolver."""
        store, views = self._store, self._views
        products: Sequence[Product] = store.catalog.products
        singles = ("Order", "ProductVariant", "InventoryItem", "Location", "FulfillmentOrder", "InventoryLevel")
        return {
            **{name[0].lower() + name[1:]: self._by_id(name) for name in singles},
            "orders": _listing(lambda: list(store.orders.values()), ORDER_FIELDS, order_row, views.order),
            "productVariants": _listing(lambda: products, VARIANT_FIELDS, _variant_row, views.variant),
            "inventoryItems": _listing(lambda: products, ITEM_FIELDS, self._item_row, views.item),
            "locations": _listing(lambda: store.catalog.locations, LOCATION_FIELDS, self._location_row, views.location),
            "shop": lambda _info: views.shop(),
            "node": self._by_id(None),
            "nodes": lambda _info, ids: [self._node(entry, None) for entry in ids],
        }

    def _item_row(self, product: Product) -> dict[str, Any]:
        return {"sku": product.sku, "id": self._store.item_id(product)}

    def _location_row(self, place: Location) -> dict[str, Any]:
        return {"name": place.name, "id": self._store.location_id(place)}

    def _by_id(self, kind: str | None) -> Resolver:
        return lambda _info, id=None: self._node(id, kind)

    def _node(self, node_id: str | None, kind: str | None) -> View | None:
        store, views = self._store, self._views
        if node_id is None:
            return views.location(store.catalog.locations[0])
        named = node_id.removeprefix("gid://shopify/").split("/")[0]
        number = store.find(node_id, kind or named)
        if number is None:
            raise GraphQLError(f"Invalid global id '{node_id}'", extensions={"code": "RESOURCE_NOT_FOUND"})
        match kind or named:
            case "Order":
                order = store.orders.get(str(number))
                return None if order is None else views.order(order)
            case "FulfillmentOrder":
                order = store.orders.get(store.by_fulfillment_order.get(number, ""))
                held = (
                    None
                    if order is None
                    else next(entry for entry in order["fulfillment_orders"] if entry["id"] == number)
                )
                return None if order is None or held is None else views.fulfillment_order(order, held)
            case "ProductVariant":
                product = store.by_variant.get(number)
                return None if product is None else views.variant(product)
            case "InventoryItem":
                product = store.by_item.get(number)
                return None if product is None else views.item(product)
            case "Location":
                place = store.by_location.get(number)
                return None if place is None else views.location(place)
            case "InventoryLevel":
                product = store.by_item.get(int(node_id.partition("inventory_item_id=")[2] or 0))
                place = store.by_location.get(number)
                return None if product is None or place is None else views.level(product, place)
        return None


def _variant_row(product: Product) -> dict[str, Any]:
    return {"sku": product.sku, "id": variant_id(product), "barcode": product.gtin, "title": product.title}


def _listing(
    rows: Callable[[], Sequence[Any]],
    fields: frozenset[str],
    row_of: Callable[[Any], dict[str, Any]],
    show: Callable[[Any], View],
) -> Resolver:
    def resolve(
        _info: Any,
        *,
        first: int | None = None,
        after: str | None = None,
        query: str | None = None,
        reverse: bool | None = None,
        **more: Any,
    ) -> View:
        found = sought(rows(), query, fields, row_of)
        if more.get("sortKey") == "UPDATED_AT":
            found.sort(key=lambda row: row_of(row)["updated_at"])
        return connection(found, show, first, after, reverse)

    return resolve
