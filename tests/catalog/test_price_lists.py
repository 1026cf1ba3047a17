# SPDX-License-Identifier: Apache-2.0
"""Price lists are taken in once per version, told of, and read by caches as they change."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from crossdock.canonical.master_data import Customer, Product, UnitConversion
from crossdock.canonical.money import Money
from crossdock.canonical.party import Address
from crossdock.canonical.price_list import PriceEntry, PriceList, QuantityBreak
from crossdock.catalog.accept import accept_customers, accept_products
from crossdock.catalog.accept_prices import accept_price_lists
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.runtime.postgres import open_pool
from tests.catalog.pricing import NOON, entry, priced, stated
from tests.inventory.deciding import decided

WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


async def taken(pool: asyncpg.Pool, *lists: PriceList, document_id: int | None = None) -> set[str]:
    async with pool.acquire() as conn, conn.transaction():
        return await accept_price_lists(conn, [(document_id, one) for one in lists])


async def told(pool: asyncpg.Pool) -> list[tuple[str, int, Any]]:
    rows = await pool.fetch("SELECT key, document_id, data FROM event WHERE type = 'price_list.changed' ORDER BY id")
    return [(row["key"], row["document_id"], msgspec.json.decode(row["data"])) for row in rows]


async def refreshed(pool: asyncpg.Pool, catalog: Catalog) -> PriceBook:
    async with pool.acquire() as conn:
        await catalog.refresh(conn)
    assert catalog.book is not None
    return catalog.book


async def test_a_cache_reads_what_changed_and_nothing_else(pool: asyncpg.Pool) -> None:
    catalog = Catalog(PriceBook())
    assert len(await refreshed(pool, catalog)) == 0
    await taken(pool, stated("BASE", entry("10.00")), stated("C-1", entry("8.00"), customer="C-1"))
    book = await refreshed(pool, catalog)
    assert [priced(book, customer=who).list for who in ("C-1", "")] == ["C-1", "BASE"]
    first = book.stamp
    await taken(pool, stated("C-1", entry("8.00"), customer="C-1", status="retired"))
    # What a cache has is not read again: a row that vanished would be missed by a full reading only.
    await pool.execute("DELETE FROM price_list WHERE price_list_id = 'BASE'")
    book = await refreshed(pool, catalog)
    assert (priced(book, customer="C-1").list, book.stamp) == ("BASE", first + 1)


async def test_prices_alone_make_no_cache_read_products_again(pool: asyncpg.Pool) -> None:
    catalog = Catalog(PriceBook())
    await refreshed(pool, catalog)
    products = catalog.products
    await taken(pool, stated("BASE", entry("10.00")))
    await refreshed(pool, catalog)
    assert catalog.products is products
    without = Catalog()
    async with pool.acquire() as conn:
        assert await without.refresh(conn)
        await accept_price_lists(conn, [(None, stated("BASE", entry("11.00")))])
        assert not await without.refresh(conn)


async def test_the_newest_version_stands_and_each_change_is_told_once(pool: asyncpg.Pool) -> None:
    second = stated("L", entry("2.00"), version=2, effective_from=NOON)
    assert await taken(pool, second, document_id=7) == {"L"}
    assert await taken(pool, second, document_id=8) == set()
    assert await taken(pool, stated("L", entry("1.00"), version=1), document_id=9) == set()
    assert await taken(pool, stated("L", entry("2.50"), version=2), document_id=10) == {"L"}
    both = [stated("L", entry("4.00"), version=4), stated("L", entry("3.00"), version=3)]
    assert await taken(pool, *both) == {"L"}
    assert await taken(pool) == set()
    assert [(key, document) for key, document, _ in await told(pool)] == [
        ("price_list/L", 7),
        ("price_list/L", 10),
        ("price_list/L", 0),
    ]
    assert (await told(pool))[0][2] == {
        "price_list_id": "L",
        "version": 2,
        "status": "active",
        "currency": "USD",
        "customer": "",
        "group": "",
        "channel": "",
        "effective_from": "2026-11-23T12:00:00Z",
        "effective_until": None,
        "entries": 1,
    }
    assert await pool.fetchval("SELECT version FROM price_list") == 4


async def test_two_that_write_at_once_leave_no_change_unread(pool: asyncpg.Pool, database: str) -> None:
    """A cache that reads between two commits reads the second one's list afterwards."""
    other = await open_pool(database, max_size=1)
    catalog = Catalog(PriceBook())
    try:
        async with pool.acquire() as conn, conn.transaction():
            await accept_price_lists(conn, [(None, stated("A", entry("1.00")))])
            waiting = asyncio.create_task(taken(other, stated("B", entry("2.00"))))
            # The second has no stamp until the first is committed: whoever reads now sees neither.
            while not await conn.fetchval(WAITS):  # noqa: ASYNC110 - the database is asked
                await asyncio.sleep(0.01)
            assert len(await refreshed(pool, catalog)) == 0
        await waiting
        assert len(await refreshed(pool, catalog)) == 2
    finally:
        other.terminate()


async def test_documents_that_are_price_lists_are_decided_on(pool: asyncpg.Pool) -> None:
    lists = (stated("A", entry("1.00"), version=2), stated("B", entry("1.00")))
    assert [one.accepted for one in await decided(pool, *lists)] == [True, True]
    old, again = await decided(pool, stated("A", entry("9.00"), version=1), lists[0], first=3)
    assert (old.duplicate, old.note) == (True, "version 1 of price list A is older than 2, which stands")
    assert again.accepted
    assert [(key, document) for key, document, _ in await told(pool)] == [("price_list/A", 1), ("price_list/B", 2)]


