# SPDX-License-Identifier: Apache-2.0
"""A system whose answers a test writes down beforehand, and a driver on it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from crossdock.delivery.drive import Driver
from crossdock.delivery.system import System
from crossdock.inventory.feed import StockFeed
from crossdock.sdk.manifest import Limits, Sends
from crossdock.sdk.sending import Delivered, Exchange, Failed, Outcome, Outgoing
from tests.journal.filling import Filling, canonical_order

Answer = Outcome | BaseException
SALES_ORDER = Sends(operation="sales_order", object="sales_order", idempotency="lookup")


class Scripted:
    """A sender. `script`: answers by reference, one per try, the last one for good; without one it delivers.

    `has`: references whose effect the system has, as `find` tells. `looks`: what `find` raises, one per look.
    """

    def __init__(self) -> None:
        self.script: dict[str, Sequence[Answer]] = {}
        self.looks: list[BaseException] = []
        self.has: set[str] = set()
        self.log: list[tuple[str, str]] = []
        self.batches: list[list[Outgoing]] = []
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None
        self.closed = False
        self._now = 0

    async def send(self, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
        self.batches.append(list(batch))
        self.log += [("send", item.reference) for item in batch]
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            if self.gate is not None:
                await self.gate.wait()
            else:
                await asyncio.sleep(0)
            return [self._answer(item) for item in batch]
        finally:
            self._now -= 1

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        self.log += [("find", item.reference) for item in batch]
        if self.looks:
            raise self.looks.pop(0)
        return [Delivered(reference=f"found-{i.reference}") if i.reference in self.has else None for i in batch]

    async def close(self) -> None:
        self.closed = True

    def _answer(self, item: Outgoing) -> Outcome:
        answers = self.script.get(item.reference, ())
        answer = answers[0] if answers else None
        if len(answers) > 1:
            self.script[item.reference] = answers[1:]
        if isinstance(answer, BaseException):
            raise answer
        if answer is None or isinstance(answer, Delivered):
            self.has.add(item.reference)
        return answer or Delivered(reference=f"erp-{item.reference}", exchange=Exchange(method="PUT", status=200))


def failed(error: Any) -> Failed:
    return Failed(error=error)


def system(sender: Scripted, *operations: Sends, name: str = "netsuite", **changes: Any) -> System:
    """A system with one operation, `sales_order`, unless told otherwise."""
    values: dict[str, Any] = {
        "name": name,
        "sender": sender,
        "operations": {one.operation: one for one in operations or (SALES_ORDER,)},
        "limits": Limits(concurrency=4, timeout=5.0),
    }
    return System(**{**values, **changes})


@asynccontextmanager
async def driven(
    pool: asyncpg.Pool,
    given: System,
    worker: str = "w1",
    tries: list[tuple[str, str]] | None = None,
    feed: StockFeed | None = None,
) -> AsyncIterator[Driver]:
    """A driver at work as long as the block, with `feed` when the system is a channel; it ends in order."""
    stop = asyncio.Event()

    def note(name: str, outcome: str, _seconds: float) -> None:
        if tries is not None:
            tries.append((name, outcome))

    driver = Driver(pool, given, worker, stop, note, feed)
    running = [asyncio.create_task(driver.run())]
    if feed is not None:
        running.append(asyncio.create_task(feed.run(stop)))
    try:
        yield driver
    finally:
        stop.set()
        driver.wake()
        await asyncio.gather(*running)


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Return when `condition()`, awaited when it can be, holds; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if asyncio.iscoroutine(held):
                held = await held
            if held:
                return
            await asyncio.sleep(0.02)


class Owed:
    """Writes documents with deliveries and reads what became of them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._ids: dict[str, int] = defaultdict(int)

    async def order(self, name: str, *deliveries: dict[str, Any], key: str = "", **columns: Any) -> int:
        """A document of order `name` that owes `deliveries` (one to netsuite, if none are given); its id."""
        deliveries = deliveries or ({},)
        async with self._pool.acquire() as conn:
            fill = Filling(conn)
            values = {"open_deliveries": len(deliveries), "kind": "sales_order", **columns}
            document = await fill.document(
                key or f"order/shop/{name}", "delivering", "deliver", dedup_key=f"{name}-{len(self._ids)}", **values
            )
            self._ids[f"{name}-{len(self._ids)}"] = document
            for number, delivery in enumerate(deliveries):
                reference = name if number == 0 else f"{name}.{number}"
                await fill.delivery(
                    document,
                    **{
                        "key": key or f"order/shop/{name}",
                        "reference": reference,
                        "body": canonical_order(name),
                        **delivery,
                    },
                )
        return document

    async def states(self) -> dict[str, str]:
        """State of every delivery by reference."""
        rows = await self._pool.fetch("SELECT reference, state FROM delivery ORDER BY id")
        return {row["reference"]: row["state"] for row in rows}

    async def one(self, reference: str) -> dict[str, Any]:
        """A delivery with its document's state and its attempts."""
        row = await self._pool.fetchrow(
            "SELECT v.*, d.state AS document_state, d.open_deliveries "
            "FROM delivery v JOIN document d ON d.id = v.document_id WHERE v.reference = $1",
            reference,
        )
        tries = await self._pool.fetch(
            "SELECT outcome, error FROM delivery_attempt WHERE delivery_id = $1 ORDER BY number", row["id"]
        )
        return {**row, "tries": [try_["outcome"] for try_ in tries], "errors": [try_["error"] for try_ in tries]}

    async def at_rest(self) -> bool:
        """Nothing is due any more."""
        return not await self._pool.fetchval("SELECT count(*) FROM delivery WHERE state = 'due'")

    async def hurry(self) -> None:
        """As if the time until every next try had passed."""
        await self._pool.execute("UPDATE delivery SET next_at = now() WHERE state = 'due' AND next_at > now()")
