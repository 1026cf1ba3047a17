# SPDX-License-Identifier: Apache-2.0
"""Every query is valid against the published schema of the API version it is written for."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_client_schema, parse, validate
from msgspec.structs import replace

from crossdock.connectors.shopify.client import API_VERSION, OPERATIONS
from crossdock.connectors.shopify.mapping import ORDER
from crossdock.mapping.coverage import unused_fields
from crossdock.sdk.connector import load_connector

CONTRACTS = Path(__file__).parents[4] / "shared" / "contracts" / "shopify"
SCHEMA = CONTRACTS / f"admin_{API_VERSION}.json.gz"
SAMPLES = CONTRACTS / "webhooks" / "samples" / "orders"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    if not SCHEMA.is_file():
        pytest.skip(f"the published schema is not here: {SCHEMA}")
    with gzip.open(SCHEMA) as file:
        content = json.load(file)
    # assume_valid: graphql-core finds deprecated interface fields in Shopify's own schema.
    return build_client_schema(content.get("data", content), assume_valid=True)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_query_is_valid(schema: GraphQLSchema, name: str) -> None:
    assert [error.message for error in validate(schema, parse(OPERATIONS[name]))] == []


def test_inventory_mutation_keeps_the_rules_no_schema_shows() -> None:
    assert "@idempotent(key: $key)" in OPERATIONS["SetQuantities"]
    assert load_connector("shopify").manifest.api_version == API_VERSION


@pytest.mark.parametrize("topic", ["create", "updated", "cancelled", "paid"])
def test_published_sample_is_used_or_dropped_field_by_field(topic: str) -> None:
    path = SAMPLES / f"{topic}.json"
    if not path.is_file():
        pytest.skip(f"the published sample is not here: {path}")
    sample = json.loads(path.read_bytes())["response"]
    # `lines` goes through a converter, which counts as reading whole lines: without it every field has to be named.
    rules = tuple(
        replace(rule, source="line_items", sources=(), via=()) if rule.target == "lines" else rule
        for rule in ORDER.rules
    )
    assert unused_fields(replace(ORDER, rules=rules), [sample]) == []
