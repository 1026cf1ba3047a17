# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.business_central import BusinessCentralConfig, BusinessCentralSim
from crossdock.sandbox.catalog import CatalogConfig
from tests.sandbox.business_central.trading import Clock, Trader, line, order, sign_in


@pytest_asyncio.fixture
async def small(http: aiohttp.ClientSession, clock: Clock) -> AsyncIterator[Trader]:
    config = BusinessCentralConfig(catalog=CatalogConfig(products=10, customers=3), page_size=4)
    async with BusinessCentralSim(config, clock) as sim:
        yield await sign_in(http, sim)


def sku(number: int) -> str:
    return f"CD-{number:05d}"


async def numbers(erp: Trader, filter_: str) -> list[str]:
    return [row["number"] for row in (await erp("GET", f"items?$select=number&$filter={filter_}")).rows]


async def test_filters(small: Trader) -> None:
    prices = {row["number"]: row["unitPrice"] for row in await all_pages(small, "items")}
    cheap = [number for number, price in prices.items() if price < 100]
    assert await numbers(small, "number eq 'cd-00003'") == [sku(3)]
    assert await numbers(small, "number in ('CD-00002','CD-00004')") == [sku(2), sku(4)]
    assert await numbers(small, "number gt 'CD-00007' and number le 'CD-00009'") == [sku(8), sku(9)]
    assert await numbers(small, "number eq 'CD-00001' or (number eq 'CD-00005')") == [sku(1), sku(5)]
    assert await numbers(small, "startswith(number, 'CD-0001')") == [sku(10)]
    assert await numbers(small, "endswith(number,'7') and contains(number,'0007')") == [sku(7)]
    assert await numbers(small, "tolower(number) eq 'cd-00006'") == [sku(6)]
    assert await numbers(small, "tolower(number) eq 'CD-00006'") == []
    assert await numbers(small, "displayName eq 'it''s'") == []
    assert await numbers(small, "unitPrice lt 100.0 and blocked eq false") == cheap[:4]
    assert await numbers(small, "number ne 'CD-00001' and unitPrice lt 100") == [n for n in cheap if n != sku(1)][:4]


async def test_changes_since(small: Trader, clock: Clock) -> None:
    start = "2026-09-21T15:06:40.000Z"
    item = (await small("GET", "items?$filter=number eq 'CD-00004'")).rows[0]
    assert item["lastModifiedDateTime"] < start
    clock.now = 1_790_003_200.5
    await small("PATCH", f"items({item['id']})", {"unitPrice": 1.25}, If_Match=item["@odata.etag"])
    assert await numbers(small, f"lastModifiedDateTime gt {start}") == [sku(4)]
    assert await numbers(small, "lastModifiedDateTime ge 2026-09-21T15:06:40.5%2B00:00") == [sku(4)]
    assert await numbers(small, "lastModifiedDateTime gt 2026-09-21T15:06:40.5Z") == []


async def test_stock_moves_do_not_modify_the_item(small: Trader, clock: Clock) -> None:
    before = (await small("GET", "items?$filter=number eq 'CD-00004'")).rows[0]
    clock.now += 60
    await small.control("adjust", "POST", {"sku": "CD-00004", "location": "DC-WEST", "quantity": 11})
    after = (await small("GET", "items?$filter=number eq 'CD-00004'")).rows[0]
    assert after == {**before, "inventory": before["inventory"] + 11}
    path = f"locationStock?$filter=lastModifiedDateTime gt {before['lastModifiedDateTime']}"
    moved = (await small.extension("GET", path)).rows
    assert [(row["itemNumber"], row["locationCode"]) for row in moved] == [("CD-00004", "DC-WEST")]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("$filter=number eq 'A' or displayName eq 'A'", "BadRequest"),
        ("$filter=colour eq 'red'", "BadRequest"),
        ("$filter=number eq 5", "BadRequest"),
        ("$filter=unitPrice eq '5'", "BadRequest"),
        ("$filter=contains(unitPrice,'5')", "BadRequest"),
        ("$filter=number eq 'A' and", "BadRequest_NotFound"),
        ("$filter=number eq 'A", "BadRequest_NotFound"),
        ("$filter=number like 'A'", "BadRequest_NotFound"),
        ("$filter=number eq 'A') or (number eq 'B'", "BadRequest_NotFound"),
        ("$filter=" + "(" * 60 + "number eq 'A'" + ")" * 60, "BadRequest"),
        ("$select=colour", "BadRequest"),
        ("$orderby=colour", "BadRequest"),
        ("$orderby=number sideways", "BadRequest"),
        ("$expand=itemVariants", "BadRequest"),
        ("$top=many", "BadRequest"),
        ("$skip=-1", "BadRequest"),
        ("$search=shelf", "BadRequest"),
        ("$skiptoken=4", "BadRequest"),
    ],
)
async def test_what_is_refused(small: Trader, query: str, code: str) -> None:
    reply = await small("GET", f"items?{query}")
    assert (reply.status, reply.code) == (400, code)


async def all_pages(erp: Trader, path: str, **headers: str) -> list[dict[str, object]]:
    reply = await erp("GET", path, **headers)
    rows = list(reply.rows)
    while "@odata.nextLink" in reply.body:
        reply = await erp("GET", reply.body["@odata.nextLink"], **headers)
        rows += reply.rows
    return rows


async def test_pages_hold_everything_once(small: Trader) -> None:
    every = [row["number"] for row in await all_pages(small, "items?$select=number")]
    assert every == [sku(number) for number in range(1, 11)]
    back = await all_pages(small, "items?$select=number&$orderby=number desc&$skip=1")
    assert [row["number"] for row in back] == every[-2::-1]
    some = await all_pages(small, "items?$select=number&$top=7&$filter=number ne 'CD-00002'")
    assert [row["number"] for row in some] == [sku(number) for number in (1, 3, 4, 5, 6, 7, 8)]
    first = await small("GET", "items?$count=true", Prefer="odata.maxpagesize=2")
    assert (len(first.rows), first.body["@odata.count"]) == (2, 10)
    assert (await small("GET", "items", Prefer="odata.maxpagesize=20001")).status == 413
    assert (await small("GET", "items?$top=4")).body.get("@odata.nextLink") is None


async def test_a_page_goes_on_behind_the_last_row_though_others_went(small: Trader) -> None:
    made = [(await small("POST", "salesOrders", order())).ok(201)["id"] for _ in range(6)]
    first = await small("GET", "salesOrders")
    await small("DELETE", f"salesOrders({made[0]})", If_Match="*")
    second = await small("GET", first.body["@odata.nextLink"])
    assert [row["id"] for row in [*first.rows, *second.rows]] == made


async def test_expanding_on_several_levels(small: Trader) -> None:
    await small.order(line(sku(1)), line(sku(2), quantity=9), line(sku(3), quantity=1))
    inner = "salesOrderLines($select=quantity;$filter=quantity lt 5;$orderby=quantity;$expand=item($select=number))"
    row = (await small("GET", f"salesOrders?$select=number&$expand=customer($select=number),{inner}")).rows[0]
    assert row["customer"]["number"] == "CUST-00001"
    assert [(one["quantity"], one["item"]["number"]) for one in row["salesOrderLines"]] == [(1, sku(3)), (2, sku(1))]
    assert set(row) == {"@odata.etag", "number", "customer", "salesOrderLines"}
    customer = (await small("GET", f"salesOrders({await newest(small)})/customer")).ok()
    assert customer["displayName"] == "Alan Liskov"


async def newest(erp: Trader) -> str:
    return str((await erp("GET", "salesOrders?$select=id")).rows[-1]["id"])
