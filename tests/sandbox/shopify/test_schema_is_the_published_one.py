# SPDX-License-Identifier: Apache-2.0
"""The reduced schema must be a part of the published one: same types, fields, arguments, enum values."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_client_schema,
)

from crossdock.sandbox.shopify.execute import load_schema

PUBLISHED = Path(__file__).parents[4] / "shared/contracts/shopify/admin_2026-10.json.gz"


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    if not PUBLISHED.exists():
        pytest.skip("../shared/contracts/shopify is not here: the published schema may not be redistributed")
    with gzip.open(PUBLISHED) as file:
        data = json.load(file)
    # Shopify's own schema breaks a rule about deprecated interface fields; graphql-core would refuse it.
    return build_client_schema(data.get("data", data), assume_valid=True)


def own_types() -> list[GraphQLNamedType]:
    return [kind for name, kind in load_schema().type_map.items() if not name.startswith("__")]


def members(kind: GraphQLNamedType) -> dict[str, str]:
    """Every field, argument, input field and enum value, with its type."""
    found: dict[str, str] = {}
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in kind.fields.items():
            found[name] = str(field.type)
            found |= {f"{name}({argument})": str(entry.type) for argument, entry in field.args.items()}
    elif isinstance(kind, GraphQLInputObjectType):
        found = {name: str(entry.type) for name, entry in kind.fields.items()}
    elif isinstance(kind, GraphQLEnumType):
        found = dict.fromkeys(kind.values, "value")
    return found


@pytest.mark.parametrize("kind", own_types(), ids=lambda kind: kind.name)
def test_a_type_is_part_of_the_published_type(published: GraphQLSchema, kind: GraphQLNamedType) -> None:
    real = published.get_type(kind.name)
    assert type(real) is type(kind)
    assert real is not None
    theirs = members(real)
    assert {name: theirs.get(name) for name in members(kind)} == members(kind)
    if isinstance(kind, GraphQLObjectType) and isinstance(real, GraphQLObjectType):
        assert {entry.name for entry in kind.interfaces} <= {entry.name for entry in real.interfaces}


def test_required_input_fields_are_all_there(published: GraphQLSchema) -> None:
    for kind in own_types():
        real = published.get_type(kind.name)
        if isinstance(kind, GraphQLInputObjectType) and isinstance(real, GraphQLInputObjectType):
            assert {name for name, entry in real.fields.items() if str(entry.type).endswith("!")} <= set(kind.fields)


def test_the_directive(published: GraphQLSchema) -> None:
    real, own = published.get_directive("idempotent"), load_schema().get_directive("idempotent")
    assert real is not None
    assert own is not None
    assert {name: str(entry.type) for name, entry in own.args.items()} == {"key": "String!"}
    assert {name: str(entry.type) for name, entry in real.args.items()} == {"key": "String!"}
    assert own.locations == real.locations
