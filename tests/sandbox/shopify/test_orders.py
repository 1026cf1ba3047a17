# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.sandbox.catalog import CatalogConfig, make_catalog
from crossdock.sandbox.shopify.breaking import BREAKERS
from crossdock.sandbox.shopify.orders import make_order

CATALOG = make_catalog(CatalogConfig())
SAMPLE = Path(__file__).parents[4] / "shared/contracts/shopify/webhooks/samples/orders/create.json"
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def make(seed: int, number: int = 1, lines: int | None = None) -> dict[str, Any]:
    return make_order(random.Random(seed), CATALOG, number=number, lines=lines, at=AT)


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_the_totals_of_every_order_add_up(seed: int, number: int) -> None:
    order = make(seed, number)
    lines = sum(Decimal(line["price"]) * line["quantity"] for line in order["line_items"])
    discounts = sum(
        (Decimal(entry["amount"]) for line in order["line_items"] for entry in line["discount_allocations"]), Decimal(0)
    )
    tax = sum((Decimal(entry["price"]) for line in order["line_items"] for entry in line["tax_lines"]), Decimal(0))
    shipping = sum(Decimal(entry["price"]) for entry in order["shipping_lines"])
    assert Decimal(order["total_line_items_price"]) == lines
    assert Decimal(order["total_discounts"]) == discounts
    assert Decimal(order["subtotal_price"]) == lines - discounts
    assert Decimal(order["total_tax"]) == tax
    expected = lines - discounts + shipping + (0 if order["taxes_included"] else tax)
    assert Decimal(order["total_price"]) == expected
    assert order["total_price_set"]["shop_money"] == {"amount": order["total_price"], "currency_code": "USD"}


@given(st.integers(1, 10**7))
def test_ids_are_above_what_a_double_holds(number: int) -> None:
    order = make(1, number)
    for ident in (order["id"], *(line["id"] for line in order["line_items"])):
        assert 2**53 < ident < 2**63
    assert int(float(order["id"])) != order["id"]
    assert order["admin_graphql_api_id"] == f"gid://shopify/Order/{order['id']}"


def test_ids_are_unique() -> None:
    orders = [make(7, number) for number in range(1, 500)]
    lines = [line["id"] for order in orders for line in order["line_items"]]
    assert len({order["id"] for order in orders}) == 499
    assert len(set(lines)) == len(lines)


def test_time_is_in_the_zone_of_the_shop() -> None:
    assert make(1)["created_at"] == "2026-11-23T07:00:00-05:00"


def names(value: Any, prefix: str = "") -> set[str]:
    if isinstance(value, dict):
        return {f"{prefix}{key}" for key in value} | {
            n for key, inner in value.items() for n in names(inner, f"{prefix}{key}.")
        }
    if isinstance(value, list) and value:
        return names(value[0], prefix)
    return set()


@pytest.mark.skipif(not SAMPLE.exists(), reason="../shared/contracts/shopify is not here")
def test_every_field_is_one_of_the_real_webhook() -> None:
    real = names(json.loads(SAMPLE.read_text(encoding="utf-8"))["response"])
    # Lists that the sample leaves empty; names after Shopify's order reference.
    empty = ("discount_codes.", "line_items.tax_lines.", "tax_lines.", "line_items.discount_allocations.")
    own = {name for seed in range(40) for name in names(make(seed)) if not name.startswith(empty)}
    assert own - real == set()


def test_an_order_is_a_few_kilobytes() -> None:
    assert 2_500 < len(msgspec.json.encode(make(1, lines=1))) < 4_500
    assert 3_500 < len(msgspec.json.encode(make(1, lines=2))) < 6_000


def test_unreadable_kinds_cannot_be_read() -> None:
    for kind in ("nan_quantity", "truncated_json"):
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(BREAKERS[kind](make(1)))
    with pytest.raises(UnicodeDecodeError):
        BREAKERS["invalid_utf8"](make(1)).decode()
    assert b'"quantity":NaN' in BREAKERS["nan_quantity"](make(1))


def test_readable_kinds_differ_in_what_they_say() -> None:
    good = make(1)

    def broken(kind: str) -> dict[str, Any]:
        value: dict[str, Any] = msgspec.json.decode(BREAKERS[kind](make(1)))
        return value

    assert broken("unknown_sku")["line_items"][0]["sku"] == "NO-SUCH-1"
    assert broken("negative_total")["total_price"] == "-5.00"
    assert Decimal(broken("totals_dont_add_up")["total_price"]) == Decimal(good["total_price"]) + 10
    assert broken("wrong_currency")["currency"] == "XQQ"
    assert broken("missing_address")["shipping_address"] is None
    assert isinstance(broken("wrong_types")["line_items"], dict)
    assert broken("zero_lines")["line_items"] == []
    assert broken("huge") == good
