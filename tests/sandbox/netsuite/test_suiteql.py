# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.netsuite import NetSuiteSim
from tests.sandbox.netsuite.calling import Caller, config, line, log_in, order


@pytest_asyncio.fixture
async def call(http: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    async with NetSuiteSim(config()) as sim:
        caller = await log_in(http, sim)
        for name, quantity in (("A", 1), ("B", 2), ("C", 3)):
            await caller("PUT", f"/salesOrder/eid:{name}", order(line(quantity=quantity), otherRefNum=f"#{name}'s"))
        yield caller


async def test_prefer_transient_is_mandatory(call: Caller) -> None:
    reply = await call("POST", "/services/rest/query/v1/suiteql", {"q": "SELECT id FROM item"})
    assert (reply.status, reply.code) == (400, "INVALID_HEADER")


async def test_all_scalars_are_strings(call: Caller) -> None:
    (row,) = await call.rows("SELECT externalid, foreigntotal, status, type FROM transaction WHERE externalid = 'B'")
    assert row == {"externalid": "B", "foreigntotal": "19.98", "status": "B", "type": "SalesOrd"}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("externalid IN ('A', 'C', 'Z')", ["A", "C"]),
        ("otherrefnum = '#B''s'", ["B"]),
        ("otherrefnum != '#B''s'", ["A", "C"]),
        ("type = 'SalesOrd' AND foreigntotal > 10", ["B", "C"]),
        ("foreigntotal <= 9.99", ["A"]),
        ("memo IS NULL AND externalid IS NOT NULL", ["A", "B", "C"]),
        ("lastmodifieddate >= TO_DATE('2020-01-01 00:00:00', 'YYYY-MM-DD HH24:MI:SS')", ["A", "B", "C"]),
        ("lastmodifieddate >= TO_TIMESTAMP('2099-01-01', 'YYYY-MM-DD')", []),
        ("lastmodifieddate < '01/01/2020'", []),
    ],
)
async def test_conditions(call: Caller, where: str, found: list[str]) -> None:
    rows = await call.rows(f"SELECT externalid FROM salesorder WHERE {where} ORDER BY externalid")
    assert [row["externalid"] for row in rows] == found


async def test_order_alias_and_table_prefix(call: Caller) -> None:
    rows = await call.rows("SELECT t.externalid AS ext FROM transaction t ORDER BY t.foreigntotal DESC")
    assert [row["ext"] for row in rows] == ["C", "B", "A"]


async def test_a_bare_date_has_no_time(call: Caller) -> None:
    (row,) = await call.rows(
        "SELECT lastmodifieddate, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS moment"
        " FROM transaction WHERE externalid = 'A'"
    )
    assert [len(row["lastmodifieddate"]), len(row["moment"])] == [10, 19]
    assert row["lastmodifieddate"][2] == "/"


async def test_pages(call: Caller) -> None:
    reply = await call.query("SELECT id FROM item ORDER BY id", "?limit=150&offset=150")
    assert (reply.body["count"], reply.body["totalResults"], reply.body["hasMore"]) == (50, 200, False)
    assert (await call.query("SELECT id FROM item", "?limit=1001")).code == "INVALID_PARAMETER"


async def test_master_data_and_lines(call: Caller) -> None:
    assert await call.rows("SELECT id, itemid FROM item WHERE externalid = 'CD-00002'") == [
        {"id": "5002", "itemid": "CD-00002"}
    ]
    assert await call.rows("SELECT id FROM currency WHERE symbol = 'USD'") == [{"id": "1"}]
    assert await call.rows("SELECT id FROM location WHERE externalid = 'DC-WEST'") == [{"id": "2"}]
    assert await call.rows("SELECT entityid FROM customer WHERE externalid = 'WEB-STORE'") == [
        {"entityid": "WEB-STORE"}
    ]
    (row,) = await call.rows("SELECT id FROM transaction WHERE externalid = 'C'")
    assert await call.rows(
        f"SELECT quantity, item FROM transactionline WHERE transaction = {row['id']} AND mainline = 'F'"
    ) == [{"quantity": "-3", "item": "5001"}]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT nope FROM item",
        "SELECT id FROM nowhere",
        "SELECT id FROM item WHERE id = 1 OR id = 2",
        "SELECT COUNT(*) FROM item",
        "DELETE FROM item",
        "SELECT id FROM item WHERE",
        "SELECT id FROM item WHERE itemid = 'open",
        "SELECT id FROM item; DROP TABLE item",
        "",
    ],
)
async def test_what_is_outside_the_subset_is_refused(call: Caller, text: str) -> None:
    reply = await call.query(text)
    assert (reply.status, reply.code) == (400, "INVALID_PARAMETER")
