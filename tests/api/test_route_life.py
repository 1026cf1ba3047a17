# SPDX-License-Identifier: Apache-2.0
"""Routes that end say so: in every answer, in the contract, on its page; and it is known who calls them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest

from crossdock.api.access_table import TABLE
from crossdock.api.plain import answering
from crossdock.api.route_life import ROUTES, endings_of, unknown_routes
from crossdock.api.route_watch import RouteWatch
from crossdock.app.gateway import Front, web
from crossdock.app.usage import CallCounts
from crossdock.errors import NeedsConfig
from crossdock.estate.load import load_estate
from crossdock.intake.hooks import HookIntake
from crossdock.runtime.clock import now
from crossdock.runtime.groupcommit import GroupCommit
from tests.api.doors import HOT, echo, nothing_kept, path_of, staged_in
from tests.estate.estates import SOUND, write_estate

ENDS = """
deprecations:
  GET /v1/orders:
    deprecated_on: 2027-01-01
    sunset: 2027-07-01
    replaced_by: GET /v1/availability
    link: https://portal.example/changes
  GET /v1/orders/{id}: {deprecated_on: 2027-01-01, sunset: 2027-07-01, replaced_by: "GET /v1/products/{sku}"}
  GET /v1/ops/books: {deprecated_on: 2027-01-01, link: "https://portal.example/books"}
  POST /v1/prices:quote: {sunset: 2026-01-01, retired: true, replaced_by: GET /v1/availability}
