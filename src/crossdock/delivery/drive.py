# SPDX-License-Identifier: Apache-2.0
"""Drive one system (Guaranteed Delivery): claim what is due, send within its limits, record how it ended.

One worker at a time drives a system, under a lease with a fence, so concurrency, rate and breaker hold exactly across
all workers. What was being sent when a worker died is looked for before it is sent again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import asyncpg
import structlog
from asyncpg.exceptions import DeadlockDetectedError

from crossdock.delivery.breaker import Breaker
from crossdock.delivery.claim import LEASE_SECONDS, claim, hold, release, take_over
from crossdock.delivery.judge import Verdict, judge
from crossdock.delivery.owe import SQL
from crossdock.delivery.price import PricePublisher
from crossdock.delivery.rate import TokenBucket
from crossdock.delivery.record import record
from crossdock.delivery.send import send
from crossdock.delivery.stock import StockPublisher
from crossdock.delivery.system import Item, System, Tried
from crossdock.errors import EngineAway, NeedsConfig
from crossdock.inventory.feed import StockFeed
from crossdock.journal.record import storable
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away
from crossdock.sdk.sending import Failed

IDLE_SECONDS = 0.25
# Outcomes and new work are gathered this long: one transaction for many, at the price of a moment's delay.
GATHER_SECONDS = 0.06
# Longer when outcomes come thick: a transaction costs a dozen statements, whether for ten outcomes or for a hundred.
LONGER_SECONDS = 0.2
THICK = 12
MOST_RECORDED = 500
CONFIG_PAUSE = 15.0
# Enough claimed ahead that the system's slots are never idle, few enough that a crash leaves little to look for.
AHEAD = 16
NOT_OURS_SECONDS = 1.0
# Nothing is begun in the last part of a lease, which another worker may see end a little earlier than we do.
LEASE_MARGIN = 1.0
# A system that says "too much" is left alone as long as it asks, up to this.
LONGEST_REST = 60.0

log = structlog.get_logger(__name__)


class Driver:
    """Drives one system until `stop` is set. `tried` is told (system, outcome, seconds) of every try, for metrics.

    `feed`: where a channel's stock is read from, with the catalog for its prices; it is told neither without.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        system: System,
        worker: str,
        stop: asyncio.Event,
        tried: Callable[[str, str, float], None],
        feed: StockFeed | None = None,
    ) -> None:
        self._pool = pool
        self._system = system
        self._worker = worker
        self._stop = stop
        self._tried = tried
        self._fence = 0
        self._paused = False
        self._renew_at = 0.0
        self._ours_until = 0.0
        self._rest_until = 0.0
        self._breaker = Breaker()
        self._bucket = TokenBucket(system.limits.rate, system.limits.burst or 1) if system.limits.rate else None
        self._slots = asyncio.Semaphore(system.limits.concurrency)
        self._under_way: set[int] = set()
        # Claim → how many of its deliveries have no outcome written yet.
        self._claims: dict[int, int] = {}
        # What is claimed and not begun, and the tasks that send it, one call after the other.
        self._queue: deque[tuple[str, list[Item]]] = deque()
        self._callers = 0
        self._calls: set[asyncio.Task[None]] = set()
        self._done: deque[tuple[Tried, Verdict]] = deque()
        self._wake = asyncio.Event()
        # Half of what may be under way has ended: time for new work, however short the gathering was.
        self._half_done = asyncio.Event()
        self._last_round = 0
        ahead = system.limits.concurrency * AHEAD * max(s.batch for s in system.operations.values())
        self._most = min(ahead, MOST_RECORDED)
        self._publishers: list[StockPublisher | PricePublisher] = []
        if feed is not None and system.channel is not None:
            self._publishers.append(StockPublisher(pool, system, system.channel, feed, self, stop))
        if feed is not None and system.prices is not None:
            self._publishers.append(PricePublisher(pool, system, system.prices, feed.view.catalog, self, stop))
        self._breaker_changed = False

    @property
    def fence(self) -> int:
        """The fence of the lease while it is ours, else 0."""
        return self._fence if asyncio.get_running_loop().time() < self._ours_until else 0

    @property
    def open(self) -> bool:
        """Whether the system may be called now: not paused, not resting, and its breaker lets a call through."""
        clock = asyncio.get_running_loop().time()
        broken = self._breaker.state == "open" and clock < self._breaker.until
        return not (self._paused or broken) and clock >= self._rest_until

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    async def run(self) -> None:
        """Drive the system until stopped; survives an absent database, and gives the lease back at the end."""
        async with asyncio.TaskGroup() as group:
            for publisher in self._publishers:
                group.create_task(publisher.run())
            group.create_task(self._run())

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with away():
                    busy = await self._turn()
            except EngineAway as error:
                log.warning("delivery.engine_away", system=self._system.name, reason=error.reason)
                await self._pause(1.0)
            except Exception:  # edge: a round that failed must not end the system's deliveries
                log.exception("delivery.round_failed", system=self._system.name)
                await self._pause(1.0)
            else:
                await (self._gather() if busy else self._pause(IDLE_SECONDS))
        await self._finish()

    async def _gather(self) -> None:
        self._half_done.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGER_SECONDS if self._last_round >= THICK else GATHER_SECONDS):
                await self._half_done.wait()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _turn(self) -> bool:
        """One round: renew the lease, write what ended, claim what is due. Whether there is more to do at once."""
        clock = asyncio.get_running_loop().time()
        if clock >= self._renew_at and not await self._hold(clock):
            await self._pause(NOT_OURS_SECONDS)
            return False
        await self._record()
        if self._paused or clock < self._rest_until:
            return bool(self._under_way)
        if not self._under_way:
            # No probe is under way either: there was none to send, or it ended without a word about the system.
            self._breaker.probe_lost()
        room = self._most - len(self._under_way)
        # A claim is worth its round trip when it can be a good part of what may be under way.
        allowed = min(room, self._breaker.allows(clock)) if room >= self._most // 2 else 0
        if allowed <= 0:
            return bool(self._under_way)
        async with self._pool.acquire() as conn:
            items = await claim(conn, self._system, self._fence, allowed, self._under_way)
        self._start(items)
        return bool(items) or bool(self._under_way)

    async def _hold(self, clock: float) -> bool:
        async with self._pool.acquire() as conn, conn.transaction():
            held = await hold(conn, self._system.name, self._worker)
            if held is None:
                return False
            fence, self._paused = held
            if fence != self._fence:
                await take_over(conn, self._system.name, fence)
        if fence != self._fence:
            log.info("delivery.drives", system=self._system.name, fence=fence)
        self._fence = fence
        self._renew_at = clock + LEASE_SECONDS / 3
        self._ours_until = clock + LEASE_SECONDS - LEASE_MARGIN
        return True

    def _start(self, items: list[Item]) -> None:
        groups: dict[str, list[Item]] = {}
        for item in items:
            self._under_way.add(item.outgoing.delivery_id)
            self._claims[item.claim_id] = self._claims.get(item.claim_id, 0) + 1
            if item.problem is not None:
                at = now()
                tried = Tried(item=item, outcome=Failed(error=item.problem), started=at, finished=at)
                self._done.append((tried, judge(tried, float("inf"))))
                continue
            groups.setdefault(item.outgoing.operation, []).append(item)
        for operation, group in groups.items():
            size = self._system.operations[operation].batch
            self._queue.extend((operation, group[start : start + size]) for start in range(0, len(group), size))
        for _ in range(min(len(self._queue), self._system.limits.concurrency - self._callers)):
            self._callers += 1
            caller = asyncio.create_task(self._send_queued())
            self._calls.add(caller)
            caller.add_done_callback(self._calls.discard)

    async def _send_queued(self) -> None:
        # `_callers` falls in the same step in which the queue was seen empty: what is queued next finds a caller.
        try:
            while self._queue:
                await self._call(*self._queue.popleft())
        finally:
            self._callers -= 1

    async def _call(self, operation: str, items: list[Item]) -> None:
        async with self._slots:
            await self._take_token()
            loop = asyncio.get_running_loop()
            began = loop.time()
            if began >= self._ours_until:
                # The lease may be another worker's by now: what was not sent is left to whoever holds it.
                for item in items:
                    self._under_way.discard(item.outgoing.delivery_id)
                    self._claims[item.claim_id] -= 1
                return
            results = await send(self._system, operation, items)
            ended = loop.time()
        since = ended - self._breaker.last_success
        for tried in results:
            verdict = judge(tried, since)
            self._hear(verdict, ended)
            if verdict.outcome == "throttled":
                self.rest(verdict.wait)
            self._tried(self._system.name, verdict.outcome, ended - began)
            self._done.append((tried, verdict))
        self._wake.set()
        if len(self._done) * 2 >= self._most:
            self._half_done.set()

    async def slot(self) -> asyncio.Semaphore:
        """A slot of the system for a call that is no delivery, with its token taken; the caller releases it."""
        await self._slots.acquire()
        await self._take_token()
        return self._slots

    def rest(self, seconds: float) -> None:
        """Leave the system alone, as long as it asks, up to a minute."""
        until = asyncio.get_running_loop().time() + min(seconds, LONGEST_REST)
        self._rest_until = max(self._rest_until, until)

    async def _take_token(self) -> None:
        if self._bucket is not None:
            wait = self._bucket.wait(asyncio.get_running_loop().time())
            if wait > 0:
                await asyncio.sleep(wait)

    def _hear(self, verdict: Verdict, clock: float) -> None:
        if verdict.blames_system and verdict.error is not None:
            config = isinstance(verdict.error, NeedsConfig)
            pause = CONFIG_PAUSE if config else None
            changed = self._breaker.failed(clock, verdict.error.reason, at_once=config, pause=pause)
        else:
            changed = self._breaker.succeeded(clock)
        if changed:
            self._breaker_changed = True
            log.warning(
                "delivery.breaker", system=self._system.name, state=self._breaker.state, reason=self._breaker.reason
            )

    async def _record(self) -> None:
        """Write what has ended; on a lost connection or a deadlock it stays queued and is written by the next round."""
        self._last_round = len(self._done)
        while self._done or self._breaker_changed:
            batch = [self._done[index] for index in range(min(len(self._done), MOST_RECORDED))]
            ended = Counter(tried.item.claim_id for tried, _ in batch)
            finished = [claim_id for claim_id, number in self._claims.items() if number == ended[claim_id]]
            try:
                async with self._pool.acquire() as conn, conn.transaction():
                    if batch:
                        await record(conn, self._system.name, self._fence, batch, finished)
                    if self._breaker_changed:
                        await self._show_breaker(conn)
            except DeadlockDetectedError:
                log.info("delivery.deadlock", system=self._system.name)
                return
            self._breaker_changed = False
            self._claims = {
                claim_id: number - ended[claim_id]
                for claim_id, number in self._claims.items()
                if number > ended[claim_id]
            }
            for tried, _ in batch:
                self._done.popleft()
                self._under_way.discard(tried.item.outgoing.delivery_id)

    async def _show_breaker(self, conn: asyncpg.Connection) -> None:
        breaker = self._breaker
        wait = max(0.0, breaker.until - asyncio.get_running_loop().time())
        until = now() + timedelta(seconds=wait) if breaker.state == "open" else None
        await conn.execute(SQL.record_breaker, self._system.name, breaker.state, until, storable(breaker.reason, 1000))

    async def _finish(self) -> None:
        """Let calls end, write what they said, give the lease back."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._system.limits.timeout)
        for publisher in self._publishers:
            await publisher.ended()
        try:
            with away():
                await self._record()
                async with self._pool.acquire() as conn:
                    await release(conn, self._system.name, self._worker, self._fence)
        except EngineAway as error:
            log.warning("delivery.not_released", system=self._system.name, reason=error.reason)
        await self._system.sender.close()
