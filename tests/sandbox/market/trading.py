# SPDX-License-Identifier: Apache-2.0
"""Calls to the simulated market, and a small Crossdock that takes reservations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from crossdock.sandbox.market import MarketSim
from tests.sandbox import inbox
from tests.sandbox.inbox import Got

AUTH = {"Authorization": "Bearer market-token"}
SECRET = "whsec_Y3Jvc3Nkb2NrLXNhbmRib3gtbWFya2V0LXNlY3JldC0wMQ=="
TOPICS = ("order.placed", "order.cancelled")


def item(sku: str = "CD-00001", available: Any = 30, sequence: Any = 1, **changed: Any) -> dict[str, Any]:
    return {"sku": sku, "available": available, "sequence": sequence, "as_of": "2026-11-23T12:00:00Z", **changed}


async def put(http: aiohttp.ClientSession, sim: MarketSim, *items: Any) -> list[dict[str, Any]]:
    async with http.put(f"{sim.url}/api/v1/availability", json={"items": items}, headers=AUTH) as answer:
        assert answer.status == 207
        results: list[dict[str, Any]] = (await answer.json())["results"]
        return results


async def call(http: aiohttp.ClientSession, sim: MarketSim, method: str, path: str, **options: Any) -> tuple[int, Any]:
    async with http.request(method, f"{sim.url}/api/v1{path}", headers=AUTH, **options) as answer:
        return answer.status, await answer.json(content_type=None)


async def control(http: aiohttp.ClientSession, sim: MarketSim, tail: str, **body: Any) -> Any:
    async with http.request("POST" if body else "GET", f"{sim.url}/_sim/{tail}", json=body or None) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def sell(http: aiohttp.ClientSession, sim: MarketSim, **wanted: Any) -> dict[str, Any]:
    """Run a sale to its end; the run."""
    started = await control(http, sim, "sell", **wanted)
    async with asyncio.timeout(20):
        await sim.runs.finished()
    run: dict[str, Any] = await control(http, sim, f"runs/{started['id']}")
    return run


def verify(got: Got) -> dict[str, Any]:
    """Check the market's signature and return the body."""
    return inbox.verify(got, SECRET)


@dataclass
class Crossdock(inbox.Served):
    """Takes reservations as the published API does: all lines or none, once per idempotency key.

    `trouble(n)`: what to answer to the nth call in its place, after the work is done; 0 = the right answer.
    """

    stock: dict[str, int]
    trouble: Callable[[int], int] = lambda _number: 0
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    calls: int = 0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.calls += 1
        if request.method == "DELETE":
            ident = request.path.removeprefix("/v1/reservations/")
            status = 404 if ident in self.released else 204
            self.released += [ident] if status == 204 else []
            answer: Any = {}
        else:
            assert (request.method, request.path) == ("POST", "/v1/reservations")
            status, answer = self._reserve(request.headers["Idempotency-Key"], json.loads(await request.read()))
        trouble = self.trouble(self.calls)
        return web.Response(status=trouble or status, body=json.dumps(answer).encode())

    def _reserve(self, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.keys.append(key)
        if key in self.held:
            return 201, self.held[key]
        wanted = {line["sku"]: int(line["quantity"]) for line in body["lines"]}
        if any(self.stock.get(sku, 0) < units for sku, units in wanted.items()):
            return 409, {"type": "/problems/not-enough", "status": 409}
        for sku, units in wanted.items():
            self.stock[sku] -= units
        made = {"id": f"rsv_{len(self.held)}", "state": "active", "expires_at": "2026-11-23T12:15:00Z", **body}
        self.held[key] = made
        return 201, made
