# SPDX-License-Identifier: Apache-2.0
"""Availability as the contract has it: items are checked and set one by one, and what is shown is read in pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossdock.sandbox.market import fields
from crossdock.sandbox.market.records import Market
from crossdock.sandbox.problems import Problem, problem

MAX_ITEMS = 500
MAX_AVAILABLE = 1_000_000_000
MAX_SEQUENCE = 2**63 - 1
MAX_SKUS = 200
MAX_PAGE = 1_000
Show = Callable[[Market, str], dict[str, Any]]
"""What is shown of a SKU, as a row of an answer."""
ITEM_FIELDS = frozenset({"sku", "available", "sequence", "as_of"})


def set_item(market: Market, item: Any) -> dict[str, Any]:
    """Check one item and show its number; the entry of `results`."""
    errors = _check(item)
    sku = item.get("sku") if isinstance(item, dict) else None
    if errors:
        return refused(market, "availability", sku, 422, errors)
    if sku not in market.products:
        return unlisted(market, "availability", sku)
    result, sequence = market.tell_number(item)
    return {"sku": sku, "status": 200, "result": result, "sequence": sequence, "errors": []}


def shown(market: Market, sku: str) -> dict[str, Any]:
    """What the channel shows of a SKU now."""
    held = market.shown.get(sku)
    if held is None:
        return {"sku": sku, "available": 0, "told": None, "sequence": None, "as_of": None, "told_at": None}
    return {"sku": sku, **{name: held[name] for name in ("available", "told", "sequence", "as_of", "told_at")}}


def shown_of(market: Market, skus: str, show: Show = shown) -> list[dict[str, Any]] | None:
    """What is shown of the SKUs in a comma-separated list, None when they are too many or none."""
    wanted = [entry for entry in skus.split(",") if entry]
    if not 1 <= len(wanted) <= MAX_SKUS:
        return None
    return [show(market, sku) for sku in dict.fromkeys(wanted) if sku in market.products]


def page(market: Market, offset: str, limit: str, show: Show = shown) -> tuple[list[dict[str, Any]], int | None] | None:
    """A page of everything that is shown and where the next begins, None when the bounds are wrong."""
    try:
        start, size = int(offset), int(limit)
    except ValueError:
        return None
    if start < 0 or not 1 <= size <= MAX_PAGE:
        return None
    skus = sorted(market.products)
    end = start + size
    return [show(market, sku) for sku in skus[start:end]], end if end < len(skus) else None


def _check(item: Any) -> list[Problem]:
    if not isinstance(item, dict):
        return [problem("", "wrong_type", "an item is an object")]
    return [
        *fields.unknown(item, ITEM_FIELDS),
        *fields.text(item.get("sku"), "sku", 64),
        *fields.whole(item.get("available"), "available", MAX_AVAILABLE),
        *fields.whole(item.get("sequence"), "sequence", MAX_SEQUENCE),
        *fields.moment(item.get("as_of"), "as_of"),
    ]


def refused(market: Market, what: str, sku: Any, status: int, errors: list[Problem]) -> dict[str, Any]:
    """The entry of `results` for an item of `what` (the name of its call) that is refused."""
    market.books.bump(f"{what}.refused")
    named = sku if isinstance(sku, str) else None
    return {"sku": named, "status": status, "result": "refused", "sequence": None, "errors": errors}


def unlisted(market: Market, what: str, sku: Any) -> dict[str, Any]:
    """The entry of `results` for an item of `what` whose SKU is not the channel's."""
    return refused(market, what, sku, 404, [problem("sku", "unknown_sku", f"{sku} is not listed on this channel")])
