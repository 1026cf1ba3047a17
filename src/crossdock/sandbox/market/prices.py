# SPDX-License-Identifier: Apache-2.0
"""Prices as the contract has them: items are checked and set one by one, and what is shown is read in pages."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from crossdock.sandbox.market import fields
from crossdock.sandbox.market.availability import MAX_SEQUENCE, refused, unlisted
from crossdock.sandbox.market.records import Market
from crossdock.sandbox.problems import Problem, problem

MAX_PRICE = Decimal(1_000_000_000)
MAX_DECIMALS = 4
ITEM_FIELDS = frozenset({"sku", "price", "currency", "sequence", "as_of"})
SHOWN = ("price", "currency", "told", "sequence", "as_of", "told_at")


def set_price(market: Market, item: Any) -> dict[str, Any]:
    """Check one item and show its price; the entry of `results`."""
    errors = _check(market, item)
    sku = item.get("sku") if isinstance(item, dict) else None
    if errors:
        return refused(market, "prices", sku, 422, errors)
    if sku not in market.products:
        return unlisted(market, "prices", sku)
    result, sequence = market.tell_price(item)
    return {"sku": sku, "status": 200, "result": result, "sequence": sequence, "errors": []}


def shown_price(market: Market, sku: str) -> dict[str, Any]:
    """What the channel shows a SKU to cost now; all null before it was told."""
    held = market.prices.get(sku, {})
    return {"sku": sku, **{name: held.get(name) for name in SHOWN}}


def _check(market: Market, item: Any) -> list[Problem]:
    if not isinstance(item, dict):
        return [problem("", "wrong_type", "an item is an object")]
    return [
        *fields.unknown(item, ITEM_FIELDS),
        *fields.text(item.get("sku"), "sku", 64),
        *_price(item.get("price")),
        *_currency(market, item.get("currency")),
        *fields.whole(item.get("sequence"), "sequence", MAX_SEQUENCE),
        *fields.moment(item.get("as_of"), "as_of"),
    ]


def _price(value: Any) -> list[Problem]:
    if value is None:
        return [problem("price", "required", "this field is required")]
    if not isinstance(value, str):
        return [problem("price", "wrong_type", "a price is a decimal string")]
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return [problem("price", "bad_price", "a price is a decimal string such as 19.90")]
    exponent = amount.as_tuple().exponent
    fine = isinstance(exponent, int) and exponent >= -MAX_DECIMALS and 0 <= amount < MAX_PRICE
    return [] if fine else [problem("price", "bad_price", "a price is 0 to 999999999.9999, with at most 4 decimals")]


def _currency(market: Market, value: Any) -> list[Problem]:
    wrong = fields.text(value, "currency", 3)
    if wrong or value == market.catalog.currency:
        return wrong
    return [problem("currency", "wrong_currency", f"this channel sells in {market.catalog.currency}")]
