# SPDX-License-Identifier: Apache-2.0
"""Runs GraphQL requests against the reduced 2026-10 schema, priced and throttled."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute,
    get_operation_ast,
    parse,
    validate,
)

from crossdock.sandbox.catalog import Product
from crossdock.sandbox.shopify.cost import MAX_QUERY_COST, CostBucket, QueryCost
from crossdock.sandbox.shopify.fulfill import FulfillmentCreator
from crossdock.sandbox.shopify.inventory import InventorySetter
from crossdock.sandbox.shopify.orders import variant_id
from crossdock.sandbox.shopify.stock_views import ITEM_FIELDS, LOCATION_FIELDS, VARIANT_FIELDS, View, connection, sought
from crossdock.sandbox.shopify.store import Store
from crossdock.sandbox.shopify.views import ORDER_FIELDS, Views, order_row

SDL = Path(__file__).with_name("schema.graphql")
MAX_CACHED = 512


class GraphQLRequest(msgspec.Struct):
    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None


def load_schema() -> GraphQLSchema:
    return build_schema(SDL.read_text(encoding="utf-8"))


class Executor:
    """Parses once per query text, checks the price, executes."""

    def __init__(
        self, store: Store, views: Views, setter: InventorySetter, creator: FulfillmentCreator, bucket: CostBucket
    ) -> None:
        self.schema = load_schema()
        self.bucket = bucket
        self._store = store
        self._views = views
        self._parsed: dict[str, tuple[DocumentNode, list[GraphQLError]]] = {}
        mutation = self.schema.mutation_type
        if mutation is None:
            raise RuntimeError("the reduced schema has lost its mutations")
        mutation.fields["inventorySetQuantities"].resolve = setter.set_quantities
        mutation.fields["fulfillmentCreate"].resolve = creator.create
        self._root = self._queries()

    async def run(self, request: GraphQLRequest, *, throttle: bool = False) -> dict[str, Any]:
        """Answer as the store does: always HTTP 200, with `data`, `errors` and `extensions.cost`."""
        document, errors = self._parse(request.query)
        if errors:
            return {"errors": [_shown(error) for error in errors]}
        operation = get_operation_ast(document, request.operationName)
        if operation is None:
            return {"errors": [{"message": "An operation name is required", "extensions": {"code": "BAD_REQUEST"}}]}
        return await self._priced(request, document, operation, throttle)

    async def _priced(
        self, request: GraphQLRequest, document: DocumentNode, operation: OperationDefinitionNode, throttle: bool
    ) -> dict[str, Any]:
        variables = request.variables or {}
        cost = QueryCost(self.schema, document, operation, variables)
        requested = cost.requested()
        if requested > MAX_QUERY_COST:
            message = f"Query cost is {requested}, which exceeds the single query max cost limit ({MAX_QUERY_COST})."
            return {
                "errors": [
                    {
                        "message": message,
                        "extensions": {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": MAX_QUERY_COST},
                    }
                ]
            }
        if throttle or not self.bucket.take(requested):
            self._store.books.bump("throttled")
            error = {
                "message": "Throttled",
                "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
            }
            return {"errors": [error], "extensions": {"cost": self.bucket.status(requested, None)}}
        outcome = execute(
            self.schema, document, self._root, variable_values=variables, operation_name=request.operationName
        )
        result: Any = await outcome if inspect.isawaitable(outcome) else outcome
        return self._answer(result, cost, requested)

    def _answer(self, result: ExecutionResult, cost: QueryCost, requested: int) -> dict[str, Any]:
        actual = cost.actual(result.data)
        self.bucket.give_back(max(0, requested - actual))
        answer: dict[str, Any] = {"data": result.data, "extensions": {"cost": self.bucket.status(requested, actual)}}
        if result.errors:
            answer["errors"] = [_shown(error) for error in result.errors]
        return answer

    def _parse(self, query: str) -> tuple[DocumentNode, list[GraphQLError]]:
        held = self._parsed.get(query)
        if held is None:
            try:
                document = parse(query)
                held = document, validate(self.schema, document)
            except GraphQLError as error:
                held = DocumentNode(definitions=()), [error]
            if len(self._parsed) >= MAX_CACHED:
                self._parsed.clear()
            self._parsed[query] = held
        return held

    def _queries(self) -> View:
        store, views = self._store, self._views

        def orders(
            _info: Any,
            *,
            first: int | None = None,
            after: str | None = None,
            query: str | None = None,
            reverse: bool | None = None,
            sortKey: str | None = None,
        ) -> View:
            found = sought(list(store.orders.values()), query, ORDER_FIELDS, order_row)
            if sortKey == "UPDATED_AT":
                found.sort(key=lambda order: order_row(order)["updated_at"])
            return connection(found, views.order, first, after, reverse)

        def variants(
            _info: Any,
            *,
            first: int | None = None,
            after: str | None = None,
            query: str | None = None,
            reverse: bool | None = None,
        ) -> View:
            found = sought(store.catalog.products, query, VARIANT_FIELDS, _product_row)
            return connection(found, views.variant, first, after, reverse)

        def items(
            _info: Any,
            *,
            first: int | None = None,
            after: str | None = None,
            query: str | None = None,
            reverse: bool | None = None,
        ) -> View:
            row = lambda product: {"sku": product.sku, "id": store.item_id(product)}  # noqa: E731
            return connection(
                sought(store.catalog.products, query, ITEM_FIELDS, row), views.item, first, after, reverse
            )

        def locations(
            _info: Any,
            *,
            first: int | None = None,
            after: str | None = None,
            query: str | None = None,
            reverse: bool | None = None,
            **_more: Any,
        ) -> View:
            row = lambda place: {"name": place.name, "id": store.location_id(place)}  # noqa: E731
            return connection(
                sought(store.catalog.locations, query, LOCATION_FIELDS, row), views.location, first, after, reverse
            )

        def by_id(kind: str) -> Any:
            return lambda _info, id=None: self._node(id, kind)

        return {
            "orders": orders,
            "productVariants": variants,
            "inventoryItems": items,
            "locations": locations,
            "order": by_id("Order"),
            "productVariant": by_id("ProductVariant"),
            "inventoryItem": by_id("InventoryItem"),
            "location": by_id("Location"),
            "fulfillmentOrder": by_id("FulfillmentOrder"),
            "inventoryLevel": by_id("InventoryLevel"),
            "shop": lambda _info: views.shop(),
            "node": lambda _info, id: self._node(id, None),
            "nodes": lambda _info, ids: [self._node(entry, None) for entry in ids],
        }

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


def _product_row(product: Product) -> dict[str, Any]:
    return {"sku": product.sku, "id": variant_id(product), "barcode": product.gtin, "title": product.title}


def _shown(error: GraphQLError) -> dict[str, Any]:
    return dict(error.formatted)
