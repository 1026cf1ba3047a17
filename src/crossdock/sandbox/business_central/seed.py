# SPDX-License-Identifier: Apache-2.0
"""The company's master data: what the shared catalog holds, and some accounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crossdock.sandbox.business_central.records import Record, Store, guid_of
from crossdock.sandbox.catalog import Catalog, Customer, Location, Product

UNIT = "EA"
ACCOUNTS = (
    ("40100", "Sales, Retail"),
    ("40200", "Sales Discounts"),
    ("40300", "Freight Income"),
    ("40400", "Sales Returns"),
)


class Master:
    """What a company starts with. `customers` and `services` are further customer and item numbers; a service has no
    stock."""

    def __init__(self, catalog: Catalog, customers: Sequence[str], services: Sequence[str]) -> None:
        self._catalog = catalog
        self._customers = customers
        self._services = services

    def file(self, store: Store, company: Record) -> None:
        """File it once: what was changed or deleted since stays so after a restart."""
        if store.all("companies"):
            return
        with store.transaction():
            for collection, record in self._rows(company):
                store.add(collection, record)

    def _rows(self, company: Record) -> Iterator[tuple[str, Record]]:
        yield "companies", company
        for number, name in ACCOUNTS:
            told = {"number": number, "displayName": name, "category": "Income", "directPosting": True}
            yield "accounts", {"id": guid_of(f"account/{number}"), **told}
        for location in self._catalog.locations:
            yield "locations", _location(location)
        for customer in self._catalog.customers:
            yield "customers", _customer(customer)
        for code in self._customers:
            yield "customers", {"id": guid_of(f"customer/{code}"), "number": code, "displayName": code}
        for product in self._catalog.products:
            yield "items", _item(product)
            for place, level in product.stock.items():
                yield "locationStock", stock_row(product.sku, place, level)
        for code in self._services:
            yield "items", {"id": guid_of(f"item/{code}"), "number": code, "type": "Service", **_named(code)}


def stock_row(sku: str, place: str, level: float) -> Record:
    """The row of an item at a location; `place` is empty for goods at none."""
    return {
        "id": guid_of(f"stock/{sku}@{place}"),
        "itemNumber": sku,
        "locationCode": place,
        "quantityOnHand": level,
        "quantityReserved": 0,
    }


def _location(place: Location) -> Record:
    return {
        "id": guid_of(f"location/{place.code}"),
        "code": place.code,
        "displayName": place.name,
        "city": place.city,
        "state": place.region,
        "postalCode": place.postal_code,
        "country": place.country,
    }


def _customer(customer: Customer) -> Record:
    return {
        "id": guid_of(f"customer/{customer.code}"),
        "number": customer.code,
        "displayName": f"{customer.first_name} {customer.last_name}",
        "email": customer.email,
    }


def _item(product: Product) -> Record:
    return {
        "id": guid_of(f"item/{product.sku}"),
        "number": product.sku,
        "gtin": product.gtin,
        "unitPrice": product.price_cents / 100,
        "inventory": sum(product.stock.values()),
        **_named(product.title),
    }


def _named(title: str) -> Record:
    return {"displayName": title, "baseUnitOfMeasureCode": UNIT, "baseUnitOfMeasureId": guid_of(f"unit/{UNIT}")}
