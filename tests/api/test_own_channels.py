# SPDX-License-Identifier: Apache-2.0
"""A caller that sees some channels only: those of others are to it as if they did not exist."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import httpx
import pytest

from crossdock.api.plain import App, Receive, Scope, Send, answering
from crossdock.api.reservations import PATH, ReservationsHandler
from crossdock.catalog.cache import Catalog
from crossdock.estate.consumers import SCOPES
from crossdock.governance.caller import Caller, let_in
from crossdock.inventory.reserve import Reserving
from tests.api.asking import asked_of
from tests.inventory.holding import rules, stocked

SHOP = "shop"


def as_caller(app: App, *channels: str) -> App:
    """`app` asked by who sees these channels only."""
    caller = Caller(
        consumer="portal", scopes=frozenset(SCOPES), channels=frozenset(channels), customers=frozenset(), plan=""
    )

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        let_in(cast(Any, scope), caller)
        await app(scope, receive, send)

    return answering(asked)


def client_of(app: App) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False), base_url="http://127.0.0.1"
    )


@pytest.mark.parametrize(
    "query",
    ["sku=CD-1001", "sku=CD-1001&sku=CD-1002", "sku=CD-1001&explain=true", "sku=CD-1001&as_of=2026-11-23T12:00:00Z"],
)
async def test_availability_of_another_channel_is_that_of_none(pool: asyncpg.Pool, query: str) -> None:
    async with asked_of(pool) as asked:
        # Kept ready by a question of somebody who may ask.
        assert (await asked.get("channel=shopify-us&sku=CD-1001")).status_code == 200
        async with client_of(as_caller(asked.handler, "other")) as client:
            foreign = await client.get(f"/v1/availability?channel=shopify-us&{query}")
            unknown = await client.get(f"/v1/availability?channel=no-such&{query}")
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.json() == {**unknown.json(), "detail": "stock is not sold on channel 'shopify-us'"}
        assert "shopify-us" not in foreign.json()["fix"]


async def test_availability_of_ones_own_channel(pool: asyncpg.Pool) -> None:
    async with asked_of(pool) as asked, client_of(as_caller(asked.handler, "shopify-us")) as client:
        for _ in range(2):
            assert (await client.get("/v1/availability?channel=shopify-us&sku=CD-1001")).status_code == 200
        body = {"channel": "shopify-us", "skus": ["CD-1001"]}
        assert (await client.post("/v1/availability:batch", json=body)).status_code == 200
        missing = await client.post("/v1/availability:batch", json={**body, "channel": "x"})
        assert (missing.status_code, missing.json()["fix"]) == (404, "put one of shopify-us")


@asynccontextmanager
async def desk(pool: asyncpg.Pool) -> AsyncIterator[ReservationsHandler]:
    await stocked(pool, ("CD-1", "EAST", 5))
    handler = ReservationsHandler(Reserving(pool, rules(), Catalog()), pool, rules(), lambda _verb, _outcome: None)
    yield handler
    await handler.close()


async def test_reservations_of_another_channel_are_not_there(pool: asyncpg.Pool) -> None:
    body = {"channel": SHOP, "ttl_seconds": 60, "lines": [{"sku": "CD-1", "quantity": "2"}]}
    async with (
        desk(pool) as handler,
        client_of(as_caller(handler, SHOP)) as own,
        client_of(as_caller(handler, "other")) as other,
    ):
        refused = await other.post(PATH, json=body, headers={"idempotency-key": "k"})
        none = await other.post(PATH, json={**body, "channel": "no-such"}, headers={"idempotency-key": "k"})
        assert refused.status_code == none.status_code == 404
        assert refused.json()["type"] == none.json()["type"] == "/problems/reservation.channel"
        assert refused.json()["fix"] == none.json()["fix"]
        made = await own.post(PATH, json=body, headers={"idempotency-key": "k"})
        assert made.status_code == 201
        one = f"{PATH}/{made.json()['id']}"
        unknown = f"{PATH}/rsv_{'0' * 28}"
        for method, verb, content in (
            ("GET", "", None),
            ("DELETE", "", None),
            ("POST", ":extend", {"ttl_seconds": 90}),
            ("POST", ":commit", {"order_key": "shop/1"}),
        ):
            foreign = await other.request(method, one + verb, json=content)
            absent = await other.request(method, unknown + verb, json=content)
            assert foreign.status_code == absent.status_code == 404
            assert foreign.json()["type"] == absent.json()["type"] == "/problems/reservation.unknown"
        assert (await own.get(one)).json()["state"] == "active"
        assert (await own.post(f"{one}:extend", json={"ttl_seconds": 90})).status_code == 200
        assert (await own.delete(one)).json()["state"] == "released"
