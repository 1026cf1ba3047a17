# SPDX-License-Identifier: Apache-2.0
"""The scheduler role: relays events to the bus and takes files in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg
import structlog

from crossdock.app.wiring import Wired
from crossdock.connectors.file_drop.feed import DropFeed, feed_of
from crossdock.connectors.file_drop.fetch import fetch_files
from crossdock.connectors.file_drop.take import take_files
from crossdock.errors import CrossdockError, EngineAway
from crossdock.journal.keep import keep
from crossdock.journal.outbox import PAGE, STREAM, SUBJECTS, relay
from crossdock.runtime.embedded.state import Endpoints
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import open_pool, retrying
from crossdock.runtime.secrets import resolve
from crossdock.sdk.receiving import Incoming, KeepResult

RELAY_SECONDS = 0.2
FILES_SECONDS = 2.0
AWAY_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def run_scheduler(stop: asyncio.Event, wired: Wired, endpoints: Endpoints) -> None:
    """Run every scheduled task until `stop` is set; survives an absent PostgreSQL or NATS."""
    pool = await retrying(
        lambda: open_pool(endpoints.database_url, min_size=1, max_size=3, name="crossdock-scheduler"), patience=60.0
    )
    bus = await Bus.connect(endpoints.nats_url, patience=2.0, or_later=True, name="crossdock-scheduler")
    source = f"/crossdock/{wired.estate.name}"
    feeds = [feed_of(wired.estate, name, os.environ) for name in wired.estate.declared.files]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_relay(stop, pool, bus, source))
            if feeds:
                group.create_task(_take_files(stop, pool, bus, feeds, wired.estate.declared.folder))
    finally:
        await bus.close()
        await pool.close()


async def _relay(stop: asyncio.Event, pool: asyncpg.Pool, bus: Bus, source: str) -> None:
    ready = False
    while not stop.is_set():
        try:
            if not ready:
                await bus.ensure_stream(STREAM, SUBJECTS)
                ready = True
            if await relay(pool, bus, source) < PAGE:
                await _rest(stop, RELAY_SECONDS)
        except EngineAway as error:
            ready = False
            log.info("relay.engine_away", reason=error.reason)
            await _rest(stop, AWAY_SECONDS)


async def _take_files(
    stop: asyncio.Event, pool: asyncpg.Pool, bus: Bus, feeds: Sequence[DropFeed], folder: Path
) -> None:
    async def keep_and_wake(batch: Sequence[Incoming]) -> list[KeepResult]:
        kept = await keep(pool, batch)
        await bus.wake("worker")
        return kept

    def reveal(reference: str) -> str:
        return resolve(reference, base=folder, where="a feed's SFTP source").reveal()

    while not stop.is_set():
        for feed in feeds:
            try:
                await fetch_files(feed, reveal)
                for report in await take_files(feed, keep_and_wake):
                    log.info("files.taken", interface=feed.interface, file=report.file, rows=report.rows)
            except CrossdockError as error:
                log.warning("files.failed", interface=feed.interface, reason=error.reason, fix=error.fix)
        await _rest(stop, FILES_SECONDS)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
