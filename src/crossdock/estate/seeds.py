# SPDX-License-Identifier: Apache-2.0
"""Seed tables beside the estate: crosswalks, products and customers as CSV with a header, UTF-8."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from crossdock.canonical.master_data import Customer, Product
from crossdock.canonical.money import Money
from crossdock.canonical.quantity import EACH
from crossdock.errors import NeedsConfig

MAX_ROWS = 2_000_000


def read_table(file: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of `file` as text, one at a time. NeedsConfig names the file and line when one cannot be used."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise refusal(file, 1, f"the header has no column {missing[0]!r}", f"columns: {', '.join(columns)}")
            for row in reader:
                if reader.line_num > MAX_ROWS:
                    raise refusal(
                        file, reader.line_num, f"more than {MAX_ROWS} rows", "send master data through a feed"
                    )
                if None in row or None in row.values():
                    raise refusal(
                        file, reader.line_num, "the row has not as many columns as the header", "mend the row"
                    )
                yield row
    except OSError as error:
        raise NeedsConfig(
            f"{file} cannot be read: {error.strerror}", fix="put the file there, or correct its name"
        ) from error
    except UnicodeDecodeError as error:
        raise NeedsConfig(f"{file} is not UTF-8 (byte {error.start})", fix="save it as UTF-8") from error
    except csv.Error as error:
        raise NeedsConfig(f"{file} is no CSV: {error}", fix="mend the quotes") from error


def refusal(file: Path, line: int, what: str, fix: str) -> NeedsConfig:
    """The error about one line of a table."""
    return NeedsConfig(f"{file.name}:{line}: {what}", fix=fix)


def read_products(file: Path) -> Iterator[Product]:
    """Products; columns sku (needed), description, gtin, unit, price, currency, location, stocked (false), pack,
    status.

    `units` ("CS=12 PK=6"), `components` ("SKU-1=2 SKU-2=1") and `substitutes` ("SKU-3 SKU-4") are separated by blanks.
    """
    for line, row in enumerate(read_table(file, ("sku",)), start=2):
        try:
            price = Money(Decimal(row["price"]), row["currency"]) if row.get("price") else None
            fields = {key: row[key] for key in ("sku", "description", "gtin", "location", "status") if row.get(key)}
            stocked = row.get("stocked", "true") != "false"
            product = {**fields, "unit": row.get("unit") or EACH, "stocked": stocked, **_details(row)}
            if row.get("pack"):
                product["pack"] = row["pack"]
            yield msgspec.structs.replace(msgspec.convert(product, Product), price=price)
        except (msgspec.ValidationError, InvalidOperation, KeyError, ValueError) as error:
            raise refusal(file, line, f"no product: {error}", "mend the row; a price needs a currency") from error


def _details(row: dict[str, str]) -> dict[str, object]:
    units = [part.rpartition("=") for part in (row.get("units") or "").split()]
    components = [part.rpartition("=") for part in (row.get("components") or "").split()]
    return {
        "units": [{"unit": unit, "factor": factor} for unit, _, factor in units],
        "components": [{"sku": sku, "quantity": quantity} for sku, _, quantity in components],
        "substitutes": (row.get("substitutes") or "").split(),
    }


def read_customers(file: Path) -> Iterator[Customer]:
    """Customers; columns customer_id (needed), name, email, gln, currency, terms (or payment_terms), price_group,
    status.

    `credit_limit` is in `currency`. `addresses` ("Oak Ave 1|Boise|ID|83702|US; …": street, city, region, postal code,
    country) are where we ship to.
    """
    names = ("customer_id", "name", "email", "gln", "currency", "terms", "price_group", "status")
    for line, row in enumerate(read_table(file, ("customer_id",)), start=2):
        try:
            fields: dict[str, object] = {key: row[key] for key in names if row.get(key)}
            if row.get("payment_terms"):
                fields.setdefault("terms", row["payment_terms"])
            if row.get("credit_limit"):
                fields["credit_limit"] = {"amount": row["credit_limit"], "currency": row["currency"]}
            fields["addresses"] = [_address(one) for one in (row.get("addresses") or "").split(";") if one.strip()]
            yield msgspec.convert(fields, Customer)
        except (msgspec.ValidationError, KeyError, ValueError) as error:
            raise refusal(
                file, line, f"no customer: {error}", "mend the row; a credit limit needs a currency"
            ) from error


_ADDRESS = ("street", "city", "region", "postal_code", "country")


def _address(text: str) -> dict[str, str]:
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != len(_ADDRESS):
        raise ValueError(f"the address {text.strip()!r} is not street|city|region|postal code|country")
    return dict(zip(_ADDRESS, parts, strict=True))
