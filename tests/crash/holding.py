# SPDX-License-Identifier: Apache-2.0
"""Eight buyers who hold, commit and give back scarce goods at two gateways, and remember what they were told."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import aiohttp
from msgspec import Struct, field

CLIENTS = 8
SKUS, PLACES = 20, ("EAST", "WEST")
TTLS = (1, 2, 3)
PATIENCE = 45.0
Pair = tuple[str, str]


class Held(Struct, kw_only=True):
    """A reservation as its buyer knows it. `sure`: when it was answered; `until`: from when the buyer does not count on
    it any more, in seconds since 1970."""

    key: str
    body: dict[str, Any]
    id: str
    taken: list[tuple[Pair, int]]
    sure: float
    until: float
    state: str = "active"


class Seen(Struct):
    """All that the buyers of one run were told."""

    held: list[Held] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Buyer:
    """One client: every call is repeated, at either gateway, until it is answered."""

    def __init__(self, seen: Seen, urls: list[str], prefix: str, rng: random.Random, name: int) -> None:
        self._seen, self._urls, self._prefix, self._rng, self._name = seen, urls, prefix, rng, name
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))

    async def shop(self, until: float) -> None:
        """Hold, and then extend, commit, give back or forget, until the time is over."""
        try:
            number = 0
            while time.monotonic() < until:
                number += 1
                one = await self._hold(f"{self._prefix}-{self._name}-{number}")
                if one is not None:
                    await self._go_on(one)
        finally:
            await self._session.close()

    async def _hold(self, key: str) -> Held | None:
        rng = self._rng
        lines = [
            {"sku": f"{self._prefix}-{number:02}", "quantity": str(rng.choice((1, 1, 2, 3)))}
            for number in rng.sample(range(SKUS), rng.choice((1, 1, 2, 3)))
        ]
        ttl = rng.choice(TTLS)
        body = {"channel": rng.choice(("shop", "portal")), "reference": key, "ttl_seconds": ttl, "lines": lines}
        status, told = await self.call("POST", "", body, key)
        if status == 409:
            if told["type"] != "/problems/stock.not_enough":
                self._seen.wrong.append(f"{key}: {told}")
            return None
        if status != 201:
            self._seen.wrong.append(f"{key}: {status} {told}")
            return None
        goods = [
            ((one["sku"], one["location"]), int(one["quantity"])) for line in told["lines"] for one in line["taken"]
        ]
        # An answer that came late may be of a reservation whose time was over by then.
        begun, over = time.time(), _seconds(told["expires_at"])
        made = Held(key=key, body=body, id=told["id"], taken=goods, sure=begun, until=over)
        self._seen.held.append(made)
        return made

    async def _go_on(self, one: Held) -> None:
        fate = self._rng.random()
        if fate < 0.25:
            await self._commit(one)
        elif fate < 0.5:
            one.until = min(one.until, time.time())
            status, told = await self.call("DELETE", f"/{one.id}")
            self._expect(one, status, told, {200: {"released", "expired"}})
            one.state = told.get("state", "?")
        elif fate < 0.65:
            status, told = await self.call("POST", f"/{one.id}:extend", {"ttl_seconds": 3})
            self._expect(one, status, told, {200: {"active"}, 409: {"expired"}})
            if status == 200:
                one.until = _seconds(told["expires_at"])
        if 0.6 < fate < 0.65 and one.state == "active":
            await self._commit(one)

    async def _commit(self, one: Held) -> None:
        status, told = await self.call("POST", f"/{one.id}:commit", {"order_key": f"shop/{one.key}"})
        self._expect(one, status, told, {200: {"committed"}, 409: {"expired"}})
        if status == 200:
            one.state, one.until = "committed", float("inf")

    def _expect(self, one: Held, status: int, told: dict[str, Any], allowed: dict[int, set[str]]) -> None:
        state = told.get("state") or told.get("type", "").rpartition(".")[2]
        if state not in allowed.get(status, set()):
            self._seen.wrong.append(f"{one.key}: {status} {told}")

    async def call(self, method: str, tail: str, body: Any = None, key: str = "") -> tuple[int, dict[str, Any]]:
        """The answer to a call, made again at the gateways in turn until there is one."""
        return await call(self._session, self._urls, (method, tail, body, key), self._seen.statuses, self._rng)


async def call(
    session: aiohttp.ClientSession,
    urls: list[str],
    what: tuple[str, str, Any, str],
    statuses: Counter[str],
    rng: random.Random,
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of (method, what follows the path, body, idempotency key). AssertionError without an answer."""
    method, tail, body, key = what
    until = time.monotonic() + PATIENCE
    for url in _in_turn(urls, rng):
        try:
            headers = {"Idempotency-Key": key} if key else {}
            async with session.request(method, f"{url}/v1/reservations{tail}", json=body, headers=headers) as answer:
                told = await answer.json(content_type=None)
                if answer.status != 503:
                    statuses[f"{method}{tail[34:]} {answer.status}"] += 1
                    return answer.status, told
                statuses["503"] += 1
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            statuses["no answer"] += 1
        assert time.monotonic() < until, f"{method} {tail}: no answer for {PATIENCE:g} s"
        await asyncio.sleep(0.03)
    raise AssertionError("urls ran out")


def _in_turn(urls: list[str], rng: random.Random) -> Iterator[str]:
    while True:
        yield from rng.sample(urls, len(urls))


def most_promised(held: list[Held]) -> Counter[Pair]:
    """The most units of each SKU and location that buyers counted on at one moment."""
    moments: defaultdict[Pair, list[tuple[float, int]]] = defaultdict(list)
    for one in held:
        if one.sure < one.until:
            for pair, quantity in one.taken:
                moments[pair] += [(one.sure, quantity), (one.until, -quantity)]
    most: Counter[Pair] = Counter()
    for pair, changes in moments.items():
        now = 0
        for _, change in sorted(changes):
            now += change
            most[pair] = max(most[pair], now)
    return most


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
