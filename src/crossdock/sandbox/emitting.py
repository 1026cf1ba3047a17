# SPDX-License-Identifier: Apache-2.0
"""Guaranteed Delivery of a vendor's webhooks: at least once, retried on the vendor's schedule, with faults on the
way."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from crossdock.sandbox.books import Books
from crossdock.sandbox.faults import EVENT_KINDS, FaultBook


class Subscription(msgspec.Struct, forbid_unknown_fields=True):
    """Events of `topic` are sent to exactly `url`."""

    topic: str
    url: str


class Delivery(msgspec.Struct):
    """One event on its way to one subscription. `id` is the same on every attempt."""

    id: str
    topic: str
    url: str
    key: str
    body: str
    """The raw bytes as Latin-1 text, so that broken UTF-8 survives the JSONL books; empty once acknowledged."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    attempts: int = 0
    failures: int = 0
    """Failed attempts in a row, extra copies not counted."""
    statuses: list[int | None] = msgspec.field(default_factory=list)
    """HTTP status of the last attempts; None where no answer came."""
    acknowledged: int = 0
    state: str = "pending"
    forge: bool = False
    """The signature is to be a wrong one (fault `bad_signature`)."""


class Event(msgspec.Struct, frozen=True):
    """What happened, as the vendor tells it: the raw body, and per subscription the delivery id and the fixed
    headers."""

    topic: str
    body: bytes
    key: str
    identify: Callable[[int], tuple[str, dict[str, str]]]


class EmitterRules(msgspec.Struct, frozen=True):
    """`schedule` holds the seconds before each retry; `drop_after` failed attempts of one event delete its
    subscription."""

    schedule: tuple[float, ...]
    timeout: float = 5.0
    concurrency: int = 32
    drop_after: int | None = None


Sign = Callable[[Delivery, bytes], dict[str, str]]
"""The headers of one attempt, made at the moment it is sent."""


class Emitter:
    """Sends events until they are acknowledged with any 2xx or their retries are used up."""

    def __init__(
        self, subscriptions: Sequence[Subscription], rules: EmitterRules, sign: Sign, books: Books, faults: FaultBook
    ) -> None:
        self.subscriptions = list(subscriptions)
        self.rules = rules
        self.concurrency = rules.concurrency
        self._sign = sign
        self._books = books
        self._faults = faults
        self._heap: list[tuple[float, int, Delivery, bytes, bool]] = []
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pump: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Begin to send, first what an earlier process of this simulator left unacknowledged."""
        timeout = aiohttp.ClientTimeout(total=self.rules.timeout)
        connector = aiohttp.TCPConnector(limit=0, force_close=False)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        for row in self._books.table("deliveries").values():
            delivery = msgspec.convert(row, Delivery)
            if delivery.state == "pending":
                self._push(0.0, delivery, delivery.body.encode("latin-1"))
        self._pump = asyncio.create_task(self._run(self._session))

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._pump] if self._pump else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def emit(self, event: Event, *, copies: int = 1, delay: float = 0.0) -> int:
        """Queue an event for every subscription of its topic; return how many deliveries that makes.

        `copies` above 1 send it again under the same id, as at-least-once delivery does. `delay` is in seconds.
        """
        targets = [entry for entry in self.subscriptions if entry.topic == event.topic]
        for place, subscription in enumerate(targets):
            ident, headers = event.identify(place)
            delivery = Delivery(ident, event.topic, subscription.url, event.key, event.body.decode("latin-1"), headers)
            drawn = self._faults.draw(EVENT_KINDS, event.topic)
            delivery.forge = "bad_signature" in drawn
            self._save(delivery)
            wait = delay
            if "late" in drawn:
                wait += drawn["late"].seconds
            if "reorder" in drawn:
                wait += self._faults.rng.uniform(0, drawn["reorder"].seconds)
            self._push(wait, delivery, event.body)
            for _ in range(copies - 1 + ("duplicates" in drawn)):
                self._push(wait + self._faults.rng.uniform(0, 0.05), delivery, event.body, extra=True)
        return len(targets)

    @property
    def waiting(self) -> int:
        """Deliveries and extra copies that are queued or on the wire."""
        return len(self._heap) + len(self._tasks)

    async def room(self, limit: int = 5_000) -> None:
        """Wait until fewer than `limit` deliveries are under way, so that a long run stays bounded in memory."""
        while self.waiting >= limit:
            self._drained.clear()
            await self._drained.wait()

    def clear(self) -> None:
        self._heap.clear()

    def _push(self, delay: float, delivery: Delivery, body: bytes, *, extra: bool = False) -> None:
        heapq.heappush(self._heap, (time.monotonic() + delay, next(self._order), delivery, body, extra))
        self._wake.set()

    async def _run(self, session: aiohttp.ClientSession) -> None:
        while True:
            while self._heap and len(self._tasks) < self.concurrency and self._heap[0][0] <= time.monotonic():
                _, _, delivery, body, extra = heapq.heappop(self._heap)
                task = asyncio.create_task(self._attempt(session, delivery, body, extra))
                self._tasks.add(task)
                task.add_done_callback(self._finished)
            pause = None
            if self._heap and len(self._tasks) < self.concurrency:
                pause = max(0.0, self._heap[0][0] - time.monotonic())
            self._wake.clear()
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the wake-up.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()
        self._drained.set()

    async def _attempt(self, session: aiohttp.ClientSession, delivery: Delivery, body: bytes, extra: bool) -> None:
        headers = {"Content-Type": "application/json", **self._sign(delivery, body)}
        status: int | None = None
        try:
            async with session.post(delivery.url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = None
        delivery.attempts += 1
        delivery.statuses = [*delivery.statuses[-11:], status]
        if status is not None and 200 <= status < 300:
            delivery.acknowledged += 1
            delivery.state = "acknowledged"
            delivery.body = ""  # the headers stay: an extra copy may still be on its way
        elif not extra and delivery.state == "pending":
            self._failed(delivery, body)
        self._save(delivery)

    def _failed(self, delivery: Delivery, body: bytes) -> None:
        delivery.failures += 1
        if self.rules.drop_after is not None and delivery.failures >= self.rules.drop_after:
            gone = (delivery.topic, delivery.url)
            self.subscriptions = [entry for entry in self.subscriptions if (entry.topic, entry.url) != gone]
        if delivery.failures > len(self.rules.schedule):
            delivery.state = "given_up"
            delivery.body = ""
        else:
            self._push(self.rules.schedule[delivery.failures - 1], delivery, body)

    def _save(self, delivery: Delivery) -> None:
        self._books.put("deliveries", delivery.id, msgspec.to_builtins(delivery))

    def counts(self) -> dict[str, Any]:
        rows = self._books.table("deliveries").values()
        states: dict[str, int] = {"pending": 0, "acknowledged": 0, "given_up": 0}
        attempts = duplicates = 0
        for row in rows:
            states[row["state"]] += 1
            attempts += row["attempts"]
            duplicates += max(0, row["acknowledged"] - 1)
        return {
            "deliveries": len(rows),
            **states,
            "attempts": attempts,
            "acknowledged_again": duplicates,
            "waiting": self.waiting,
        }
