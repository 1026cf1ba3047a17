# SPDX-License-Identifier: Apache-2.0
"""Orders as a Shopify order webhook tells of them: pure functions from a random generator to a payload."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from crossdock.sandbox.catalog import Catalog, Customer, Product

ORDER_BASE = 820_982_911_946_154_509
"""Far above 2**53 and odd: a reader that parses ids as doubles gets another number."""
LINE_BASE = 466_157_049_175_313_921
VARIANT_BASE = 808_950_810_118_237_187
PRODUCT_BASE = 632_910_392_118_237_191
CUSTOMER_BASE = 115_310_627_314_723_957
SHOP_ZONE = timezone(timedelta(hours=-5))
TAX_RATE = Decimal("0.06")
STREETS = ("Main St", "Oak Ave", "Harbor Rd", "Mill Lane", "Station Rd")
CITIES = (
    ("Louisville", "Kentucky", "KY", "40202"),
    ("Columbus", "Ohio", "OH", "43004"),
    ("Boise", "Idaho", "ID", "83702"),
)


def order_id(number: int) -> int:
    """The numeric id of the order with this running number."""
    return ORDER_BASE + number * 1_000_002


def variant_id(product: Product) -> int:
    """The numeric id of the variant of a product."""
    return VARIANT_BASE + product.index * 2


def product_id(product: Product) -> int:
    """The numeric id of a product."""
    return PRODUCT_BASE + product.index * 2


def money(cents: int) -> str:
    """Cents as a string with two decimals."""
    return f"{cents // 100}.{cents % 100:02d}"


class Shelf(NamedTuple):
    """`scarce`: SKU → units on show, no more can be bought. `wanted`: the buyer came for one of them."""

    scarce: Mapping[str, int] = MappingProxyType({})
    wanted: bool = False


def make_order(
    rng: random.Random,
    catalog: Catalog,
    *,
    number: int,
    lines: int | None = None,
    at: datetime,
    shelf: Shelf | None = None,
) -> dict[str, Any]:
    """A paid order whose totals add up, as the body of `orders/create`.

    `number` gives the ids and the name (`#1001` is number 1), `lines` how many line items (1 to 4 by chance), `at` the
    moment it was placed (aware). Money is a string with two decimals; `*_set` hold shop and presentment money. Totals:
    lines - discounts = subtotal, + shipping + tax (inside when `taxes_included`) = total.
    """
    deal, customer = _Deal(rng, catalog.currency), rng.choice(catalog.customers)
    ident = order_id(number)
    shelf = shelf or Shelf()
    picked = _picked(rng, catalog, lines or rng.choice((1, 2, 2, 3, 3, 4)), shelf)
    items = [_line(rng, one, ident, place, deal, shelf.scarce.get(one.sku)) for place, one in enumerate(picked)]
    shipping = rng.choice((0, 495, 995))
    stamp = at.astimezone(SHOP_ZONE).isoformat(timespec="seconds")
    address = _address(rng, customer)
    return {
        "id": ident,
        "admin_graphql_api_id": f"gid://shopify/Order/{ident}",
        "cancel_reason": None,
        "cancelled_at": None,
        "closed_at": None,
        "confirmed": True,
        "created_at": stamp,
        "currency": deal.currency,
        "customer_locale": "en",
        "email": customer.email,
        "financial_status": "paid",
        "fulfillment_status": None,
        "name": f"#{1000 + number}",
        "note": None,
        "number": number,
        "order_number": 1000 + number,
        "payment_gateway_names": ["bogus"],
        "phone": None,
        "po_number": f"PO-{rng.randrange(10_000, 99_999)}" if rng.random() < 0.3 else None,
        "presentment_currency": deal.presentment,
        "processed_at": stamp,
        "source_name": "web",
        "tags": "",
        "tax_exempt": False,
        "taxes_included": deal.taxes_included,
        "test": False,
        "updated_at": stamp,
        **_totals(items, shipping, deal),
        "billing_address": dict(address),
        "customer": _customer(customer, deal.currency),
        "fulfillments": [],
        "line_items": items,
        "refunds": [],
        "shipping_address": address,
        "shipping_lines": [_shipping(ident, shipping, deal)],
    }


class _Deal:
    """The terms that all amounts of one order share."""

    def __init__(self, rng: random.Random, currency: str) -> None:
        self.currency = currency
        self.presentment = rng.choice((currency,) * 9 + ("CAD",))
        self.rate = Decimal("1.36") if self.presentment != currency else Decimal(1)
        self.taxes_included = rng.random() < 0.2
        self.taxable = rng.random() < 0.8
        self.discounted = rng.random() < 0.2

    def bag(self, cents: int) -> dict[str, Any]:
        shown = int((cents * self.rate).to_integral_value(ROUND_HALF_UP))
        return {
            "shop_money": {"amount": money(cents), "currency_code": self.currency},
            "presentment_money": {"amount": money(shown), "currency_code": self.presentment},
        }


def _totals(items: list[dict[str, Any]], shipping: int, deal: _Deal) -> dict[str, Any]:
    """The order's sums; takes the lines' working amounts out of them."""
    gross = sum(item.pop("_gross") for item in items)
    discount = sum(item.pop("_discount") for item in items)
    tax = sum(item.pop("_tax") for item in items)
    subtotal = gross - discount
    total = subtotal + shipping + (0 if deal.taxes_included else tax)
    return {
        "discount_codes": [{"code": "SAVE10", "amount": money(discount), "type": "percentage"}] if discount else [],
        "subtotal_price": money(subtotal),
        "subtotal_price_set": deal.bag(subtotal),
        "tax_lines": [{"price": money(tax), "rate": float(TAX_RATE), "title": "State Tax"}] if tax else [],
        "total_discounts": money(discount),
        "total_discounts_set": deal.bag(discount),
        "total_line_items_price": money(gross),
        "total_price": money(total),
        "total_price_set": deal.bag(total),
        "total_shipping_price_set": deal.bag(shipping),
        "total_tax": money(tax),
        "total_tax_set": deal.bag(tax),
        "total_weight": sum(item["grams"] * item["quantity"] for item in items),
    }


def _picked(rng: random.Random, catalog: Catalog, count: int, shelf: Shelf) -> list[Product]:
    """What is in a cart and can be bought, a scarce product in first place when that is what the buyer came for."""
    scarce = shelf.scarce
    many = count > len(catalog.products)
    picked = rng.choices(catalog.products, k=count) if many else rng.sample(catalog.products, count)
    if not scarce:
        return picked
    products = catalog.by_sku()
    shown = [products[sku] for sku, units in scarce.items() if units > 0]
    if shelf.wanted and shown:
        picked = [rng.choice(shown), *picked[1:]]
    bought = {product.sku: product for product in picked if scarce.get(product.sku, 1) > 0}
    if bought:
        return list(bought.values())
    return [rng.choice([product for product in catalog.products if product.sku not in scarce])]


def _line(
    rng: random.Random, product: Product, order: int, place: int, deal: _Deal, most: int | None = None
) -> dict[str, Any]:
    quantity = rng.choice((1, 1, 2, 3, 6, 12))
    if most is not None:
        quantity = min(quantity, most)
    gross = product.price_cents * quantity
    discount = gross // 10 if deal.discounted else 0
    base = gross - discount
    share = TAX_RATE / (1 + TAX_RATE) if deal.taxes_included else TAX_RATE
    tax = int((base * share).to_integral_value(ROUND_HALF_UP)) if deal.taxable else 0
    ident = LINE_BASE + (order - ORDER_BASE) * 20_000 // 1_000_002 * 2 + place * 2
    allocations = (
        [{"amount": money(discount), "amount_set": deal.bag(discount), "discount_application_index": 0}]
        if discount
        else []
    )
    return {
        "id": ident,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{ident}",
        "current_quantity": quantity,
        "fulfillable_quantity": quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "gift_card": False,
        "grams": product.grams,
        "name": product.title,
        "price": money(product.price_cents),
        "price_set": deal.bag(product.price_cents),
        "product_exists": True,
        "product_id": product_id(product),
        "properties": [],
        "quantity": quantity,
        "requires_shipping": True,
        "sku": product.sku,
        "taxable": deal.taxable,
        "title": product.title,
        "total_discount": "0.00",
        "variant_id": variant_id(product),
        "variant_inventory_management": "shopify",
        "variant_title": None,
        "vendor": None,
        "tax_lines": [{"price": money(tax), "rate": float(TAX_RATE), "title": "State Tax"}] if tax else [],
        "discount_allocations": allocations,
        "_gross": gross,
        "_discount": discount,
        "_tax": tax,
    }


def _shipping(order: int, cents: int, deal: _Deal) -> dict[str, Any]:
    return {
        "id": order + 1,
        "code": "standard",
        "discounted_price": money(cents),
        "price": money(cents),
        "price_set": deal.bag(cents),
        "source": "shopify",
        "title": "Standard shipping",
        "tax_lines": [],
        "discount_allocations": [],
    }


def _address(rng: random.Random, customer: Customer) -> dict[str, Any]:
    city, province, code, postal = rng.choice(CITIES)
    return {
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "name": f"{customer.first_name} {customer.last_name}",
        "company": f"{customer.last_name} Supply" if rng.random() < 0.4 else None,
        "address1": f"{rng.randrange(1, 999)} {rng.choice(STREETS)}",
        "address2": None,
        "city": city,
        "province": province,
        "province_code": code,
        "zip": postal,
        "country": "United States",
        "country_code": "US",
        "phone": f"555-01{rng.randrange(10, 99)}",
        "latitude": None,
        "longitude": None,
    }


def _customer(customer: Customer, currency: str) -> dict[str, Any]:
    ident = CUSTOMER_BASE + int(customer.code.removeprefix("CUST-")) * 2
    return {
        "id": ident,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "state": "enabled",
        "note": None,
        "verified_email": True,
        "tax_exempt": False,
        "email": customer.email,
        "phone": None,
        "currency": currency,
        "admin_graphql_api_id": f"gid://shopify/Customer/{ident}",
    }
