# SPDX-License-Identifier: Apache-2.0
"""Every read has an ETag, and answers 304 to who has it already; what is nested too deeply is refused everywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import asyncpg
import httpx
import pytest
import pytest_asyncio

from crossdock.api.access_table import TABLE
from crossdock.api.conditional import conditional
from crossdock.api.plain import Receive, Scope, Send, answer
from tests.api.doors import front_of, path_of

DEEP = b'{"a":' * 200_000 + b"1" + b"}" * 200_000
QUERIES = {"/v1/ops/search": "?q=x"}


@pytest_asyncio.fixture
async def client(pool: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(cast(Any, front_of(pool, None)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as made:
        yield made


async def test_every_read_that_finds_something_has_a_tag(client: httpx.AsyncClient) -> None:
    found = 0
    for route in TABLE:
        if route.method != "GET":
            continue
        path = path_of(route) + QUERIES.get(route.path, "")
        first = await client.get(path)
        if first.status_code != 200:
            assert "etag" not in first.headers, path
            continue
        found += 1
        tag = first.headers["etag"]
        if route.path in ("/v1/ops/overview", "/v1/ops/systems"):
            continue  # they say what time it is
        again = await client.get(path, headers={"if-none-match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
        assert {"content-type", "content-length"} & set(again.headers) == set(), path
        other = await client.get(path, headers={"if-none-match": '"other"'})
        assert (other.status_code, other.content) == (200, first.content), path
    assert found >= 20


async def test_what_has_a_tag_or_comes_in_pieces_passes_as_it_is() -> None:
    async def tagged(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, b"mine", [(b"etag", b'"own"')])

    async def pieces(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"two"})

    async def posted(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, b"done", [])

    for app, method, tag, body in (
        (tagged, "GET", '"own"', b"mine"),
        (pieces, "GET", None, b"onetwo"),
        (posted, "POST", None, b"done"),
    ):
        transport = httpx.ASGITransport(cast(Any, conditional(app)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            got = await client.request(method, "/v1/x")
        assert (got.headers.get("etag"), got.content) == (tag, body)


async def test_the_contract_tells_of_tags(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path, item in paths.items():
        if "get" in item and path.startswith("/v1/"):
            assert "ETag" in item["get"]["responses"]["200"]["headers"], path
            assert "304" in item["get"]["responses"], path
            named = [one["name"] for one in item["get"]["parameters"] if one["in"] == "header"]
            assert named.count("If-None-Match") == 1, path


@pytest.mark.parametrize("body", [DEEP, b"[" * 200_000, b'{"case_ids":' * 5_000 + b"1" + b"}" * 5_000])
async def test_what_is_nested_too_deeply_is_refused_by_the_framework_s_routes(pool: asyncpg.Pool, body: bytes) -> None:
    asked = 0
    transport = httpx.ASGITransport(cast(Any, front_of(pool, None, hot={})), raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
    for route in TABLE:
        if route.method == "POST" and route.path.startswith(("/v1/ops", "/v1/subscriptions")):
            got = await client.post(path_of(route), content=body, headers={"content-type": "application/json"})
            assert got.status_code in (400, 413, 422), f"{route.path}: {got.status_code} {got.text[:300]}"
            assert got.headers["content-type"] == "application/problem+json"
            asked += 1
    await client.aclose()
    assert asked >= 5
