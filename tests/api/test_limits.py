# SPDX-License-Identifier: Apache-2.0
"""What plans allow, at the door: to the request, by a clock that is set."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import httpx
import pytest

from crossdock.api import door
from crossdock.api.door import Door
from crossdock.api.plain import Receive, Scope, Send, answer
from crossdock.estate.consumers import SCOPES
from crossdock.governance.caller import Caller
from crossdock.governance.consumers import Consumers
from crossdock.governance.issue_keys import KeyWish, create_key
from crossdock.governance.keyring import KeyRing
from crossdock.governance.meter import DAY, Limits
from crossdock.governance.share import FairShare
from crossdock.governance.tokens import Tokens
from crossdock.runtime.clock import now


class Limited:
    """A door whose clocks are set, before a route that ends when it is told to."""

    def __init__(self, ring: KeyRing, consumers: Consumers, keys: dict[str, str], at: list[float]) -> None:
        self.at = at
        self.go = asyncio.Event()
        self.go.set()
        self.inside = 0
        self.error: Exception | None = None
        self.entered: asyncio.Queue[None] = asyncio.Queue()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.keys = keys
        entrance = Door(ring, Tokens([], consumers, now), FairShare(1, patience=0.05), self._count)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast(Any, entrance.before(self._route)), raise_app_exceptions=False),
            base_url="http://127.0.0.1",
        )

    def _count(self, consumer: str, outcome: str) -> None:
        self.outcomes[consumer, outcome] += 1

    async def _route(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.inside += 1
        self.entered.put_nowait(None)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        await answer(send, 200, b"", [])

    async def get(self, key: str, path: str = "/v1/availability", method: str = "GET") -> httpx.Response:
        return await self.client.request(method, path, headers={"authorization": self.keys[key]})


@asynccontextmanager
async def limited(pool: asyncpg.Pool, **limits: Any) -> AsyncIterator[Limited]:
    at = [0.5 * DAY]
    plans = {"gold": Limits(name="gold", **limits), "none": Limits(name="none")}
    callers = {
        name: Caller(consumer=name, scopes=frozenset(SCOPES), channels=None, customers=None, plan=plan)
        for name, plan in (("one", "gold"), ("two", "gold"), ("free", "none"))
    }
    consumers = Consumers(callers, plans, lambda: round(at[0] * 1e9), lambda: at[0])
    ring = KeyRing(consumers, now)
    keys = {}
    async with pool.acquire() as conn:
        for name in ("one", "one", "two", "free"):
            made, _ = await create_key(conn, KeyWish(consumer=name))
            keys[f"{name} again" if name in keys else name] = f"Bearer {made.key.reveal()}"
        await ring.refresh(conn)
    made_of = Limited(ring, consumers, keys, at)
    async with made_of.client:
        yield made_of


async def test_limits_hold_to_the_request_and_are_told(pool: asyncpg.Pool) -> None:
    async with limited(pool, rate=2.0, burst=3, quota=6) as one:
        statuses = [(await one.get("one")).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        refused = await one.get("one again")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["ratelimit-policy"] == '"rate";q=3;w=2, "quota";q=6;w=86400'
        assert refused.headers["ratelimit"] == '"rate";r=0;t=2, "quota";r=3;t=43200'
        told = refused.json()
        assert (told["type"], told["status"], told["code"]) == ("/problems/access.rate", 429, "limited")
        # Others have limits of their own.
        assert (await one.get("two")).headers["ratelimit"] == '"rate";r=2;t=1, "quota";r=5;t=43200'
        assert "ratelimit" not in (await one.get("free")).headers
        one.at[0] += 60.0
        assert [(await one.get("one")).status_code for _ in range(3)] == [200, 200, 200]
        one.at[0] += 60.0
        over = await one.get("one")
        assert (over.status_code, over.json()["type"]) == (429, "/problems/access.quota")
        assert over.headers["retry-after"] == str(DAY // 2 - 120)
        assert one.outcomes["one", "let_in"] == one.inside - 2 == 6
        assert one.outcomes["one", "limited"] == 4


async def test_what_is_not_allowed_uses_the_plan_up_too(pool: asyncpg.Pool) -> None:
    async with limited(pool, rate=1.0, burst=2) as one:
        assert (await one.get("one", "/v1/nothing")).status_code == 404
        assert (await one.get("one", "/v1/nothing")).status_code == 404
        assert (await one.get("one")).status_code == 429
        assert one.inside == 0


async def test_so_many_at_once_and_a_place_comes_back_however_it_ends(pool: asyncpg.Pool) -> None:
    async with limited(pool, concurrency=2) as one:
        one.go.clear()
        running = [asyncio.create_task(one.get("one")) for _ in range(2)]
        for _ in running:
            await one.entered.get()
        refused = await one.get("one")
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/access.concurrency")
        running[0].cancel()
        await asyncio.gather(running[0], return_exceptions=True)
        one.go.set()
        assert (await one.get("one")).status_code == 200
        assert (await running[1]).status_code == 200
        assert (await one.get("one")).headers["ratelimit"] == '"concurrency";r=1'


async def test_costly_routes_share_the_places_there_are(pool: asyncpg.Pool) -> None:
    async with limited(pool) as one:
        one.go.clear()
        holder = asyncio.create_task(one.get("one", "/v1/ops/books"))
        await one.entered.get()
        busy = await one.get("two", "/v1/ops/books")
        assert (busy.status_code, busy.json()["type"]) == (503, "/problems/access.share")
        assert busy.headers["retry-after"]
        cheap = asyncio.create_task(one.get("two"))
        await one.entered.get()
        one.go.set()
        assert (await cheap).status_code == (await holder).status_code == 200
        assert one.outcomes["two", "busy"] == 1


async def test_nobody_keeps_a_place_for_ever(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LONGEST", 0.01)
    async with limited(pool) as one:
        one.go.clear()
        slow = await one.get("one", "/v1/ops/books")
        assert (slow.status_code, slow.json()["type"]) == (503, "/problems/access.time")
        one.go.set()
        assert (await one.get("one", "/v1/ops/books")).status_code == 200


async def test_a_time_out_of_something_else_is_not_told_as_ours(pool: asyncpg.Pool) -> None:
    async with limited(pool) as one:
        one.error = TimeoutError("a lock within")
        failed = await one.get("one", "/v1/ops/books")
        assert (failed.status_code, failed.json()["type"]) == (500, "/problems/unexpected")
