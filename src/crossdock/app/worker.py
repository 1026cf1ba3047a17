# SPDX-License-Identifier: Apache-2.0
"""The worker role: takes documents through translate and decide, drives systems, and tells subscribers."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Sequence

import asyncpg
import structlog

from crossdock.app.metrics import tried, webhook_sent
from crossdock.app.price_rules import prices_wanted
from crossdock.app.waking import Waker
from crossdock.app.wiring import (
    Wired,
    reach_of,
    rules_of,
    source_of,
    systems_of,
    translations_of,
)
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.decide_orders import Rules
from crossdock.delivery.drive import Driver
from crossdock.errors import EngineAway
from crossdock.flow import work
from crossdock.inventory.feed import StockFeed
from crossdock.runtime.embedded.state import Endpoints
from crossdock.runtime.nats import Bus, Wakes
from crossdock.runtime.postgres import open_pool, retrying
from crossdock.subscriptions.drive import WebhookDriver
from crossdock.translate import Translations

BATCH = 200
IDLE_SECONDS = 0.25
AWAY_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def run_worker(stop: asyncio.Event, wired: Wired, endpoints: Endpoints) -> None:
    """Work until `stop` is set; survives an absent PostgreSQL or NATS."""
    name = worker_name()
    pool = await retrying(
        lambda: open_pool(endpoints.database_url, min_size=1, max_size=10, name="crossdock-worker", by_index=True),
        patience=60.0,
    )
    bus = await Bus.connect(endpoints.nats_url, patience=2.0, or_later=True, name="crossdock-worker")
    catalog = Catalog(PriceBook() if prices_wanted(wired.estate) else None)
    rules, translations = rules_of(wired, catalog), translations_of(wired, catalog)
    feed = StockFeed(pool, rules.stock, catalog)
    drivers = [Driver(pool, system, name, stop, tried, feed) for system in systems_of(wired)]
    webhooks = WebhookDriver(pool, reach_of(wired), source_of(wired), name, stop, webhook_sent)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(feed.run(stop))
            group.create_task(webhooks.run())
            for driver in drivers:
                group.create_task(driver.run())
            wakes = await bus.wakes("worker")
            told = [*(driver.wake for driver in drivers), feed.wake, webhooks.wake, Waker(bus, "scheduler").soon]
            group.create_task(_work(stop, pool, rules, translations, wakes, told))
    finally:
        await bus.close()
        await pool.close()


def worker_name() -> str:
    """A name for this process that no other ever has: in a container the next one has the same host and number, and
    would take the lease of the one that died for its own, with all that was being sent."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


async def _work(
    stop: asyncio.Event,
    pool: asyncpg.Pool,
    rules: Rules,
    translations: Translations,
    wakes: Wakes,
    told: Sequence[Callable[[], None]],
) -> None:
    """Decide what is due; `told` are those who have something to do afterwards: drivers, and the relay of events."""
    while not stop.is_set():
        try:
            done = await work(pool, rules, translations, BATCH)
        except EngineAway as error:
            log.warning("worker.engine_away", reason=error.reason)
            await asyncio.sleep(AWAY_SECONDS)
            continue
        if done:
            for tell in told:
                tell()
        if done < BATCH:
            await wakes.wait(IDLE_SECONDS)
