# SPDX-License-Identifier: Apache-2.0
"""The translate step: one outcome per document, whatever the document is."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import NeedsEdit
from crossdock.mapping.compile import compile_mapping
from crossdock.mapping.step import ToTranslate, Translated, decode_source, translate
from crossdock.sdk.words import Mapping, Rule
from tests.mapping.orders import CONTEXT, IN, lookup, order

translator = compile_mapping(IN, lookup)


def asked(payload: object, number: int = 1) -> ToTranslate:
    return ToTranslate(document_id=number, translator=translator, payload=payload, context=CONTEXT)


def test_outcomes_keep_the_order_of_the_batch() -> None:
    good = msgspec.json.encode(order())
    first, second, third = translate([asked(good, 1), asked(b"{", 2), asked(order(id=9), 3)])
    assert isinstance(first, Translated)
    assert (first.document_id, first.mapping, first.failures) == (1, "store.order/3", ())
    assert isinstance(first.document, SalesOrder)
    assert isinstance(second, NeedsEdit)
    assert isinstance(third, Translated)
    assert third.document.order_key == "shop/9"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not JSON: Input data was truncated"),
        (b'{"a": }', "the body is not JSON: JSON is malformed: invalid character (byte 6)"),
        (b'{"a": NaN}', "the body is not JSON: JSON is malformed: invalid character (byte 6)"),
        (b"\xff\xfe{}", "the body is not JSON: JSON is malformed: invalid character (byte 0)"),
        (b'{"a": "\xff"}', "the body is not UTF-8 at byte 7"),
        (b'{"a": 1e99999999999999999999}', "the body has a number that is none"),
        (b"[" * 100_000, "the body is nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_says_where(body: bytes, reason: str) -> None:
    (outcome,) = translate([asked(body)])
    assert isinstance(outcome, NeedsEdit)
    assert outcome.reason == reason


def test_numbers_with_a_point_are_decimals_as_written() -> None:
    assert decode_source(b'{"price": 12.10, "id": 5123456789012345678}') == {
        "price": Decimal("12.10"),
        "id": 5123456789012345678,
    }


def test_more_than_a_hundred_bad_elements_are_all_reported() -> None:
    each = (
        Rule(target="movement_id", source="id"),
        Rule(target="kind", const="receipt"),
        Rule(target="sku", source="sku"),
        Rule(target="location", const="E"),
        Rule(target="quantity", const={"value": "1"}),
        Rule(target="occurred_at", const="2026-11-23T09:00:00Z"),
    )
    rules = (Rule(target="source", const="w"), Rule(target="movements", source="all", each=each, isolate=True))
    moves = compile_mapping(
        Mapping(name="m", version=1, direction="in", source="s", target="stock_movements", rules=rules)
    )
    body = {"all": [{"id": str(number)} if number % 2 else {"id": str(number), "sku": "A"} for number in range(600)]}
    (outcome,) = translate([ToTranslate(document_id=1, translator=moves, payload=body)])
    assert isinstance(outcome, Translated)
    assert len(outcome.document.movements) == 300
    assert [failure.field for failure in outcome.failures] == [f"all[{number}].sku" for number in range(1, 600, 2)]


@settings(deadline=None)
@given(body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_give_an_outcome(body: bytes) -> None:
    (outcome,) = translate([asked(body)])
    assert isinstance(outcome, NeedsEdit)
