# SPDX-License-Identifier: Apache-2.0
"""Drive all webhooks (Guaranteed Delivery): follow the outbox, send what is due, write how it ended.

One worker at a time, under a lease with a fence. What was under way when it died is sent again by the next: at least
once, with the event's id as `webhook-id`. Every endpoint has its own bounded number of calls, each with a deadline, so
that a slow one holds up nobody.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import structlog

from crossdock.errors import EngineAway
from crossdock.runtime.clock import now
from crossdock.runtime.outward import Reach
from crossdock.runtime.postgres import away
from crossdock.subscriptions.endpoint import Endpoint, facts_in
from crossdock.subscriptions.fan_out import Backlog, fan_out
from crossdock.subscriptions.judge import Outcome
from crossdock.subscriptions.record import Tried, record
from crossdock.subscriptions.subscription import SQL
from crossdock.subscriptions.webhook import CALL_SECONDS, MOST_DATA, Webhook, webhooks_of

LEASE_SECONDS = 5.0
LEASE_MARGIN = 1.0
IDLE_SECONDS = 0.5
# After a round that failed: the database is away, or something is wrong.
FAILED_SECONDS = 1.0
# Outcomes and new work are gathered this long: one transaction for many.
GATHER_SECONDS = 0.05
MOST_RECORDED = 500
# Of events that a round takes from the outbox, each once for all who are told of it.
CLAIMED_BYTES = 32_000_000

log = structlog.get_logger(__name__)


class WebhookDriver:
    """Delivers webhooks until `stop` is set. `source`: of events; `sent` is told (outcome, seconds) of every try."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        reach: Reach,
        source: str,
        worker: str,
        stop: asyncio.Event,
        sent: Callable[[str, float], None],
    ) -> None:
        self._pool = pool
        self._reach = reach
        self._source = source
        self._worker = worker
        self._stop = stop
        self._sent = sent
        self._rng = random.Random()  # noqa: S311 - jitter, no secret
        self._endpoints: dict[str, Endpoint] = {}
        self._done: deque[Tried] = deque()
        self._backlog = Backlog()
        self._fence = 0
        self._renew_at = 0.0
        self._ours_until = 0.0
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There may be events to be told."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until stopped; survives an absent database, and gives the lease back at the end."""
        while not self._stop.is_set():
            pause = FAILED_SECONDS
            await asyncio.sleep(GATHER_SECONDS)
            try:
                with away():
                    busy = await self.turn()
            except EngineAway as error:
                log.warning("webhook.engine_away", reason=error.reason)
            except Exception:  # edge: a round that failed must not end the deliveries
                log.exception("webhook.round_failed")
            else:
                pause = 0.0 if busy else IDLE_SECONDS
            await self._pause(pause)
        await self.close()

    async def turn(self) -> bool:
        """One round: renew the lease, write what ended, look for events, send what is due. Whether there is more to do
        at once."""
        clock = asyncio.get_running_loop().time()
        if clock >= self._renew_at and not await self._hold(clock):
            return False
        await self._record()
        await self._look()
        if not self._endpoints:
            return False
        async with self._pool.acquire() as conn:
            places = {
                one: (each.facts.xid, each.facts.event_id) for one, each in self._endpoints.items() if not each.retired
            }
            more = await fan_out(conn, self._fence, places, self._backlog, now())
        await self._send()
        return more or bool(self._done)

    async def settled(self) -> None:
        """Return when nothing is under way and all that ended is written: for who makes rounds by hand."""
        while any(one.under_way for one in self._endpoints.values()) or self._done:
            if self._done:
                await self._record()
            else:
                self._wake.clear()
                await self._wake.wait()

    async def close(self) -> None:
        """Let calls end, write what they said, give the lease back."""
        await asyncio.gather(*(one.close(CALL_SECONDS) for one in self._endpoints.values()))
        try:
            with away():
                await self._record()
                await self._pool.execute(SQL.release_lease, self._worker, self._fence)
        except EngineAway as error:
            log.warning("webhook.not_released", reason=error.reason)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _hold(self, clock: float) -> bool:
        fence = await self._pool.fetchval(SQL.hold_lease, self._worker, LEASE_SECONDS)
        if fence is None:
            return False
        if fence != self._fence:
            log.info("webhook.drives", fence=fence)
        self._fence = fence
        self._renew_at = clock + LEASE_SECONDS / 3
        self._ours_until = clock + LEASE_SECONDS - LEASE_MARGIN
        return True

    def _ours(self) -> bool:
        return asyncio.get_running_loop().time() < self._ours_until

    async def _look(self) -> None:
        """Take up what the database says of subscriptions: new ones, changed ones, those that are no more."""
        rows = await self._pool.fetch(SQL.active, now())
        active = {row["id"]: facts_in(row) for row in rows}
        for gone in self._endpoints.keys() - active.keys():
            self._endpoints[gone].retire()
            if not self._endpoints[gone].under_way:
                await self._endpoints.pop(gone).close(0.0)
        for one, facts in active.items():
            if one in self._endpoints:
                self._endpoints[one].update(facts)
                await self._endpoints[one].tidy()
            else:
                self._endpoints[one] = Endpoint(facts, self._reach, self._ended, self._ours)

    async def _send(self) -> None:
        at = now()
        rooms = [(one, each.room(at), each.failing) for one, each in self._endpoints.items() if each.room(at) > 0]
        if not rooms:
            return
        under_way = [number for each in self._endpoints.values() for number in each.under_way]
        columns = [list(column) for column in zip(*rooms, strict=True)]
        rows = await self._pool.fetch(SQL.claim, *columns, at, under_way)
        # What does not fit is claimed again when some of this ended.
        places = list(dict.fromkeys((row["xid"], row["event_id"]) for row in rows))
        events = await self._pool.fetch(
            SQL.events_at, [xid for xid, _ in places], [number for _, number in places], MOST_DATA, CLAIMED_BYTES
        )
        claimed: dict[str, list[Webhook]] = {}
        for webhook in webhooks_of(rows, events, self._source):
            claimed.setdefault(webhook.subscription, []).append(webhook)
        for one, webhooks in claimed.items():
            self._endpoints[one].start(webhooks)

    def _ended(self, webhook: Webhook, outcome: Outcome) -> None:
        self._sent(outcome.kind, outcome.milliseconds / 1000)
        self._done.append((webhook, outcome))
        self._wake.set()

    async def _record(self) -> None:
        """Write what ended; on a lost connection it stays queued and is written by the next round."""
        while self._done:
            batch = [self._done[index] for index in range(min(len(self._done), MOST_RECORDED))]
            async with self._pool.acquire() as conn, conn.transaction():
                await record(conn, self._fence, batch, now(), self._rng)
            for webhook, _ in batch:
                self._done.popleft()
                if webhook.subscription in self._endpoints:
                    self._endpoints[webhook.subscription].written(webhook.number)
