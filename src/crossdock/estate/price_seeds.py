# SPDX-License-Identifier: Apache-2.0
"""Seed price lists beside the estate: a CSV table with a row for every price and every quantity break."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from crossdock.canonical.price_list import PriceEntry, PriceList, QuantityBreak
from crossdock.canonical.quantity import EACH
from crossdock.errors import NeedsConfig
from crossdock.estate.seeds import read_table, refusal

_HEAD = ("currency", "name", "customer", "group", "channel", "effective_from", "effective_until", "status", "version")
_TRUTH = {"true": True, "false": False, "": False}
_MIDNIGHT = "T00:00:00Z"
_DATE = len("2026-11-23")


class _Rows:
    """The rows of one list so far: its head, and per SKU and unit the price and the breaks."""

    def __init__(self, head: dict[str, Any], line: int) -> None:
        self.head = head
        self.line = line
        self.prices: dict[tuple[str, str], Decimal] = {}
        self.breaks: dict[tuple[str, str], list[QuantityBreak]] = {}


def read_price_lists(file: Path) -> Iterator[PriceList]:
    """Price lists; columns list, sku, price, currency (needed), unit, from_quantity, name, customer, group, channel,
    taxes_included (true or false), effective_from, effective_until (dates or times, UTC), status, version.

    Rows of a list may stand anywhere and say the same of it. A row with `from_quantity` is a quantity break of the row
    without. NeedsConfig names the file and line when one cannot be used.
    """
    lists: dict[str, _Rows] = {}
    for line, row in enumerate(read_table(file, ("list", "sku", "price", "currency")), start=2):
        head = _head(file, line, row)
        rows = lists.setdefault(row["list"], _Rows(head, line))
        if rows.head != head:
            other = next(name for name in {**head, **rows.head} if head.get(name) != rows.head.get(name))
            what = f"list {row['list']!r} has another {other} than in line {rows.line}"
            raise refusal(file, line, what, "give all rows of a list the same")
        try:
            _take(rows, row)
        except (InvalidOperation, ValueError) as error:
            said = "no number" if isinstance(error, InvalidOperation) else str(error)
            raise refusal(file, line, f"no price: {said}", "mend the row") from error
    for name, rows in lists.items():
        yield _made(file, name, rows)


def _head(file: Path, line: int, row: dict[str, str]) -> dict[str, Any]:
    head: dict[str, Any] = {name: row[name] for name in _HEAD if row.get(name)}
    for name in ("effective_from", "effective_until"):
        if len(head.get(name, "")) == _DATE:
            head[name] += _MIDNIGHT
    said = row.get("taxes_included", "")
    if said.casefold() not in _TRUTH:
        raise refusal(file, line, f"taxes_included is {said!r}", "put true or false, or leave it empty (false)")
    return {**head, "taxes_included": _TRUTH[said.casefold()]}


def _take(rows: _Rows, row: dict[str, str]) -> None:
    key = (row["sku"], row.get("unit") or EACH)
    price = Decimal(row["price"])
    if row.get("from_quantity"):
        begins = QuantityBreak(from_quantity=Decimal(row["from_quantity"]), price=price)
        rows.breaks.setdefault(key, []).append(begins)
    elif key in rows.prices:
        raise ValueError(f"{key[0]} by {key[1]} has two prices in list {row['list']!r}")
    else:
        rows.prices[key] = price


def _made(file: Path, name: str, rows: _Rows) -> PriceList:
    try:
        for key in rows.breaks:
            if key not in rows.prices:
                raise ValueError(f"{key[0]} by {key[1]} has quantity breaks and no row without from_quantity")
        entries = [
            PriceEntry(sku=sku, unit=unit, price=price, breaks=tuple(rows.breaks.get((sku, unit), ())))
            for (sku, unit), price in rows.prices.items()
        ]
        plain = [msgspec.to_builtins(entry) for entry in entries]
        head = {**rows.head, "price_list_id": name, "entries": plain}
        return msgspec.convert(head, PriceList, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise _refused(file, name, rows, str(error)) from error


def _refused(file: Path, name: str, rows: _Rows, reason: str) -> NeedsConfig:
    return refusal(file, rows.line, f"price list {name!r}: {reason}", "mend its rows")
