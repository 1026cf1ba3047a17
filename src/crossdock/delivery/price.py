# SPDX-License-Identifier: Apache-2.0
"""Tell a channel system its prices: of every SKU only the newest price travels, in as few calls as can be.

What the channel is to show is worked out when products or price lists change, or when a date makes another list
effective, and kept beside what it was told; so a worker that takes over knows all there is to tell. Prices are
absolute: one whose call had an unknown outcome is simply told again, whatever it is then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import asyncpg
import structlog

from crossdock.canonical.channel_price import ChannelPrice
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.catalog.channel_prices import (
    Following,
    PriceCall,
    ToTell,
    begin_call,
    next_due,
    record_call,
    show,
    take_over,
    want,
)
from crossdock.catalog.shown import PriceRule, PriceWatch
from crossdock.delivery.line import Line
from crossdock.delivery.owe import SQL as DELIVERY
from crossdock.delivery.system import System
from crossdock.delivery.tell import Answer, Teller
from crossdock.errors import EngineAway
from crossdock.inventory.conflate import Number
from crossdock.inventory.tally import LagWindow
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away

OPERATION = "prices"
LOOK_SECONDS = 0.5
IDLE_SECONDS = 0.25
AWAY_SECONDS = 1.0
SHOW_SECONDS = 5.0
# Somebody who compared prices may have found that some are to be told again: looked for so often.
DOUBT_SECONDS = 2.0
# Many are priced together, few enough that nobody else in the process waits long.
PRICED_AT_ONCE = 500
# A price that is refused is mostly one of a SKU the channel does not list, which seldom changes by itself.
LONGEST_REFUSAL = 6 * 3600.0

log = structlog.get_logger(__name__)


class PricePublisher:
    """Tells one channel its prices while `run` runs and the lease of its system is ours."""

    def __init__(
        self, pool: asyncpg.Pool, system: System, rule: PriceRule, catalog: Catalog, line: Line, stop: asyncio.Event
    ) -> None:
        """ValueError when `catalog` keeps no price lists."""
        if catalog.book is None:
            raise ValueError("prices are told from a catalog that keeps price lists")
        self._pool = pool
        self._system = system
        self._rule = rule
        self._catalog = catalog
        self._book: PriceBook = catalog.book
        self._line = line
        self._stop = stop
        self._teller = Teller(system, OPERATION, self._document, LONGEST_REFUSAL)
        self._watch = PriceWatch(catalog, self._book, rule)
        self._lags = LagWindow()
        self._fence = 0
        self._sequence = 0
        # Prices that failed with nobody knowing why, with how often; gone when they are told or refused.
        self._failing: dict[str, Number] = {}
        # Of the call under way.
        self._units: Mapping[str, str] = {}
        self._look_at = self._due_at = self._doubt_at = self._show_at = self._rest_until = 0.0
        self._followed = self._shown = (-1, -1)
        self._calling: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Publish until stopped; survives an absent database. At the end a call may take as long as the system may."""
        while not self._stop.is_set():
            try:
                with away():
                    wait = await self._turn()
            except EngineAway as error:
                log.warning("prices.engine_away", system=self._system.name, reason=error.reason)
                self._fence, wait = 0, AWAY_SECONDS
            except Exception:  # edge: a round that failed must not end publishing; what is known is read again
                log.exception("prices.round_failed", system=self._system.name)
                self._fence, wait = 0, AWAY_SECONDS
            await self._pause(wait)
        if self._calling is not None:
            await asyncio.wait([self._calling], timeout=self._system.limits.timeout)
        self._over.set()

    async def ended(self) -> None:
        """Return when `run` has: nothing is called and nothing is to be written any more."""
        await self._over.wait()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _turn(self) -> float:
        """One round: work out what changed, tell what comes first. Seconds until the next is of use."""
        fence = self._line.fence
        if not fence or (fence != self._fence and not await self._begin(fence)):
            return IDLE_SECONDS
        clock = asyncio.get_running_loop().time()
        await self._follow(clock)
        ready = self._calling is None and clock >= self._rest_until and self._line.open
        if ready and self._fence and await self._due(clock):
            self._calling = asyncio.create_task(self._call(self._fence))
            self._calling.add_done_callback(self._called)
        await self._show(clock)
        return 0.0 if self._watch.waiting else IDLE_SECONDS

    async def _begin(self, fence: int) -> bool:
        """Take over from whoever drove the system before, us perhaps: every price is worked out anew."""
        self._fence = 0
        if self._calling is not None:
            await asyncio.wait([self._calling])
        async with self._pool.acquire() as conn, conn.transaction():
            if not await conn.fetchval(DELIVERY.check_fence, self._system.name, fence):
                return False
            known, highest = await take_over(conn, self._rule)
        async with self._pool.acquire() as conn:
            await self._catalog.refresh(conn)
        self._watch.everything(known, now())
        self._failing.clear()
        self._sequence = max(self._sequence, highest)
        self._look_at = self._due_at = 0.0
        self._followed = self._shown = (-1, -1)
        self._fence = fence
        log.info("prices.publishes", system=self._system.name, channel=self._rule.channel, fence=fence)
        return True

    async def _follow(self, clock: float) -> None:
        """Read what changed, and write what the channel is to show of a portion of it."""
        if clock >= self._look_at:
            self._look_at = clock + LOOK_SECONDS
            async with self._pool.acquire() as conn:
                await self._catalog.refresh(conn)
        at = now()
        self._watch.look(at)
        place = (self._catalog.version, self._book.stamp)
        shown = self._watch.take(PRICED_AT_ONCE, at)
        if shown:
            try:
                async with self._pool.acquire() as conn:
                    ours = await want(conn, self._rule, self._fence, shown)
            except BaseException:
                self._watch.again(shown)
                raise
            self._due_at = 0.0
            if not ours:
                self._fence = 0
                return
        if not self._watch.waiting:
            self._followed = place

    async def _due(self, clock: float) -> bool:
        if clock < self._due_at and clock < self._doubt_at:
            return False
        async with self._pool.acquire() as conn:
            seconds = await next_due(conn, self._rule.channel)
        self._doubt_at = clock + DOUBT_SECONDS
        self._due_at = float("inf") if seconds is None else clock + seconds
        return seconds == 0

    async def _call(self, fence: int) -> None:
        """Make a call; one that failed before its end could be written is taken over from ourselves, as by a new
        worker."""
        try:
            with away():
                await self._ask(fence)
        except EngineAway as error:
            log.warning("prices.engine_away", system=self._system.name, reason=error.reason)
        except Exception:  # edge: a call that failed in a way nobody thought of must not end publishing
            log.exception("prices.call_failed", system=self._system.name)
        else:
            return
        self._fence = 0
        self._rest_until = asyncio.get_running_loop().time() + AWAY_SECONDS

    def _called(self, _task: asyncio.Task[None]) -> None:
        self._calling = None
        self._due_at = self._show_at = 0.0
        self._wake.set()

    async def _ask(self, fence: int) -> None:
        """Tell what comes first, as soon as the system's limits allow."""
        slots = await self._line.slot()
        try:
            if self._stop.is_set() or fence != self._fence or fence != self._line.fence or not self._line.open:
                return
            self._sequence = max(self._sequence + 1, int(now().timestamp() * 1000))
            sequence = self._sequence
            # Nothing is told that could not be written down first.
            async with self._pool.acquire() as conn:
                due = await begin_call(conn, self._rule.channel, fence, sequence, self._teller.most)
            if not due:
                return
            self._units = {one.sku: one.unit for one in due}
            answer = await self._teller.tell([self._number(one) for one in due], sequence)
        finally:
            slots.release()
        await self._end(fence, sequence, answer)

    async def _end(self, fence: int, sequence: int, answer: Answer) -> None:
        clock = asyncio.get_running_loop().time()
        for number, _ in answer.unknown:
            number.failures += 1
            self._failing[number.sku] = number
        for number in (*answer.told, *(number for number, _, _ in answer.refused)):
            self._failing.pop(number.sku, None)
        # How long a mended listing took is no lag of the channel.
        swift = [one for one in answer.told if not one.refusals]
        self._lags.add([(answer.ended_at - one.changed_at).total_seconds() for one in swift], clock)
        if answer.rest:
            self._rest_until = clock + answer.rest
            if answer.throttled:
                self._line.rest(answer.rest)
        if answer.reason or answer.refused:
            why = answer.reason or answer.refused[0][1]
            untold = len(answer.kept) + len(answer.unknown) + len(answer.refused)
            log.warning("prices.untold", system=self._system.name, prices=untold, reason=why)
        call = PriceCall(
            sequence=sequence,
            ended_at=answer.ended_at,
            told=[self._document(one, sequence, answer.ended_at) for one in answer.told],
            untold=[(number.sku, reason) for number, reason in answer.unknown],
            refused=[(number.sku, number.quantity, reason, wait) for number, reason, wait in answer.refused],
            exchanges=answer.exchanges,
            reason=answer.reason,
        )
        async with self._pool.acquire() as conn:
            if not await record_call(conn, self._rule.channel, fence, call):
                # Whoever has the lease now tells again what this call told.
                self._fence = 0

    def _number(self, one: ToTell) -> Number:
        """A price as a call takes it; one that failed before keeps what is known of it."""
        number = self._failing.get(one.sku)
        if number is None:
            return Number(
                sku=one.sku,
                location="",
                quantity=one.price,
                changed_at=one.changed_at,
                since=0.0,
                moved=0.0,
                refusals=one.refusals,
            )
        number.quantity, number.changed_at = one.price, one.changed_at
        return number

    def _document(self, number: Number, sequence: int, at: datetime) -> ChannelPrice:
        return ChannelPrice(
            channel=self._rule.channel,
            sku=number.sku,
            unit=self._units[number.sku],
            price=number.quantity,
            currency=self._rule.currency,
            sequence=sequence,
            as_of=at,
        )

    async def _show(self, clock: float) -> None:
        if not self._fence or (clock < self._show_at and self._followed == self._shown):
            return
        version, stamp = self._followed
        lags = self._lags.quantiles((0.5, 0.95, 0.99), clock)
        async with self._pool.acquire() as conn:
            await show(conn, self._rule.channel, self._fence, Following(lags=lags, version=version, stamp=stamp))
        self._show_at, self._shown = clock + SHOW_SECONDS, self._followed
