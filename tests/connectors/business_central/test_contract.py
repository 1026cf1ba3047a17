# SPDX-License-Identifier: Apache-2.0
"""Every field we send is one that may be written in API v2.0, by the entities derived from Microsoft's AL source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connectors.business_central.client import query_of, text
from crossdock.connectors.business_central.shipment import external_reference
from crossdock.connectors.business_central.stored import external_number
from crossdock.sdk.conformance.kit import load_kit

CONTRACT = Path(__file__).parents[4] / "shared" / "contracts" / "business-central" / "bc_api_v2.0_entities.derived.json"
SETS = {
    "business_central.sales_order": "salesOrders",
    "business_central.charge_line": "salesOrderLines",
    "business_central.credit_memo": "salesCreditMemos",
}
GOLDEN = [golden for golden in load_kit("business_central").golden if golden.mapping in SETS]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_fields_can_be_written(golden: Any) -> None:
    if not CONTRACT.is_file():
        pytest.skip(f"the derived entities are not here: {CONTRACT}")
    entities = json.loads(CONTRACT.read_bytes())["entitySets"]
    body = json.loads(golden.expected.read_bytes())
    inserted = {name: body.pop(name) for name in ("salesOrderLines", "salesCreditMemoLines") if name in body}
    for name, records in ((SETS[golden.mapping], [body]), *inserted.items()):
        written = {field["name"] for field in entities[name]["fields"] if not field["readOnly"]}
        assert {field for record in records for field in record} <= written


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        ("shopify-us/1001", "SHOPIFY-US/1001"),
        ("shopify-us/6123456789012345671", "SHOPIFY-US/6123456789012345671"),
        ("portal/ab12", "PORTAL/AB12~RJ2HVDIKODPRN6S3"),
        ("marketplace-north/" + "9" * 18, "MARKETPLACE-NORTH/~QU2ER77WNTA6RBFS"),
    ],
)
def test_reference_as_external_document_number(reference: str, number: str) -> None:
    assert external_number(reference) == number


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_two_references_never_share_a_number(one: str, other: str) -> None:
    numbers = [external_number(f"shop/{identity}") for identity in (one, other)]
    assert all(len(number) <= 35 and number == number.upper().strip() for number in numbers)
    assert (numbers[0] == numbers[1]) == (one == other)
    assert external_number(f"shop/{one}") == numbers[0]


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_two_shipments_never_share_a_reference(one: str, other: str) -> None:
    references = [external_reference(one), external_reference(other)]
    assert all(len(reference) <= 100 for reference in references)
    assert (references[0] == references[1]) == (one == other)


def test_literals_are_closed_and_addresses_encoded() -> None:
    assert text("O'Hara' or 1 eq 1") == "'O''Hara'' or 1 eq 1'"
    assert query_of(filter="a eq 'x&y#z'", top="2") == "$filter=a%20eq%20%27x%26y%23z%27&$top=2"
