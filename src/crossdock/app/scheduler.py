# SPDX-License-Identifier: Apache-2.0
"""The scheduler role: relays events to the bus, expires reservations, takes files in and asks what changed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

import asyncpg
import structlog

from crossdock.app.back_orders import watch_back_orders
from crossdock.app.files import Keep, watch_feed
from crossdock.app.holds import watch_holds
from crossdock.app.planning import watch_planning
from crossdock.app.polling import polled_systems, watch_polls
from crossdock.app.reconciling import watch_stock
from crossdock.app.reconciling_prices import watch_prices
from crossdock.app.wiring import Wired, source_of
from crossdock.connectors.file_drop.feed import feed_of
from crossdock.connectors.file_drop.fetch import Resolve
from crossdock.errors import EngineAway, RetryLater
from crossdock.estate.durations import duration
from crossdock.inventory.expire import expire
from crossdock.inventory.measure_pace import measure_pace
from crossdock.inventory.withdraw import free_withdrawn
from crossdock.journal.keep import keep
from crossdock.journal.last import NOTE_SECONDS, note_uses
from crossdock.journal.outbox import STREAM, SUBJECTS, relay
from crossdock.orders.overdue import PAGE as OVERDUE_PAGE
from crossdock.orders.overdue import tell_overdue
from crossdock.runtime.embedded.state import Endpoints
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import away, open_pool, retrying
from crossdock.runtime.secrets import resolve
from crossdock.sdk.receiving import Incoming, KeepResult

RELAY_SECONDS = 0.5
# Woken by each commit, the relay looks so often at most: what gathers meanwhile is published together.
RELAY_PAUSE = 0.1
AWAY_SECONDS = 1.0
EXPIRE_SECONDS = 1.0
PACE_SECONDS = 5.0
OVERDUE_SECONDS = 5.0

log = structlog.get_logger(__name__)


async def run_scheduler(stop: asyncio.Event, wired: Wired, endpoints: Endpoints) -> None:
    """Run every scheduled task until `stop` is set; survives an absent PostgreSQL or NATS."""
    pool = await retrying(
        lambda: open_pool(endpoints.database_url, min_size=1, max_size=6, name="crossdock-scheduler"), patience=60.0
    )
    bus = await Bus.connect(endpoints.nats_url, patience=2.0, or_later=True, name="crossdock-scheduler")
    source = source_of(wired)
    feeds = [feed_of(wired.estate, name, os.environ) for name in wired.estate.declared.files]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_relay(stop, pool, bus, source))
            group.create_task(_give_back(stop, pool))
            group.create_task(_note(stop, pool))
            group.create_task(watch_stock(stop, pool, wired))
            group.create_task(watch_prices(stop, pool, wired))
            group.create_task(watch_planning(stop, pool, wired))
            group.create_task(watch_holds(stop, pool, bus, wired))
            group.create_task(watch_back_orders(stop, pool, wired, lambda: bus.wake("worker")))
            group.create_task(watch_polls(stop, pool, polled_systems(wired), lambda: bus.wake("worker")))
            within: dict[str, timedelta] = {
                state: duration(text) for state, text in wired.estate.declared.orders.within.items()
            }
            if within:
                group.create_task(_overdue(stop, pool, within))
            if wired.estate.declared.inventory is not None:
                group.create_task(_measure(stop, pool))
            for feed in feeds:
                group.create_task(watch_feed(stop, feed, _keeper(pool, bus), _resolver(wired)))
    finally:
        await bus.close()
        await pool.close()


async def _relay(stop: asyncio.Event, pool: asyncpg.Pool, bus: Bus, source: str) -> None:
    ready = False
    wakes = await bus.wakes("scheduler")
    while not stop.is_set():
        try:
            if not ready:
                await bus.ensure_stream(STREAM, SUBJECTS)
                ready = True
            _, more = await relay(pool, bus, source)
            if not more:
                await _rest(stop, RELAY_PAUSE)
                await wakes.wait(RELAY_SECONDS - RELAY_PAUSE)
        except EngineAway as error:
            ready = False
            log.info("relay.engine_away", reason=error.reason)
            await _rest(stop, AWAY_SECONDS)
        except Exception:  # edge: what the bus refuses must not end the scheduler's other tasks; events wait
            ready = False
            log.exception("relay.failed")
            await _rest(stop, AWAY_SECONDS)


async def _measure(stop: asyncio.Event, pool: asyncpg.Pool) -> None:
    """Measure how fast SKUs sell."""
    while not stop.is_set():
        more = False
        try:
            with away():
                more = await measure_pace(pool)
        except EngineAway as error:
            log.info("pace.engine_away", reason=error.reason)
        except Exception:  # edge: a bug in measuring must not end the scheduler's other tasks
            log.exception("pace.failed")
        if not more:
            await _rest(stop, PACE_SECONDS)


async def _note(stop: asyncio.Event, pool: asyncpg.Pool) -> None:
    """Take note when messages came last by each interface."""
    while not stop.is_set():
        try:
            with away():
                async with pool.acquire() as conn:
                    await note_uses(conn)
        except EngineAway as error:
            log.info("uses.engine_away", reason=error.reason)
        except Exception:  # edge: a bug in noting must not end the scheduler's other tasks
            log.exception("uses.failed")
        await _rest(stop, NOTE_SECONDS)


async def _give_back(stop: asyncio.Event, pool: asyncpg.Pool) -> None:
    """Give back what reservations hold whose time is over, those too that ended while no scheduler ran; and what was
    held for fulfillment orders that are withdrawn."""
    while not stop.is_set():
        try:
            ended = await expire(pool)
            if ended:
                log.info("reservations.expired", count=ended)
            withdrawn = await free_withdrawn(pool)
            if withdrawn:
                log.info("allocations.freed", fulfillment_orders=withdrawn)
        except (EngineAway, RetryLater) as error:
            log.info("stock.give_back_later", reason=error.reason)
        except Exception:  # edge: a bug in giving back must not end the scheduler's other tasks
            log.exception("stock.give_back_failed")
        await _rest(stop, EXPIRE_SECONDS)


async def _overdue(stop: asyncio.Event, pool: asyncpg.Pool, within: Mapping[str, timedelta]) -> None:
    """Tell of orders that are too long in a state."""
    while not stop.is_set():
        told = 0
        try:
            told = await tell_overdue(pool, within)
            if told:
                log.info("orders.overdue", count=told)
        except EngineAway as error:
            log.info("overdue.engine_away", reason=error.reason)
        except Exception:  # edge: a bug in telling must not end the scheduler's other tasks
            log.exception("overdue.failed")
        if told < OVERDUE_PAGE:
            await _rest(stop, OVERDUE_SECONDS)


def _keeper(pool: asyncpg.Pool, bus: Bus) -> Keep:
    async def keep_and_wake(batch: Sequence[Incoming]) -> list[KeepResult]:
        kept = await keep(pool, batch)
        await bus.wake("worker")
        return kept

    return keep_and_wake


def _resolver(wired: Wired) -> Resolve:
    folder = wired.estate.declared.folder

    def reveal(reference: str) -> str:
        return resolve(reference, base=folder, where="a feed's SFTP source").reveal()

    return reveal


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