async def test_a_part_adds_to_the_version_it_was_split_off_and_to_no_other(pool: asyncpg.Pool) -> None:
    whole = stated("L", entry("1.00"), version=2)
    await decided(pool, whole)
    part = stated("L", entry("9.00", "OWN"), entry("2.00"), version=2)
    (added,) = await decided(pool, part, first=2, parent_id=1)
    assert (added.duplicate, added.accepted) == (False, False)
    catalog = Catalog(PriceBook())
    book = await refreshed(pool, catalog)
    assert [str(priced(book, sku=sku).unit_price) for sku in ("A", "OWN")] == ["2.00", "9.00"]
    for late in (stated("L", entry("7.00"), version=1), stated("M", entry("7.00"))):
        (one,) = await decided(pool, late, first=3, parent_id=1)
        assert (one.duplicate, one.note.endswith("does not stand any more")) == (True, True)
    assert str(priced(await refreshed(pool, catalog)).unit_price) == "2.00"


async def test_a_whole_list_is_not_read_back_to_compare_versions(pool: asyncpg.Pool) -> None:
    await decided(pool, stated("L", entry("1.00"), version=2))
    await pool.execute("UPDATE price_list SET body = 'not to be read'")
    (old,) = await decided(pool, stated("L", entry("1.00"), version=1), first=2)
    assert (old.duplicate, old.note) == (True, "version 1 of price list L is older than 2, which stands")
    (new,) = await decided(pool, stated("L", entry("1.00"), version=3), first=3)
    assert new.accepted


async def test_what_decisions_need_of_products_and_accounts_is_in_memory(pool: asyncpg.Pool) -> None:
    home = Address(street="Oak Ave 1", city="Boise", country="US")
    async with pool.acquire() as conn:
        product = Product(
            sku="A",
            price=Money(Decimal("9.99"), "USD"),
            pack=Decimal(6),
            units=(UnitConversion(unit="CS", factor=Decimal(12)),),
        )
        await accept_products(conn, [(None, product)])
        customer = Customer(
            customer_id="C-1",
            currency="USD",
            terms="NET30",
            price_group="trade",
            credit_limit=Money(Decimal(500), "USD"),
            addresses=(home,),
        )
        await accept_customers(conn, [(None, customer), (None, Customer(customer_id="C-2", status="blocked"))])
        catalog = Catalog()
        await catalog.refresh(conn)
    facts = catalog.products["A"]
    assert (facts.price, facts.pack, facts.factor("CS"), facts.factor("EA"), facts.factor("PK")) == (
        Money(Decimal("9.99"), "USD"),
        Decimal(6),
        Decimal(12),
        Decimal(1),
        None,
    )
    assert catalog.customers == {
        "C-1": CustomerFacts(
            currency="USD", terms="NET30", group="trade", limit=Money(Decimal(500), "USD"), ship_to=(home,)
        ),
        "C-2": CustomerFacts(status="blocked"),
    }


async def test_of_accounts_only_what_decisions_need_is_read(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        plain = Customer(customer_id="C-1", name="Ada", email="ada@example.com", status="blocked")
        await accept_customers(conn, [(None, plain), (None, Customer(customer_id="C-2", terms="NET30"))])
        assert await conn.fetchval("SELECT details FROM customer WHERE customer_id = 'C-1'") is None
        await conn.execute("UPDATE customer SET body = 'not to be read'")
        catalog = Catalog()
        await catalog.refresh(conn)
        assert catalog.customers == {"C-1": CustomerFacts(status="blocked"), "C-2": CustomerFacts(terms="NET30")}
        await accept_customers(conn, [(None, Customer(customer_id="C-2"))])
        await catalog.refresh(conn)
    assert catalog.customers["C-2"] == CustomerFacts()


@pytest.mark.parametrize("number", ["0", "1E+12", "1E+200", "0.0000000001", "NaN", "Infinity", "-1"])
def test_what_cannot_be_reckoned_with_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="with at most nine decimals"):
        QuantityBreak(from_quantity=Decimal(number), price=Decimal(1))
    with pytest.raises(ValueError, match="with at most nine decimals"):
        UnitConversion(unit="CS", factor=Decimal(number))
    if number not in ("0", "NaN", "Infinity"):
        with pytest.raises(ValueError, match="with at most nine decimals"):
            Product(sku="A", price=Money(Decimal(number), "USD"))


@pytest.mark.parametrize("number", ["0.000000001", "999999999999.999999999"])
def test_the_least_and_the_most_are_priced_without_being_rounded(number: str) -> None:
    edge = Decimal(number)
    assert UnitConversion(unit="CS", factor=edge).factor == edge
    assert Product(sku="A", price=Money(edge, "USD")).price == Money(edge, "USD")
    begins = QuantityBreak(from_quantity=edge, price=edge)
    line = priced([stated("L", PriceEntry(sku="OIL", unit="LTR", price=edge, breaks=(begins,)))], number, "LTR", "OIL")
    assert (line.unit_price, line.from_quantity) == (edge, edge)
    exact = {"0.000000001": "0.00", "999999999999.999999999": "999999999999999999998000.00"}
    assert str(line.total) == exact[number]
