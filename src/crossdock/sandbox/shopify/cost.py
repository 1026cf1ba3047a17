# SPDX-License-Identifier: Apache-2.0
"""Throttling by calculated query cost: points per store in a leaky bucket.

Rules: scalar 0, object 1, mutation 10, connection by its page size (two points and the nodes' costs for each asked
for); a single query at most 1,000 points. What was asked for but not returned is given back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from graphql.type import GraphQLInterfaceType, is_list_type
from graphql.type.definition import get_nullable_type

MAX_QUERY_COST = 1_000
MUTATION_COST = 10
FREE_FIELDS = frozenset({"userErrors", "pageInfo"})
WRAPPERS = frozenset({"nodes", "edges", "node"})


class CostBucket:
    """The store's points. `restore` points come back each second, up to `size`."""

    def __init__(self, size: float, restore: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.size = size
        self.restore = restore
        self._clock = clock
        self._level = size
        self._seen = clock()

    @property
    def available(self) -> float:
        now = self._clock()
        self._level = min(self.size, self._level + (now - self._seen) * self.restore)
        self._seen = now
        return self._level

    def take(self, points: float) -> bool:
        """Take the points, or leave them all and return False."""
        if self.available < points:
            return False
        self._level -= points
        return True

    def give_back(self, points: float) -> None:
        self._level = min(self.size, self._level + points)

    def status(self, requested: int, actual: int | None) -> dict[str, Any]:
        """`extensions.cost` of an answer."""
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": {
                "maximumAvailable": self.size,
                "currentlyAvailable": int(self.available),
                "restoreRate": self.restore,
            },
        }


class QueryCost:
    """The cost of one operation, before it runs (from the arguments) and after (from the data)."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
    ):
        self._schema = schema
        self._variables = variables
        self._operation = operation
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }

    def requested(self) -> int:
        root = self._schema.get_root_type(self._operation.operation)
        return self._selections(self._operation.selection_set, root, data=None)

    def actual(self, data: dict[str, Any] | None) -> int:
        root = self._schema.get_root_type(self._operation.operation)
        return self._selections(self._operation.selection_set, root, data=data or {})

    def _selections(self, selections: SelectionSetNode | None, parent: Any, data: Any) -> int:
        if selections is None or not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return 0
        cost = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                cost += self._field(node, parent, data)
                continue
            inner: SelectionSetNode
            if isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                kind, inner = fragment.type_condition.name.value, fragment.selection_set
            else:
                inline: InlineFragmentNode = node  # type: ignore[assignment]  # the only other kind of selection
                kind, inner = (
                    (inline.type_condition.name.value if inline.type_condition else parent.name),
                    inline.selection_set,
                )
            cost += self._selections(inner, self._schema.get_type(kind), data)
        return cost

    def _field(self, node: FieldNode, parent: GraphQLObjectType | GraphQLInterfaceType, data: Any) -> int:
        name = node.name.value
        field = parent.fields.get(name)
        if field is None or name in FREE_FIELDS:
            return 0
        kind = get_named_type(field.type)
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            return 0
        found = None if data is None else data.get(node.alias.value if node.alias else name)
        if parent is self._schema.mutation_type:
            return MUTATION_COST + self._selections(node.selection_set, kind, found if data is not None else None)
        if kind.name.endswith("Connection"):
            return self._connection(node, kind, found, static=data is None)
        own = 0 if kind.name.endswith(("Edge", "Payload")) or name in WRAPPERS else 1
        if data is None:
            times = self._page(node) if is_list_type(get_nullable_type(field.type)) else 1
            return times * (own + self._selections(node.selection_set, kind, None))
        items = found if isinstance(found, list) else [found]
        return sum(own + self._selections(node.selection_set, kind, item) for item in items if item is not None)

    def _connection(self, node: FieldNode, kind: Any, found: Any, *, static: bool) -> int:
        if static:
            return 2 + self._page(node) * (1 + self._selections(node.selection_set, kind, None))
        if found is None:
            return 0
        rows = found.get("nodes") or found.get("edges") or []
        return 2 + len(rows) + self._selections(node.selection_set, kind, found)

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    value = self._variables.get(argument.value.name.value)
                    return value if isinstance(value, int) else 1
        return 1
