# SPDX-License-Identifier: Apache-2.0
"""A portal's client of Crossdock's public reservations: hold goods before the buyer orders, give back what is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from crossdock.sandbox.market.records import Wanted

CALL_SECONDS = 10.0
FIRST_WAIT = 0.05
LONGEST_WAIT = 2.0
GONE = frozenset({404, 409, 410})
"""Answers to a release that say: there is nothing left to give back."""


class Reserved(msgspec.Struct):
    """What Crossdock answered; further fields are left alone."""

    id: str
    state: str = ""
    expires_at: str = ""


class Unreachable(Exception):
    """No usable answer came within the portal's patience; whether the goods are held nobody knows."""


class Unwanted(Exception):
    """Crossdock refuses the call itself: the run is set up wrongly."""


class Reserving(msgspec.Struct, frozen=True):
    """Where and how to reserve. `url` is Crossdock's base address, `channel` our name there, `patience` the seconds
    that one call is tried for."""

    url: str
    channel: str
    ttl_seconds: int
    patience: float
    token: str = ""


@asynccontextmanager
async def reserving(how: Reserving) -> AsyncIterator[Reservations]:
    """Reservations at Crossdock for as long as the block lasts."""
    headers = {"Authorization": f"Bearer {how.token}"} if how.token else {}
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        yield Reservations(how, session)


class Reservations:
    """Every call is repeated with the same key until an answer comes; `retries` counts how often that was."""

    def __init__(self, how: Reserving, session: aiohttp.ClientSession) -> None:
        self._how = how
        self._session = session
        self._base = how.url.rstrip("/") + "/v1/reservations"
        self.retries = 0

    async def reserve(self, key: str, reference: str, wanted: Wanted) -> Reserved | None:
        """Hold `wanted` under idempotency key `key`; None when there is not enough. Raises Unreachable, Unwanted."""
        lines = [
            {"line": str(place), "sku": sku, "quantity": str(units), "unit": "EA"}
            for place, (sku, units) in enumerate(wanted, start=1)
        ]
        body = {
            "channel": self._how.channel,
            "reference": reference,
            "ttl_seconds": self._how.ttl_seconds,
            "lines": lines,
        }
        status, content = await self._persist("POST", self._base, {"Idempotency-Key": key}, body)
        if status == 409:
            return None
        if status not in (200, 201):
            raise _unwanted("POST", status, content)
        return msgspec.json.decode(content, type=Reserved)

    async def release(self, ident: str) -> None:
        """Give a reservation back. Raises Unreachable, Unwanted."""
        status, content = await self._persist("DELETE", f"{self._base}/{ident}", {}, None)
        if not 200 <= status < 300 and status not in GONE:
            raise _unwanted("DELETE", status, content)

    async def _persist(self, method: str, url: str, headers: dict[str, str], body: Any) -> tuple[int, bytes]:
        """The first answer that is neither 429 nor 5xx, nor asks in another way to come again."""
        until = time.monotonic() + self._how.patience
        wait = FIRST_WAIT
        while True:
            asked = 0.0
            try:
                async with self._session.request(method, url, headers=headers, json=body) as answer:
                    content = await answer.read()
                    again = answer.status == 409 and "Retry-After" in answer.headers
                    if answer.status != 429 and answer.status < 500 and not again:
                        return answer.status, content
                    asked = _seconds(answer.headers.get("Retry-After", ""))
                    said = f"status {answer.status}"
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                said = type(error).__name__
            pause = min(LONGEST_WAIT, max(wait, asked))
            if time.monotonic() + pause > until:
                raise Unreachable(f"{method} {url}: no answer for {self._how.patience:g} s, at last {said}")
            self.retries += 1
            await asyncio.sleep(pause)
            wait *= 2


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _unwanted(method: str, status: int, content: bytes) -> Unwanted:
    return Unwanted(f"{method} /v1/reservations answered {status}: {content[:500].decode('utf-8', 'replace')}")
