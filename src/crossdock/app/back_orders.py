# SPDX-License-Identifier: Apache-2.0
"""Look, again and again, whether goods have come that orders wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import structlog

from crossdock.app.wiring import Wired
from crossdock.errors import EngineAway
from crossdock.inventory.back_orders import PAGE, look_for_goods
from crossdock.runtime.postgres import away

SECONDS = 1.0

log = structlog.get_logger(__name__)


async def watch_back_orders(
    stop: asyncio.Event, pool: asyncpg.Pool, wired: Wired, wake: Callable[[], Awaitable[object]]
) -> None:
    """Have the worker decide again on orders that goods may have come for, until `stop` is set. An estate none of whose
    channels has back-orders needs no such task."""
    channels = {name for name, one in wired.estate.declared.channels.items() if one.back_order == "split"}
    while channels and not stop.is_set():
        found = 0
        try:
            with away():
                found = await look_for_goods(pool, channels.__contains__)
            if found:
                log.info("back_orders.due", orders=found)
                await wake()
        except EngineAway as error:
            log.info("back_orders.engine_away", reason=error.reason)
        except Exception:  # edge: a bug in looking for goods must not end the scheduler's other tasks
            log.exception("back_orders.failed")
        if found < PAGE:
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS):
                    await stop.wait()
