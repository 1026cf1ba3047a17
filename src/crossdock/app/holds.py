# SPDX-License-Identifier: Apache-2.0
"""Have held orders looked at again as often as the estate says; nothing where it says nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import structlog

from crossdock.app.wiring import Wired
from crossdock.errors import EngineAway, RetryLater
from crossdock.estate.durations import duration
from crossdock.runtime.nats import Bus
from crossdock.triage.look_again import PAGE, look_again

LOOK_SECONDS = 5.0

log = structlog.get_logger(__name__)


async def watch_holds(stop: asyncio.Event, pool: asyncpg.Pool, bus: Bus, wired: Wired) -> None:
    """Until `stop`, make held orders due that nobody has looked at for `orders.look_again`."""
    said = wired.estate.declared.orders.look_again
    if not said:
        return
    every = duration(said)
    while not stop.is_set():
        looked = 0
        try:
            looked = await look_again(pool, every)
            if looked:
                log.info("orders.looked_at_again", count=looked)
                await bus.wake("worker")
        except (EngineAway, RetryLater) as error:
            log.info("orders.look_later", reason=error.reason)
        except Exception:  # edge: a bug in looking must not end the scheduler's other tasks
            log.exception("orders.look_failed")
        if looked < PAGE:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
