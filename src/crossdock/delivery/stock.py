# SPDX-License-Identifier: Apache-2.0
"""Publish stock levels to a channel system: only the newest level of a SKU travels, in as few calls as can be.

A level is told once it has come to rest or has waited long enough; stock-outs at once. Levels are absolute, so a call
whose outcome is unknown is simply made again with what is true then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

import asyncpg
import structlog

from crossdock.canonical.stock import StockLevel
from crossdock.delivery.owe import SQL as DELIVERY
from crossdock.delivery.send import ask
from crossdock.delivery.system import System
from crossdock.errors import CrossdockError, RetryLater
from crossdock.inventory.publish import Wanted, claim_dirty, record_told, record_untold
from crossdock.runtime.backoff import backoff
from crossdock.runtime.clock import now
from crossdock.sdk.sending import Delivered, Exchange, Outcome, Outgoing

OPERATION = "stock_levels"
QUIET_SECONDS = 0.5
LONGEST_WAIT = 3.0
# A call that would be only partly filled waits this long for company.
GATHER_SECONDS = 0.4

log = structlog.get_logger(__name__)


class StockPublisher:
    """Tells one channel system its stock levels, one call at a time. A turn starts a call and does not wait for it."""

    def __init__(self, pool: asyncpg.Pool, system: System) -> None:
        self._pool = pool
        self._system = system
        self._batch = system.operations[OPERATION].batch
        self._call: asyncio.Task[None] | None = None
        self._attempt = 0
        self._rest_until = 0.0

    async def turn(self, slot: Callable[[], Awaitable[asyncio.Semaphore]]) -> bool:
        """Start a call when one is worth making; whether one is under way."""
        if self._call is not None:
            if not self._call.done():
                return True
            finished, self._call = self._call, None
            finished.result()
        if asyncio.get_running_loop().time() < self._rest_until:
            return False
        async with self._pool.acquire() as conn:
            wanted = await claim_dirty(conn, self._system.name, self._batch, QUIET_SECONDS, LONGEST_WAIT)
        if not wanted or not self._worth(wanted):
            return False
        self._call = asyncio.create_task(self._tell(wanted, slot))
        return True

    async def finish(self, within: float) -> None:
        """Let a call that is under way end, for at most `within` seconds; what was not told stays to be told."""
        if self._call is not None:
            await asyncio.wait([self._call], timeout=within)
            if self._call.done() and not self._call.cancelled() and self._call.exception() is not None:
                log.warning("stock.not_recorded", system=self._system.name, reason=repr(self._call.exception()))

    def _worth(self, wanted: Sequence[Wanted]) -> bool:
        oldest = min(level.dirty_since for level in wanted)
        waited = (now() - oldest).total_seconds()
        return len(wanted) >= self._batch or waited >= GATHER_SECONDS or any(level.quantity == 0 for level in wanted)

    async def _tell(self, wanted: Sequence[Wanted], slot: Callable[[], Awaitable[asyncio.Semaphore]]) -> None:
        slots = await slot()
        started = now()
        try:
            batch = [_outgoing(level, started, self._system.safety) for level in wanted]
            outcomes = await ask(self._system, OPERATION, batch)
        finally:
            slots.release()
        told = [level for level, outcome in zip(wanted, outcomes, strict=True) if isinstance(outcome, Delivered)]
        failed = [
            (level, outcome.error)
            for level, outcome in zip(wanted, outcomes, strict=True)
            if not isinstance(outcome, Delivered)
        ]
        self._attempt = 0 if told or not failed else self._attempt + 1
        async with self._pool.acquire() as conn, conn.transaction():
            await self._keep_exchanges(conn, outcomes)
            await record_told(conn, self._system.name, told)
            await record_untold(
                conn, self._system.name, [(level, error.reason, self._wait(error)) for level, error in failed]
            )
        if failed:
            log.warning("stock.untold", system=self._system.name, levels=len(failed), reason=failed[0][1].reason)

    def _wait(self, error: CrossdockError) -> float:
        """Seconds until a level is told again; a throttled or absent system rests altogether."""
        retry = isinstance(error, RetryLater)
        asked = error.after if isinstance(error, RetryLater) else None
        wait = asked if asked is not None else backoff(max(1, self._attempt), first=0.5, most=30.0)
        if retry:
            self._rest_until = asyncio.get_running_loop().time() + wait
            return 0.0
        return max(wait, 5.0)

    async def _keep_exchanges(self, conn: asyncpg.Connection, outcomes: Sequence[Outcome]) -> None:
        found: dict[int, Exchange] = {
            id(outcome.exchange): outcome.exchange for outcome in outcomes if outcome.exchange is not None
        }
        if found:
            await conn.execute(
                DELIVERY.record_exchanges,
                self._system.name,
                [e.method for e in found.values()],
                [e.url for e in found.values()],
                [e.request for e in found.values()],
                [e.status for e in found.values()],
                [e.response for e in found.values()],
            )


def _outgoing(level: Wanted, at: datetime, safety: int) -> Outgoing:
    reference = f"{level.sku}@{level.location}"
    return Outgoing(
        delivery_id=0,
        operation=OPERATION,
        reference=reference,
        idempotency_key=str(uuid5(NAMESPACE_URL, f"{reference}/{level.sequence}")),
        document=StockLevel(
            sku=level.sku,
            location=level.location,
            on_hand=level.quantity,
            safety=Decimal(safety),
            sequence=level.sequence,
            as_of=at,
        ),
        known={},
    )
