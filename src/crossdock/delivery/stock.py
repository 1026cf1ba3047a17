# SPDX-License-Identifier: Apache-2.0
"""Publish stock to a channel system: of every SKU only the newest number travels, in as few calls as can be.

What is to be told follows from levels, rules and what the channel was told last; nothing of it is kept in memory alone,
so a worker that takes over knows all there is to tell. Numbers are absolute: a call whose outcome is unknown is simply
made again with what is true then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice

import asyncpg
import structlog
from msgspec import Struct

from crossdock.canonical.stock import StockLevel
from crossdock.delivery.line import Line
from crossdock.delivery.owe import SQL as DELIVERY
from crossdock.delivery.system import System
from crossdock.delivery.tell import Answer, Teller
from crossdock.errors import EngineAway
from crossdock.inventory.conflate import GATHER_SECONDS, Conflation, Number
from crossdock.inventory.feed import Changes, StockFeed
from crossdock.inventory.offer import offer
from crossdock.inventory.publish import (
    Call,
    Publication,
    begin_call,
    doubted,
    earlier,
    load_told,
    record_call,
    show,
    take_over,
)
from crossdock.inventory.rules import ChannelRule
from crossdock.inventory.tally import LagWindow, Tally
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away
from crossdock.sdk.sending import Exchange

OPERATION = "stock_levels"
IDLE_SECONDS = 0.25
AWAY_SECONDS = 1.0
SHOW_SECONDS = 1.5
# That a change has been dealt with is shown sooner: others wait to see it.
SHOW_SOON = 0.2
COMPARED_AT_ONCE = 1_000
# A number changes without any change of stock when goods that are expected come within the horizon.
HORIZON_SECONDS = 60.0

log = structlog.get_logger(__name__)


def _level(number: Number, sequence: int, at: datetime) -> StockLevel:
    """What may be sold, not what lies there: everything that is to be taken off has been."""
    return StockLevel(sku=number.sku, location=number.location, on_hand=number.quantity, sequence=sequence, as_of=at)


class _Ended(Struct, frozen=True):
    """A call that has ended, to be written."""

    call: Call
    exchanges: Sequence[Exchange]


class StockPublisher:
    """Tells one channel its stock while `run` runs and the lease of its system is ours."""

    def __init__(
        self, pool: asyncpg.Pool, system: System, channel: ChannelRule, feed: StockFeed, line: Line, stop: asyncio.Event
    ) -> None:
        self._pool = pool
        self._system = system
        self._channel = channel
        self._feed = feed
        self._line = line
        self._stop = stop
        self._size = system.operations[OPERATION].batch
        self._teller = Teller(system, OPERATION, _level)
        self._queue = Conflation(self._size)
        self._tally = Tally(self._size, GATHER_SECONDS)
        self._lags = LagWindow()
        self._fence = 0
        self._sequence = 0
        # SKUs that changed and are not compared yet; everything is to be compared when `_all_since` is set.
        self._changes: dict[str, datetime] = {}
        self._all_since: datetime | None = None
        self._compared_at = 0.0
        self._catalog_version = -1
        self._place = (0, 0)
        self._reason = ""
        self._rest_until = 0.0
        self._heard = False
        self._shown_at = 0.0
        self._asking = False
        self._calls: set[asyncio.Task[None]] = set()
        self._ended: deque[_Ended] = deque()
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        feed.listen(self._hear)

    async def run(self) -> None:
        """Publish until stopped; survives an absent database. At the end calls may take as long as the system may."""
        while not self._stop.is_set():
            try:
                with away():
                    wait = await self._turn()
            except EngineAway as error:
                log.warning("stock.engine_away", system=self._system.name, reason=error.reason)
                wait = AWAY_SECONDS
            except Exception:  # edge: a round that failed must not end publishing; what is known is read again
                log.exception("stock.round_failed", system=self._system.name)
                self._fence, wait = 0, AWAY_SECONDS
            await self._pause(wait)
        await self._finish()
        self._over.set()

    async def ended(self) -> None:
        """Return when `run` has: nothing is called and nothing is to be written any more."""
        await self._over.wait()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    def _hear(self, changes: Changes | None) -> None:
        if not self._fence:
            # Not ours to tell; whoever takes over compares everything.
            return
        if changes is None:
            slow = self._channel.horizon is not None or self._channel.derived_buffer
            if slow or self._catalog_version != self._feed.view.catalog.version:
                self._all_since = self._all_since or now()
        else:
            for sku, at in changes.items():
                self._changes.setdefault(sku, at)
            self._heard = True
        self._wake.set()

    async def _turn(self) -> float:
        """One round: compare what changed, write what ended, begin a call. Seconds until the next is of use."""
        fence = self._line.fence
        if not fence:
            return IDLE_SECONDS
        if fence != self._fence:
            await self._begin(fence)
        loop = asyncio.get_running_loop()
        self._compare(loop.time())
        await self._record()
        await self._show(loop.time())
        wait = SHOW_SOON if self._heard and not self._queue.waiting else IDLE_SECONDS
        if self._changes:
            wait = 0.0
        if self._asking or loop.time() < self._rest_until or not self._line.open:
            return wait
        due = self._queue.due(loop.time())
        if due > 0:
            return min(wait, due)
        self._asking = True
        call = asyncio.create_task(self._call(self._fence))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return wait

    async def _begin(self, fence: int) -> None:
        """Take over from whoever drove the system before, us perhaps: what was told is read, everything is compared."""
        self._fence = 0
        if self._calls:
            await asyncio.wait(self._calls)
        self._ended.clear()
        self._changes.clear()
        await self._feed.ready()
        queue = Conflation(self._size)
        async with self._pool.acquire() as conn, conn.transaction():
            if not await conn.fetchval(DELIVERY.check_fence, self._system.name, fence):
                return
            cut = await take_over(conn, self._channel)
        async with self._pool.acquire() as conn:
            highest = await load_told(conn, self._system.name, cut, queue)
            before = await earlier(conn, self._system.name)
        self._queue, self._sequence, self._place = queue, max(self._sequence, highest), (0, 0)
        self._tally = Tally(self._size, GATHER_SECONDS, before.calls, before.fewest_calls)
        for sku in self._feed.view.skus:
            # What changed since an earlier worker looked waits since then; the rest is compared, and found equal.
            at = self._feed.view.changed_at(self._channel, sku)
            if at is not None and at > before.known_until:
                self._changes[sku] = at
        self._all_since, self._fence, self._heard = before.known_until, fence, True
        log.info("stock.publishes", system=self._system.name, channel=self._channel.name, fence=fence)

    def _compare(self, clock: float) -> None:
        """Offer the queue the numbers of a portion of the SKUs that changed; those that change meanwhile again are
        compared once, so that being behind costs no more."""
        view = self._feed.view
        if self._channel.horizon is not None and clock >= self._compared_at + HORIZON_SECONDS:
            self._all_since = self._all_since or now()
        if self._all_since is not None:
            since, self._all_since = self._all_since, None
            self._compared_at, self._catalog_version = clock, view.catalog.version
            bundles = (sku for sku, product in view.catalog.products.items() if product.components)
            for sku in {*view.skus, *bundles, *self._queue.skus}:
                self._changes.setdefault(sku, since)
        for sku in list(islice(self._changes, COMPARED_AT_ONCE)):
            numbers = offer(view, self._channel, sku, self._queue.told(sku))
            self._queue.offer(sku, numbers, self._changes.pop(sku), clock)
        if not self._changes:
            self._place = self._feed.place

    async def _call(self, fence: int) -> None:
        """Make a call; one that failed before its end could be written is taken over from ourselves, as by a new
        worker: its note may be in the database, and its numbers are under way in the queue."""
        try:
            await self._ask(fence)
        except EngineAway as error:
            log.warning("stock.engine_away", system=self._system.name, reason=error.reason)
        except Exception:  # edge: a call that failed in a way nobody thought of must not keep its numbers
            log.exception("stock.call_failed", system=self._system.name)
        else:
            return
        self._fence = 0
        self._rest_until = asyncio.get_running_loop().time() + AWAY_SECONDS

    async def _ask(self, fence: int) -> None:
        """Tell the channel what comes first, as soon as its limits allow; numbers are taken as late as can be."""
        loop = asyncio.get_running_loop()
        try:
            slots = await self._line.slot()
        finally:
            self._asking = False
        try:
            if self._stop.is_set() or fence != self._fence or fence != self._line.fence or not self._line.open:
                return
            numbers = self._queue.take(loop.time(), self._teller.most)
            if not numbers:
                return
            self._wake.set()
            self._sequence = max(self._sequence + 1, int(now().timestamp() * 1000))
            sequence = self._sequence
            # Nothing is told that could not be written down first.
            with away():
                async with self._pool.acquire() as conn:
                    noted = await begin_call(conn, self._system.name, fence, sequence, numbers)
            if noted is None:
                # Another worker drives the system now and knows all there is to tell.
                self._fence = 0
                return
            answer = await self._teller.tell(numbers, sequence)
        finally:
            slots.release()
        self._end(noted, sequence, answer)

    def _end(self, call_id: int, sequence: int, answer: Answer) -> None:
        """Sort what a call came to into the queue and leave it to be written."""
        clock = asyncio.get_running_loop().time()
        self._queue.delivered(answer.told)
        self._queue.failed(answer.kept, clock, unknown=False)
        self._queue.failed([number for number, _ in answer.unknown], clock, unknown=True)
        for number, _, wait in answer.refused:
            self._queue.refused(number, clock, wait)
        self._tally.count(len(answer.told), clock)
        # How long a mended listing took is no lag of the channel, and would hold stock back for it.
        swift = [one for one in answer.told if not one.refusals]
        self._lags.add([(answer.ended_at - one.changed_at).total_seconds() for one in swift], clock)
        call = Call(
            id=call_id,
            sequence=sequence,
            ended_at=answer.ended_at,
            told=answer.told,
            unknown=[(number.sku, number.location, reason) for number, reason in answer.unknown],
            refused=[(number.sku, number.location, reason, wait) for number, reason, wait in answer.refused],
        )
        self._ended.append(_Ended(call, answer.exchanges))
        self._reason = answer.reason
        if answer.rest:
            self._rest_until = clock + answer.rest
            if answer.throttled:
                self._line.rest(answer.rest)
        if answer.reason or answer.refused:
            why = answer.reason or answer.refused[0][1]
            untold = len(answer.kept) + len(answer.unknown) + len(answer.refused)
            log.warning("stock.untold", system=self._system.name, numbers=untold, reason=why)
        self._wake.set()

    async def _record(self) -> None:
        """Write how calls ended, one after the other; on a lost connection the rest is written by a later round."""
        while self._ended:
            one = self._ended[0]
            async with self._pool.acquire() as conn:
                ours = await record_call(conn, self._channel, self._fence, one.call, one.exchanges)
            if not ours:
                # Whoever has the lease now tells again what these calls told.
                self._ended.clear()
                self._fence = 0
                return
            self._ended.popleft()

    async def _show(self, clock: float) -> None:
        waiting = self._queue.waiting
        soon = self._heard and not (waiting or self._changes or self._ended)
        if not self._fence or clock < self._shown_at + (SHOW_SOON if soon else SHOW_SECONDS):
            return
        if soon:
            self._heard = False
        state = Publication(
            waiting=waiting,
            waiting_since=self._queue.oldest,
            problems=self._queue.problems,
            reason=self._reason,
            calls=self._tally.calls,
            fewest_calls=self._tally.fewest,
            lags=self._lags.quantiles((0.5, 0.95, 0.99), clock),
            place=self._place,
        )
        async with self._pool.acquire() as conn:
            await show(conn, self._channel, self._fence, state)
            again = await doubted(conn, self._system.name)
        self._shown_at = clock
        for sku, place in again:
            if self._queue.doubt(sku, place):
                self._changes.setdefault(sku, now())

    async def _finish(self) -> None:
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._system.limits.timeout)
        try:
            with away():
                if self._fence and self._fence == self._line.fence:
                    await self._record()
                    # What changes from now on, nobody has seen.
                    self._shown_at, self._place = 0.0, (0, 0)
                    await self._show(asyncio.get_running_loop().time())
        except EngineAway as error:
            log.warning("stock.not_recorded", system=self._system.name, reason=error.reason)
