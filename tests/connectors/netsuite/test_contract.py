# SPDX-License-Identifier: Apache-2.0
"""Every field we send is one that NetSuite's published records have: a misspelt one would be dropped silently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossdock.connectors.netsuite.client import by_external_id, sql_list, sql_text
from crossdock.connectors.netsuite.order import external_id
from crossdock.sdk.conformance.kit import load_kit

CONTRACT = Path(__file__).parents[4] / "shared" / "contracts" / "netsuite" / "record_v1_2026.1.curated.json"
RECORDS = {
    "netsuite.sales_order": "salesOrder",
    "netsuite.charge_line": "salesOrder-itemElement",
    "netsuite.item_fulfillment": "itemFulfillment",
}
GOLDEN = [golden for golden in load_kit("netsuite").golden if golden.mapping in RECORDS]


def _unknown(definitions: dict[str, Any], schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    for reference in [schema.get("$ref"), *(part.get("$ref") for part in schema.get("allOf", []))]:
        if reference:
            schema = definitions[reference.rpartition("/")[2]]
    if isinstance(value, list):
        for inner in value:
            yield from _unknown(definitions, schema.get("items", {}), inner, f"{path}[]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in schema.get("properties", {}):
                yield f"{path}.{name}"
            else:
                yield from _unknown(definitions, schema["properties"][name], inner, f"{path}.{name}")


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_fields_are_in_the_published_record(golden: Any) -> None:
    if not CONTRACT.is_file():
        pytest.skip(f"the published records are not here: {CONTRACT}")
    definitions = json.loads(CONTRACT.read_bytes())["$defs"]
    body = json.loads(golden.expected.read_bytes())
    assert [*_unknown(definitions, definitions[RECORDS[golden.mapping]], body, "")] == []


def test_reference_is_one_path_segment() -> None:
    assert external_id("shopify-us/1001") == "shopify-us-1001"
    assert by_external_id("a b/ü?#%") == "eid:a%20b%2F%C3%BC%3F%23%25"


def test_suiteql_literals_are_closed() -> None:
    assert sql_text("O'Hara'; DROP") == "'O''Hara''; DROP'"
    assert sql_list(["a", "b'c"]) == "('a', 'b''c')"
