# SPDX-License-Identifier: Apache-2.0
"""Master data is taken in once, told to every cache, and crosswalks keep their history."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
import pytest
import pytest_asyncio

from crossdock.canonical.master_data import Component, Customer, Product, UnitConversion
from crossdock.canonical.money import Money
from crossdock.catalog.accept import accept_crosswalks, accept_customers, accept_products
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.cache import Catalog, ProductFacts, put_together


@pytest_asyncio.fixture
async def catalog(pool: asyncpg.Pool) -> Catalog:
    """A cache on a database with two products, a customer and three crosswalk rows."""
    async with pool.acquire() as conn:
        await accept_products(
            conn,
            [
                (None, Product(sku="CD-1", location="EAST")),
                (None, Product(sku="S-1", stocked=False, unit="HUR", status="retired")),
            ],
        )
        await accept_customers(conn, [(None, Customer(customer_id="C-1", name="Ada"))])
        rows = [("sku", "shop", "blue", "CD-1"), ("sku", "", "green", "S-1"), ("carrier", "shop", "blue", "UPS")]
        await accept_crosswalks(conn, rows, by="estate", origin="estate", reason="seed")
        cache = Catalog()
        assert await cache.refresh(conn)
    return cache


async def test_what_decisions_need_is_in_memory(catalog: Catalog) -> None:
    assert catalog.products == {
        "CD-1": ProductFacts("EA", "EAST", True, True),
        "S-1": ProductFacts("HUR", "", False, False),
    }
    assert catalog.customers == {"C-1": CustomerFacts()}


async def test_crosswalks_of_a_system_come_before_those_for_all(catalog: Catalog, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await accept_crosswalks(conn, [("sku", "", "blue", "S-1")], by="jo", origin="cli", reason="")
        await catalog.refresh(conn)
    assert catalog.look_up("shop", "sku", "blue") == "CD-1"
    assert catalog.look_up("market", "sku", "blue") == "S-1"
    assert catalog.look_up("shop", "sku", "green") == "S-1"
    assert catalog.look_up("shop", "carrier", "blue") == "UPS"
    assert catalog.look_up("shop", "carrier", "green") is None
    assert catalog.look_up("shop", "nonsense", "blue") is None


async def test_a_sku_is_ours_by_crosswalk_or_by_name(catalog: Catalog) -> None:
    assert [catalog.sku("shop", theirs) for theirs in ("blue", "CD-1", "XX", "")] == ["CD-1", "CD-1", None, None]


async def test_a_change_is_seen_and_nothing_is_read_without_one(catalog: Catalog, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        assert not await catalog.refresh(conn)
        await accept_products(conn, [(7, Product(sku="CD-2")), (8, Product(sku="CD-2", location="WEST"))])
        assert await catalog.refresh(conn)
        await accept_products(conn, [])
        await accept_customers(conn, [])
        await accept_crosswalks(conn, [], by="jo", origin="cli", reason="")
        assert not await catalog.refresh(conn)
    assert catalog.products["CD-2"].location == "WEST"
    assert await pool.fetchval("SELECT document_id FROM product WHERE sku = 'CD-2'") == 8


async def test_a_later_statement_replaces_the_earlier_one(catalog: Catalog, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        priced = Product(sku="CD-1", price=Money(Decimal("9.99"), "USD"), status="retired")
        await accept_products(conn, [(1, priced)])
        await accept_customers(conn, [(2, Customer(customer_id="C-1", name="Ada L.", status="blocked"))])
        await catalog.refresh(conn)
    assert catalog.products["CD-1"] == ProductFacts("EA", "", True, False, price=Money(Decimal("9.99"), "USD"))
    assert catalog.customers == {"C-1": CustomerFacts(status="blocked")}
    assert await pool.fetchval("SELECT name FROM customer") == "Ada L."


async def test_crosswalk_changes_are_kept_with_who_and_why(catalog: Catalog, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        changes = [("sku", "shop", "blue", "S-1"), ("sku", "shop", "red", "CD-1"), ("sku", "", "green", "S-1")]
        await accept_crosswalks(conn, changes, by="jo", origin="cli", reason="new range")
    rows = await pool.fetch(
        "SELECT theirs, before, after, reason FROM crosswalk_history WHERE changed_by = 'jo' ORDER BY theirs"
    )
    assert [tuple(row) for row in rows] == [("blue", "CD-1", "S-1", "new range"), ("red", None, "CD-1", "new range")]
    acts = await pool.fetch("SELECT what, origin, before, after FROM audit WHERE who = 'jo' ORDER BY id")
    assert [tuple(one) for one in acts] == [
        (
            "crosswalk/sku@shop",
            "cli",
            '{"rows":{"blue":"CD-1","red":null}}',
            '{"changed":2,"rows":{"blue":"S-1","red":"CD-1"}}',
        )
    ]


def bundle(**components: str) -> ProductFacts:
    return ProductFacts("EA", "", True, True, {}, {sku: Decimal(each) for sku, each in components.items()})


def test_a_bundle_of_bundles_is_made_of_what_has_stock() -> None:
    plain = ProductFacts("EA", "", True, True)
    products = {
        "A": plain,
        "B": plain,
        "IN": bundle(A="2", B="1"),
        "OUT": bundle(IN="3", A="1"),
        "TOP": bundle(OUT="2"),
    }
    put_together(products)
    assert products["OUT"].components == {"A": 7, "B": 3}
    assert products["TOP"].components == {"A": 14, "B": 6}
    assert products["IN"].components == {"A": 2, "B": 1}


@pytest.mark.parametrize(
    "products",
    [{"X": bundle(X="1")}, {"X": bundle(Y="1"), "Y": bundle(X="1")}, {"X": bundle(Y="1"), "Y": bundle(Y="2", A="1")}],
)
def test_a_bundle_that_contains_itself_is_made_of_nothing(products: dict[str, ProductFacts]) -> None:
    put_together(products)
    assert products["X"].components == {}


@pytest.mark.parametrize("number", ["0", "-1", "NaN", "Infinity"])
def test_a_unit_or_bundle_of_nothing_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="more than zero"):
        UnitConversion(unit="CS", factor=Decimal(number))
    with pytest.raises(ValueError, match="more than zero"):
        Component(sku="CD-1", quantity=Decimal(number))


async def test_what_is_there_already_makes_no_cache_read_again(catalog: Catalog, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await accept_products(conn, [(7, Product(sku="CD-1", location="EAST"))])
        await accept_customers(conn, [(7, Customer(customer_id="C-1", name="Ada"))])
        await accept_crosswalks(conn, [("sku", "shop", "blue", "CD-1")], by="jo", origin="cli", reason="again")
        assert not await catalog.refresh(conn)
        await accept_products(conn, [(8, Product(sku="CD-1", location="WEST"))])
        assert await catalog.refresh(conn)
