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

from crossdock.sandbox.shopify.cost import MAX_QUERY_COST, CostBucket, QueryCost
from crossdock.sandbox.shopify.fulfill import FulfillmentCreator
from crossdock.sandbox.shopify.inventory import InventorySetter
from crossdock.sandbox.shopify.prices import PriceSetter
from crossdock.sandbox.shopify.queries import Queries
from crossdock.sandbox.shopify.refund import RefundCreator
from crossdock.sandbox.shopify.store import Store
from crossdock.sandbox.shopify.views import Views

SDL = Path(__file__).with_name("schema.graphql")
MAX_CACHED = 512


class GraphQLRequest(msgspec.Struct):
    """The body of a GraphQL call."""

    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None


def load_schema() -> GraphQLSchema:
    """The reduced Admin schema 2026-10."""
    return build_schema(SDL.read_text(encoding="utf-8"))


class Executor:
    """Parses once per query text, checks the price, executes."""

    def __init__(
        self,
        store: Store,
        views: Views,
        setter: InventorySetter,
        creator: FulfillmentCreator,
        refunds: RefundCreator,
        bucket: CostBucket,
    ) -> None:
        self.schema = load_schema()
        self.bucket = bucket
        self._store = store
        self._parsed: dict[str, tuple[DocumentNode, list[GraphQLError]]] = {}
        mutation = self.schema.mutation_type
        if mutation is None:
            raise RuntimeError("the reduced schema has lost its mutations")
        mutation.fields["inventorySetQuantities"].resolve = setter.set_quantities
        mutation.fields["fulfillmentCreate"].resolve = creator.create
        mutation.fields["productVariantsBulkUpdate"].resolve = PriceSetter(store, views).update
        mutation.fields["refundCreate"].resolve = refunds.create
        self._root = Queries(store, views).fields()

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


def _shown(error: GraphQLError) -> dict[str, Any]:
    return dict(error.formatted)
