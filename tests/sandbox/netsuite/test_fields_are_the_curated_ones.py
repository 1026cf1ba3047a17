# SPDX-License-Identifier: Apache-2.0
"""The field tables must equal the curated contract, where that is present."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossdock.sandbox.netsuite.fields import RECORDS, SUBLISTS

CURATED = Path(__file__).parents[4] / "shared/contracts/netsuite/record_v1_2026.1.curated.json"
pytestmark = pytest.mark.skipif(not CURATED.exists(), reason="../shared/contracts/netsuite is not here")


def kind_of(schema: dict[str, Any]) -> str:
    if "x-target" in schema:
        return "reference"
    if schema.get("$ref") == "#/$defs/address":
        return "address"
    if schema.get("$ref") == "#/$defs/inventoryDetail" or schema["type"] == "array":
        return "any"
    if schema["type"] == "object":
        return "enumeration" if "refName" in schema["properties"] else "any"
    return str(schema.get("format", schema["type"]))


@pytest.mark.parametrize(
    ("table", "name"),
    [
        (RECORDS["salesOrder"], "salesOrder"),
        (SUBLISTS["salesOrder"]["item"], "salesOrder-itemElement"),
        (RECORDS["itemFulfillment"], "itemFulfillment"),
        (SUBLISTS["itemFulfillment"]["item"], "itemFulfillment-itemElement"),
        (SUBLISTS["itemFulfillment"]["package"], "itemFulfillment-packageElement"),
    ],
)
def test_names_and_types(table: dict[str, str], name: str) -> None:
    properties = json.loads(CURATED.read_text(encoding="utf-8"))["$defs"][name]["properties"]
    sublists = {"item", "package"} if name in RECORDS else set()
    assert table == {field: kind_of(schema) for field, schema in properties.items() if field not in sublists}
