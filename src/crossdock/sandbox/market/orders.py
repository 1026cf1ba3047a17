# SPDX-License-Identifier: Apache-2.0
"""Orders as the contract tells of them: pure functions from a random generator to an order whose totals add up."""

from __future__ import annotations

import random
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from crossdock.sandbox.catalog import Catalog, Customer, Product
from crossdock.sandbox.market.records import Wanted, in_utc

TAX_RATE = Decimal("0.06")
STREETS = ("Main St", "Oak Ave", "Harbor Rd", "Mill Lane", "Station Rd")
CITIES = (("Louisville", "KY", "40202"), ("Columbus", "OH", "43004"), ("Boise", "ID", "83702"))


class Naming(msgspec.Struct, frozen=True):
    """What names an order: the market, the order's running number there, and the reservation it was made under."""

    market: str
    number: int
    reservation: str | None = None


def make_order(rng: random.Random, catalog: Catalog, wanted: Wanted, naming: Naming, at: datetime) -> dict[str, Any]:
    """An open order of `wanted`, placed at the aware moment `at`."""
    products = catalog.by_sku()
    customer = rng.choice(catalog.customers)
    lines = [_line(place, products[sku], units) for place, (sku, units) in enumerate(wanted, start=1)]
    goods = sum(products[sku].price_cents * units for sku, units in wanted)
    shipping = rng.choice((0, 495, 995))
    tax = int((goods * TAX_RATE).to_integral_value(ROUND_HALF_UP))
    stamp = in_utc(at)
    return {
        "id": f"ord_{naming.number:08d}",
        "number": f"{naming.market.upper()}-{1000 + naming.number}",
        "status": "open",
        "placed_at": stamp,
        "updated_at": stamp,
        "currency": catalog.currency,
        "customer": {
            "id": customer.code,
            "name": f"{customer.first_name} {customer.last_name}",
            "email": customer.email,
        },
        "ship_to": _address(rng, customer),
        "po_number": f"PO-{rng.randrange(10_000, 99_999)}" if rng.random() < 0.5 else None,
        "reservation": naming.reservation,
        "lines": lines,
        "shipping": money(shipping),
        "tax": money(tax),
        "total": money(goods + shipping + tax),
        "note": "Deliver to gate 2" if rng.random() < 0.1 else None,
    }


def money(cents: int) -> str:
    """Cents as a string with two decimals."""
    return f"{cents // 100}.{cents % 100:02d}"


def _line(place: int, product: Product, units: int) -> dict[str, Any]:
    return {
        "line": place,
        "sku": product.sku,
        "quantity": str(units),
        "unit": "EA",
        "unit_price": money(product.price_cents),
        "total": money(product.price_cents * units),
    }


def _address(rng: random.Random, customer: Customer) -> dict[str, Any]:
    city, region, postal = rng.choice(CITIES)
    return {
        "name": f"{customer.first_name} {customer.last_name}",
        "company": f"{customer.last_name} Supply" if rng.random() < 0.6 else None,
        "address1": f"{rng.randrange(1, 999)} {rng.choice(STREETS)}",
        "address2": None,
        "city": city,
        "region": region,
        "postal_code": postal,
        "country": "US",
        "phone": None,
    }