"""
NOTICES = {"deprecation": "@1798761600", "sunset": "Thu, 01 Jul 2027 00:00:00 GMT"}


@asynccontextmanager
async def told(pool: asyncpg.Pool, folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, CallCounts]]:
    """A gateway without consumers, whose routes end as the estate says."""
    endings = endings_of(load_estate(write_estate(folder, SOUND + ENDS)))
    counts = CallCounts(pool)
    hooks = HookIntake({}, GroupCommit(nothing_kept, max_batch=1), now, lambda _interface, _outcome: None)
    rest = web(pool, "127.0.0.1", endings=endings)
    front = Front(hooks, rest, {name: answering(echo) for name in HOT}, None, RouteWatch(counts.tally, endings))
    transport = httpx.ASGITransport(cast(Any, front), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client, counts


async def test_every_answer_of_a_route_that_ends_says_so(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with told(pool, tmp_path) as (client, _):
        listed = await client.get("/v1/orders")
        assert listed.status_code == 200
        assert {name: listed.headers[name] for name in NOTICES} == NOTICES
        assert listed.headers.get_list("link") == [
            '<https://portal.example/changes>; rel="deprecation"',
            '</v1/availability>; rel="successor-version"',
        ]
        one = await client.get("/v1/orders/portal/1")
        assert {name: one.headers[name] for name in NOTICES} == NOTICES
        assert "link" not in one.headers  # a template is no address
        framed = await client.get("/v1/ops/books")
        assert (framed.status_code, framed.headers["deprecation"]) == (200, "@1798761600")
        assert "sunset" not in framed.headers
        refused = await client.get("/v1/ops/books?limit=x", headers={"host": "evil.example"})
        assert (refused.status_code, refused.headers["deprecation"]) == (421, "@1798761600")
        for path in ("/v1/availability", "/v1/ops/open", "/healthz"):
            assert "deprecation" not in (await client.get(path)).headers, path


async def test_a_retired_route_is_gone_and_says_what_to_use(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with told(pool, tmp_path) as (client, _):
        gone = await client.post("/v1/prices:quote", json={})
        assert (gone.status_code, gone.json()["type"]) == (410, "/problems/route.retired")
        assert gone.json()["fix"] == "use GET /v1/availability instead"
        assert gone.headers["sunset"] == "Thu, 01 Jan 2026 00:00:00 GMT"


async def test_the_contract_and_its_page_say_so_too(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with told(pool, tmp_path) as (client, _):
        paths = (await client.get("/openapi.json")).json()["paths"]
        marked = {
            f"{method.upper()} {path}"
            for path, item in paths.items()
            for method in item
            if item[method].get("deprecated")
        }
        assert marked == {"GET /v1/orders", "GET /v1/orders/{id}", "GET /v1/ops/books", "POST /v1/prices:quote"}
        operation = paths["/v1/orders"]["get"]
        assert (operation["x-sunset"], operation["x-replaced-by"]) == ("2027-07-01", "GET /v1/availability")
        assert all({"Deprecation", "Sunset", "Link"} <= set(one["headers"]) for one in operation["responses"].values())
        assert "410" in paths["/v1/prices:quote"]["post"]["responses"]
        page = (await client.get("/docs")).text
        assert page.count("<strong>Deprecated</strong>") == 4
        assert "gone from 2027-07-01 on" in page


async def test_who_calls_what_is_known_without_consumers_too(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with told(pool, tmp_path) as (client, counts):
        for path in ("/v1/orders", "/v1/orders", "/v1/orders/a/b", "/v1/availability", "/v1/nothing", "/healthz"):
            await client.get(path)
        await client.post("/v1/prices:quote", json={})
        await counts.share()
        used = (await client.get("/v1/ops/usage")).json()
        assert [(one["consumer"], one["route"], one["requests"], one["deprecated"]) for one in used] == [
            ("local", "GET /v1/orders", 2, True),
            ("local", "GET /v1/availability", 1, False),
            ("local", "GET /v1/orders/{id}", 1, True),
            ("local", "POST /v1/prices:quote", 1, True),
        ]
        assert (used[0]["sunset"], used[0]["replaced_by"]) == ("2027-07-01", "GET /v1/availability")
        ending = (await client.get("/v1/ops/usage", params={"deprecated": True, "route": "/v1/orders"})).json()
        assert [one["route"] for one in ending] == ["GET /v1/orders"]
        daily = (await client.get("/v1/ops/usage", params={"daily": True, "consumer": "local", "limit": 2})).json()
        assert [one["day"] for one in daily] == [f"{now():%Y-%m-%d}"] * 2
        unknown = await client.get("/v1/ops/usage", params={"route": "/v1/nothing"})
        assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/route.unknown")
        assert (await client.get("/v1/ops/usage", params={"since": "2999-01-01"})).json() == []


async def test_behind_the_door_it_is_the_consumer_that_is_counted(pool: asyncpg.Pool, tmp_path: Path) -> None:
    counts = CallCounts(pool)
    async with staged_in(pool, tmp_path, RouteWatch(counts.tally, {})) as staged:
        for credential in ("key partner", "token portal", "key narrow", "key revoked", None):
            await staged.ask("GET", "/v1/availability", credential)
        await counts.share()
        async with pool.acquire() as conn:
            rows = await conn.fetch("SELECT consumer, method, path, requests FROM route_usage ORDER BY consumer")
    # What the door refuses is no use: the key without the scope, the revoked one, none.
    assert [tuple(row) for row in rows] == [
        ("partner", "GET", "/v1/availability", 1),
        ("portal", "GET", "/v1/availability", 1),
    ]


def test_every_route_has_one_name() -> None:
    assert len(ROUTES) == len(TABLE)
    assert all(path_of(route).startswith("/v1/") for route in ROUTES.values())


def test_a_route_that_there_is_not_is_told(tmp_path: Path) -> None:
    text = (
        "deprecations:\n"
        "  GET /v1/orders/{number}: {link: https://x.example}\n"
        "  GET /v1/orders: {replaced_by: GET /v2/orders}\n"
    )
    estate = load_estate(write_estate(tmp_path, SOUND + text))
    first, second = unknown_routes(estate)
    assert first.what == "there is no route 'GET /v1/orders/{number}'"
    assert "GET /v1/orders/{id}" in first.fix
    assert second.what == "there is no route 'GET /v2/orders'"
    assert second.where.endswith("deprecations.GET /v1/orders.replaced_by")
    with pytest.raises(NeedsConfig, match="there is no route"):
        endings_of(estate)
