# SPDX-License-Identifier: Apache-2.0
"""Comparisons and key figures over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest_asyncio

from tests.api.test_ops import application, problem
from tests.inventory.comparing import Shelf, compared, fill, system


@pytest_asyncio.fixture
async def http(pool: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    await fill(pool, ("A", "EAST", 3), ("B", "EAST", 5), ("C", "WEST", 7))
    for rows in ((("A", "EAST", "3"), ("B", "EAST", "9")), (("A", "EAST", "3"), ("B", "EAST", "5"))):
        await compared(pool, system(Shelf(*rows)))
    transport = httpx.ASGITransport(application(pool), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://crossdock") as client:
        yield client


async def test_comparisons_newest_first_in_pages(http: httpx.AsyncClient) -> None:
    rows = (await http.get("/v1/ops/reconciliations")).json()
    figures = ("id", "kind", "asked_by", "compared", "equal", "healed", "cases", "problems")
    assert [[row[name] for name in figures] for row in rows] == [
        [2, "inventory", "test", 3, 2, 0, 0, ""],
        [1, "inventory", "test", 3, 1, 0, 2, ""],
    ]
    assert all(row["finished_at"] >= row["started_at"] for row in rows)
    page = (await http.get("/v1/ops/reconciliations", params={"limit": 1, "before": 2})).json()
    assert [row["id"] for row in page] == [1]
    problem(await http.get("/v1/ops/reconciliations", params={"limit": 0}), 422)


async def test_one_comparison_with_its_differences(http: httpx.AsyncClient) -> None:
    found = (await http.get("/v1/ops/reconciliations/1")).json()
    assert found["comparison"]["id"] == 1
    assert found["classes"] == [{"system": "wms", "difference": "phantom", "action": "case", "number": 2}]
    names = ("system", "sku", "location", "ours", "theirs", "difference", "action", "money")
    assert [[one[name] for name in names] for one in found["differences"]] == [
        ["wms", "B", "EAST", "5", "9", "phantom", "case", None],
        ["wms", "C", "WEST", "7", None, "phantom", "case", None],
    ]
    assert len((await http.get("/v1/ops/reconciliations/1", params={"limit": 1})).json()["differences"]) == 1
    assert problem(await http.get("/v1/ops/reconciliations/3"), 404)["fix"] == "GET /v1/ops/reconciliations"


async def test_a_key_figure_over_time(http: httpx.AsyncClient) -> None:
    points = (await http.get("/v1/ops/kpis/inventory_accuracy", params={"dimension": "wms/EAST"})).json()
    assert [(point["dimension"], point["value"]) for point in points] == [("wms/EAST", 1.0), ("wms/EAST", 0.5)]
    since = {"since": points[0]["at"], "limit": 2}
    newest = (await http.get("/v1/ops/kpis/inventory_accuracy", params=since)).json()
    assert [point["dimension"] for point in newest] == ["", "wms"]
    assert (await http.get("/v1/ops/kpis/inventory_accuracy", params={"dimension": "mars"})).json() == []
    assert problem(await http.get("/v1/ops/kpis/nothing"), 404)["field"] == "name"
