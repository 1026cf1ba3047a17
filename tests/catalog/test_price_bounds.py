# SPDX-License-Identifier: Apache-2.0
"""What was stored before there were bounds: migrated, so that a cache can read it."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
import msgspec

from crossdock.canonical.master_data import Product, UnitConversion
from crossdock.canonical.money import Money
from crossdock.canonical.objects import decode
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.runtime.migrate import revisions
from crossdock.runtime.migrate_apply import apply
from crossdock.runtime.postgres import connect

MASTER_DATA = """
INSERT INTO product (sku, unit, location, stocked, status, body, details) VALUES
('A', 'EA', '', true, 'active',
 '{"sku":"A","units":[{"unit":"PK","factor":"0"},{"unit":"CS","factor":"12"}],
   "price":{"amount":"1E+200","currency":"USD"}}',
 '{"units":[{"unit":"CS","factor":"12"},{"unit":"PK","factor":"0"},{"unit":"BX","factor":"1E+12"},
            {"unit":"PR","factor":"0.0000000001"}],"substitutes":["B"],"price":{"amount":"1E+200","currency":"USD"}}'),
('B', 'EA', '', true, 'active', '{"sku":"B","price":{"amount":"9.99","currency":"USD"}}',
 '{"pack":"6","price":{"amount":"9.99","currency":"USD"}}'),
('C', 'EA', '', true, 'active', '{}', NULL);
INSERT INTO customer (customer_id, name, status, body) VALUES
('C-1', 'Ada', 'active', '{"customer_id":"C-1","name":"Ada","terms":"NET30","price_group":"trade",
 "currency":"USD","credit_limit":{"amount":"500.00","currency":"USD"},"addresses":[{"city":"Boise","country":"US"}]}'),
('C-2', 'Bob', 'blocked', '{"customer_id":"C-2","name":"Bob","currency":null,"terms":""}');
INSERT INTO price_list (price_list_id, version, status, body, stamp) VALUES
('L', 1, 'active', '{"price_list_id":"L","currency":"USD","entries":[
 {"sku":"C","price":"1.00"},
 {"sku":"B","price":"9.00","breaks":[{"from_quantity":"2.5000000001","price":"8.00"},
                                     {"from_quantity":"2.5000000002","price":"7.90"},
                                     {"from_quantity":"4","price":"7.00"}]}]}', 1);
UPDATE price_version SET value = 1;
"""


async def test_what_is_out_of_bounds_keeps_no_cache_from_reading(empty_database: str) -> None:
    steps = revisions()
    before = [one for one in steps if one.number < "0015"]
    await apply(empty_database, before)
    conn: asyncpg.Connection = await connect(empty_database)
    try:
        await conn.execute(MASTER_DATA)
        await apply(empty_database, steps)
        catalog = Catalog(PriceBook())
        await catalog.refresh(conn)
        body = await conn.fetchval("SELECT body FROM price_list")
        bodies = [row["body"] for row in await conn.fetch("SELECT body FROM product WHERE sku < 'C' ORDER BY sku")]
    finally:
        await conn.close()
    a, b, c = (catalog.products[sku] for sku in "ABC")
    assert (a.factors, a.substitutes, a.price) == ({"CS": Decimal(12)}, ("B",), None)
    assert (b.pack, b.price) == (Decimal(6), Money(Decimal("9.99"), "USD"))
    stated = Product(sku="A", units=(UnitConversion(unit="CS", factor=Decimal(12)),))
    assert decode("product", bodies[0]) == stated
    assert bodies[1] == b'{"sku":"B","price":{"amount":"9.99","currency":"USD"}}'
    assert c == type(c)("EA", "", True, True)
    first = catalog.customers["C-1"]
    assert (first.terms, first.group, first.currency) == ("NET30", "trade", "USD")
    assert first.limit == Money(Decimal("500.00"), "USD")
    assert [one.city for one in first.ship_to] == ["Boise"]
    assert catalog.customers["C-2"] == CustomerFacts(status="blocked")
    plain, broken = msgspec.json.decode(body)["entries"]
    assert plain == {"sku": "C", "price": "1.00"}
    assert broken["breaks"] == [
        {"from_quantity": "2.500000001", "price": "7.90"},
        {"from_quantity": "4", "price": "7.00"},
    ]
    assert catalog.book is not None
    assert len(catalog.book) == 1
