# SPDX-License-Identifier: Apache-2.0
"""The stock that a gateway remembers: loaded once, kept up by the bus, and how old it is.

While ticks of the relay come, changes are read from the bus. While they do not (NATS or the scheduler is away) they are
read from the outbox itself, from the place the last tick named on; then back, from the number a tick names on. Levels
are replaced by newer ones only, so what comes by both ways does no harm, and nothing lies between them. While
PostgreSQL is away nothing new comes, and the age grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from crossdock.errors import EngineAway
from crossdock.inventory.bounded import BoundedView
from crossdock.inventory.follow import LevelFollower
from crossdock.inventory.level import Level, level_of_event
from crossdock.inventory.lock import LEVEL_CHANGED, SQL
from crossdock.journal.outbox import STREAM, TICK, Tick, final_until
from crossdock.runtime.bus_messages import Received
from crossdock.runtime.bus_reading import Reading
from crossdock.runtime.clock import now
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import away

LEVELS = f"crossdock.events.{LEVEL_CHANGED}.>"
# The relay ticks twice a second; without a tick for this long the outbox is followed instead.
TICK_SECONDS = 2.0
POLL_SECONDS = 0.25
CATALOG_SECONDS = 1.0
REFRESH_SECONDS = 10.0
AWAY_SECONDS = 0.5
_PAGE = 200
# With more than this waiting, rows of the outbox, each of which holds many levels, are read faster than messages.
_FAR_BEHIND = 5_000

Changed = Callable[[Collection[str] | None], None]
"""Told which SKUs may be available otherwise than before; None: any."""

log = structlog.get_logger(__name__)


class _Envelope(Struct):
    data: msgspec.Raw


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_TICK = msgspec.json.Decoder(Tick)


class StockMemory:
    """Keeps `view` up to date while `run` runs. `changed` is told of every change."""

    def __init__(self, pool: asyncpg.Pool, bus: Bus, view: BoundedView, changed: Changed) -> None:
        self.view = view
        self.fresh_at: datetime | None = None
        """By the database's clock: everything committed before is in `view`. None until all was read once."""
        self.source = ""
        """Where changes come from: bus or outbox; "" while there is no way."""
        self._pool = pool
        self._bus = bus
        self._changed = changed
        self._follower: LevelFollower | None = None
        self._tick: Tick | None = None
        self._tick_until = 0.0
        self._ticked = asyncio.Event()
        # How far the database's clock is ahead of ours.
        self._ahead = timedelta(0)

    @property
    def age(self) -> float | None:
        """Seconds for which changes may have been missed; None before everything was read once."""
        if self.fresh_at is None:
            return None
        return max(0.0, (now() + self._ahead - self.fresh_at).total_seconds())

    async def run(self) -> None:
        """Follow until cancelled; survives an absent PostgreSQL or NATS."""
        with suppress(EngineAway):
            # Heard again by itself when NATS is back.
            await self._bus.hear(TICK, self._hear)
        refreshing = asyncio.create_task(self._refresh())
        try:
            while True:
                try:
                    with away():
                        await self._follow()
                except EngineAway as error:
                    if self.source:
                        log.warning("memory.engine_away", reason=error.reason)
                except Exception:  # edge: what cannot be understood is read again as a whole; answers go on meanwhile
                    log.exception("memory.follow_failed")
                    self._follower = None
                self.source = ""
                await asyncio.sleep(AWAY_SECONDS)
        finally:
            refreshing.cancel()

    async def fetch(self, skus: Collection[str]) -> None:
        """Read levels that do not fit into memory; see `BoundedView.missing`. EngineAway when it cannot be done."""
        with away():
            async with self._pool.acquire(timeout=AWAY_SECONDS) as conn:
                await self.view.fetch(conn, skus)

    async def _follow(self) -> None:
        if self._follower is None:
            self._follower = await self._load()
        while True:
            if await self._page(self._follower):
                continue
            if self._ticks_come() and self._bus.connected:
                await self._by_bus(self._follower)
            else:
                self._from("outbox")
                await self._wait_tick(POLL_SECONDS)

    async def _load(self) -> LevelFollower:
        async with self._pool.acquire() as conn:
            follower = await LevelFollower.begin(conn)
            begun = await self._database_clock(conn)
            await self.view.refresh(conn)
            number = await self.view.load(conn)
        self._advance(begun)
        self._changed(None)
        log.info("memory.loaded", levels=number, whole=self.view.whole)
        return follower

    async def _page(self, follower: LevelFollower) -> bool:
        """Take over a page of the outbox; whether there is more at once."""
        _end_if_cancelled()
        async with self._pool.acquire() as conn, conn.transaction():
            levels, more = await follower.next(conn)
            # The follower has moved: what it read is taken over before anything else can fail.
            self._take(levels)
            until = None if more else await final_until(conn, *follower.place)
        if until is not None:
            self._advance(until)
        return more

    async def _by_bus(self, follower: LevelFollower) -> None:
        """Follow the bus until it goes away; the outbox is then followed from the place of the last tick on."""
        reading: Reading | None = None
        try:
            tick = await self._next_tick()
            reading = await self._bus.read(STREAM, [LEVELS], after=tick.sequence)
            # What was published before we read the bus is read from the outbox.
            while await self._page(follower):
                pass
            self._from("bus")
            while True:
                before, tick = tick, await self._next_tick()
                if tick.sequence < before.sequence:
                    raise EngineAway("the stream began anew")
                await self._drain(reading)
                self._follower = LevelFollower(tick.xid, tick.id)
                self._advance(tick.at)
        except EngineAway as error:
            log.info("memory.leaves_bus", reason=error.reason)
            self._tick_until = 0.0
        finally:
            if reading is not None:
                await reading.close()

    async def _drain(self, reading: Reading) -> None:
        while True:
            messages = await reading.fetch(_PAGE)
            self._take([_level(message) for message in messages])
            if len(messages) < _PAGE:
                return
            if messages[-1].pending > _FAR_BEHIND:
                raise EngineAway(f"{messages[-1].pending} messages behind")

    def _take(self, levels: Collection[Level]) -> None:
        changed = self.view.apply(levels) if levels else None
        if changed:
            self._changed(changed)

    def _advance(self, at: datetime) -> None:
        if self.fresh_at is None or self.fresh_at < at:
            self.fresh_at = at

    def _from(self, source: str) -> None:
        if self.source != source:
            self.source = source
            log.info("memory.follows", source=source)

    def _hear(self, payload: bytes) -> None:
        self._tick = _TICK.decode(payload)
        self._tick_until = asyncio.get_running_loop().time() + TICK_SECONDS
        self._ticked.set()

    def _ticks_come(self) -> bool:
        return asyncio.get_running_loop().time() < self._tick_until

    async def _wait_tick(self, within: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._ticked.wait()
        ticked = self._ticked.is_set()
        self._ticked.clear()
        return ticked

    async def _next_tick(self) -> Tick:
        _end_if_cancelled()
        if not await self._wait_tick(TICK_SECONDS) or self._tick is None:
            raise EngineAway("the relay of events is silent")
        return self._tick

    async def _database_clock(self, conn: asyncpg.Connection) -> datetime:
        asked = now()
        told: datetime = await conn.fetchval(SQL.clock)
        self._ahead = told - asked - (now() - asked) / 2
        return told

    async def _refresh(self) -> None:
        """Keep up what changes slowly: the catalog, what is expected, paces, and how the clocks differ."""
        due = asyncio.get_running_loop().time() + REFRESH_SECONDS
        version = self.view.catalog.version
        by_time = any(channel.horizon is not None for channel in self.view.rules.channels.values())
        while True:
            await asyncio.sleep(CATALOG_SECONDS)
            if self._follower is None:
                continue
            clock = asyncio.get_running_loop().time()
            try:
                with away():
                    async with self._pool.acquire() as conn:
                        await self._database_clock(conn)
                        await self.view.catalog.refresh(conn)
                        # Others who share the catalog refresh it too.
                        changed = version != self.view.catalog.version
                        version = self.view.catalog.version
                        if clock >= due:
                            due = clock + REFRESH_SECONDS
                            # Expected goods come within a horizon by time alone.
                            changed = await self.view.refresh(conn) or by_time
                        elif changed:
                            await self.view.refresh(conn)
            except EngineAway:
                continue
            except Exception:  # edge: figures of the last time are answered with, and it is tried again
                log.exception("memory.refresh_failed")
                continue
            if changed:
                self._changed(None)


def _end_if_cancelled() -> None:
    """The bus's client may swallow a cancellation that comes while it sends."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _level(message: Received) -> Level:
    return level_of_event(bytes(_ENVELOPE.decode(message.payload).data))
