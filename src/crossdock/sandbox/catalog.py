# SPDX-License-Identifier: Apache-2.0
"""The deterministic master data that the simulated systems agree on: products, stock locations and customers."""

from __future__ import annotations

import random

import msgspec

COMPANY_PREFIX = "9506000"
"""GS1 prefix 950 is kept for demonstrations, so no number made here belongs to anyone."""

PLACES = (
    ("DC-EAST", "Distribution Center East", "Louisville", "KY", "40213"),
    ("DC-WEST", "Distribution Center West", "Reno", "NV", "89506"),
    ("DC-NORTH", "Distribution Center North", "Joliet", "IL", "60436"),
)
ADJECTIVES = ("Steel", "Oak", "Copper", "Blue", "Compact", "Heavy-Duty", "Folding", "Classic", "Slim", "Outdoor")
NOUNS = ("Shelf", "Lamp", "Bracket", "Kettle", "Crate", "Ladder", "Hinge", "Basket", "Clamp", "Trolley")
FIRST_NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Katherine", "Tony", "Radia", "José")
LAST_NAMES = ("Byron", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Johnson", "Hoare", "Perlman", "Núñez")


class CatalogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the catalog holds. Equal settings always give an equal catalog."""

    seed: int = 1
    products: int = 200
    customers: int = 20
    locations: int = 2
    currency: str = "USD"
    max_stock: int = 500


class Location(msgspec.Struct, frozen=True):
    """A place with goods, named by code and GLN."""

    code: str
    name: str
    gln: str
    city: str
    region: str
    postal_code: str
    country: str = "US"


class Product(msgspec.Struct, frozen=True):
    """A sellable article in one unit, `EA`."""

    index: int
    sku: str
    gtin: str
    title: str
    price_cents: int
    grams: int
    stock: dict[str, int]
    """Opening stock by location code, in `EA`."""


class Customer(msgspec.Struct, frozen=True):
    """A business customer."""

    code: str
    first_name: str
    last_name: str
    email: str


class Catalog(msgspec.Struct, frozen=True):
    """All master data."""

    currency: str
    products: tuple[Product, ...]
    locations: tuple[Location, ...]
    customers: tuple[Customer, ...]

    def by_sku(self) -> dict[str, Product]:
        return {product.sku: product for product in self.products}


def gs1_check_digit(digits: str) -> str:
    """The last digit of a GTIN, GLN or SSCC: weights 3, 1, 3, … from the right (GS1 General Specifications 7.9)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def gtin14(item: int) -> str:
    """The GTIN-14 of an item number (0 to 99,999)."""
    body = f"0{COMPANY_PREFIX}{item:05d}"
    return body + gs1_check_digit(body)


def gln(place: int) -> str:
    """The GLN of a place number (0 to 99,999)."""
    body = f"{COMPANY_PREFIX}{place:05d}"
    return body + gs1_check_digit(body)


def sscc(serial: int) -> str:
    """The SSCC of a package serial (0 to 999,999,999)."""
    body = f"0{COMPANY_PREFIX}{serial:09d}"
    return body + gs1_check_digit(body)


def make_catalog(config: CatalogConfig) -> Catalog:
    """Build the catalog. Raises ValueError for more than 99,999 products (GTIN item numbers have five digits here) or
    an
    unknown number of locations."""
    if not 1 <= config.products <= 99_999:
        raise ValueError(f"catalog.products is {config.products}; give 1 to 99999")
    if not 1 <= config.locations <= len(PLACES):
        raise ValueError(f"catalog.locations is {config.locations}; give 1 to {len(PLACES)}")
    if not 1 <= config.customers <= 100_000:
        raise ValueError(f"catalog.customers is {config.customers}; give 1 to 100000")
    rng = random.Random(config.seed)
    locations = tuple(
        Location(code, name, gln(index), city, region, postal)
        for index, (code, name, city, region, postal) in enumerate(PLACES[: config.locations], start=1)
    )
    products = tuple(_product(rng, index, locations, config.max_stock) for index in range(1, config.products + 1))
    customers = tuple(_customer(rng, index) for index in range(1, config.customers + 1))
    return Catalog(config.currency, products, locations, customers)


def _product(rng: random.Random, index: int, locations: tuple[Location, ...], max_stock: int) -> Product:
    return Product(
        index=index,
        sku=f"CD-{index:05d}",
        gtin=gtin14(index),
        title=f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} {index}",
        price_cents=rng.randrange(199, 25_000),
        grams=rng.randrange(50, 20_000, 10),
        stock={place.code: rng.randrange(0, max_stock + 1) for place in locations},
    )


def _customer(rng: random.Random, index: int) -> Customer:
    return Customer(
        f"CUST-{index:05d}", rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES), f"customer{index}@example.com"
    )
