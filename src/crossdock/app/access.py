# SPDX-License-Identifier: Apache-2.0
"""Who may use the API, wired: the estate's consumers and plans, their keys and tokens, the door they come by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from math import ceil

import asyncpg
import structlog

from crossdock.api.door import Door
from crossdock.app.metrics import access_call
from crossdock.app.wiring import Wired
from crossdock.errors import EngineAway
from crossdock.estate.consumers import Consumer, Plan
from crossdock.estate.load import Estate
from crossdock.governance.caller import Caller
from crossdock.governance.consumers import Consumers
from crossdock.governance.jwks import KeySet
from crossdock.governance.keyring import KeyRing
from crossdock.governance.meter import Limits
from crossdock.governance.share import FairShare
from crossdock.governance.tokens import Issuer, Tokens
from crossdock.governance.usage import note_used, share_usage
from crossdock.runtime.clock import now
from crossdock.runtime.http import Session, open_session
from crossdock.runtime.postgres import away

# Two thirds of the gateway's connections to the database: the rest is for what must not wait.
PLACES = 8
LOOK_SECONDS = 1.0
_PATIENCE = 5.0

log = structlog.get_logger(__name__)


class Access:
    """What a gateway knows of who may use it. `door` stands before the routes."""

    def __init__(self, estate: Estate, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._session = open_session(connections=4, total=_PATIENCE)
        self._consumers = consumers_of(estate)
        self._keys = KeyRing(self._consumers, now)
        self._issuers = issuers_of(estate, self._session)
        tokens = Tokens(self._issuers, self._consumers, now)
        self._running: list[asyncio.Task[None]] = []
        self.door = Door(self._keys, tokens, FairShare(PLACES), access_call)

    def start(self) -> None:
        """Keep keys and counts up until it is closed; survives an absent PostgreSQL."""
        # Issuers may be slow or publish nonsense; that must not keep a revoked key alive.
        self._running = [asyncio.create_task(work) for work in (self._run(), self._refresh_issuers())]

    async def look(self) -> None:
        """Take over keys that changed, and tell and learn what was used. Raises EngineAway."""
        with away():
            async with self._pool.acquire(timeout=_PATIENCE) as conn:
                if await self._keys.refresh(conn):
                    log.info("access.keys_read", version=self._keys.version)
                await share_usage(conn, self._consumers)
                await note_used(conn, self._keys)

    def problem(self) -> str:
        """Why nobody can be let in yet; "" when they can."""
        return "" if self._keys.version >= 0 else "the API keys are not in memory yet"

    async def close(self) -> None:
        """Tell what was not told yet, and hang up."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        try:
            await self.look()
        except (EngineAway, asyncpg.QueryCanceledError) as error:
            log.warning("access.counts_lost", reason=str(error))
        finally:
            await self._session.close()

    async def _run(self) -> None:
        was_away = False
        while True:
            try:
                await self.look()
                was_away = False
            except (EngineAway, asyncpg.QueryCanceledError) as error:
                if not was_away:
                    log.warning("access.database_away", reason=str(error))
                was_away = True
            except Exception:  # edge: a bug here must not freeze which keys are believed; it is told and tried again
                log.exception("access.look_failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def _refresh_issuers(self) -> None:
        while True:
            due = [one for one in self._issuers if one.keys.due]
            done = await asyncio.gather(*(one.keys.refresh() for one in due), return_exceptions=True)
            for issuer, error in zip(due, done, strict=True):
                if error is not None:
                    log.error("access.issuer_failed", issuer=issuer.issuer, exc_info=error)
            await asyncio.sleep(LOOK_SECONDS)


def access_of(wired: Wired, pool: asyncpg.Pool) -> Access | None:
    """Who may use this gateway's API; None when the estate has no consumers: whoever reaches it may."""
    estate = wired.estate.declared
    return Access(estate, pool) if estate.consumers else None


def consumers_of(estate: Estate) -> Consumers:
    """The consumers of an estate with their plans."""
    callers = {
        name: Caller(
            consumer=name,
            scopes=frozenset(consumer.scopes),
            channels=_channels(estate, consumer),
            customers=None if consumer.customers == "all" else frozenset(consumer.customers),
            plan=consumer.plan,
        )
        for name, consumer in estate.consumers.items()
    }
    return Consumers(callers, {name: _limits(name, plan) for name, plan in estate.plans.items()}, time.monotonic_ns)


def issuers_of(estate: Estate, session: Session) -> list[Issuer]:
    """Whose tokens are believed, with the consumers that their clients are."""
    clients: dict[str, dict[str, str]] = {name: {} for name in estate.token_issuers}
    for name, consumer in estate.consumers.items():
        for client in consumer.clients:
            clients[client.issuer][client.id] = name
    return [
        Issuer(
            issuer=declared.issuer,
            audience=declared.audience,
            algorithms=declared.algorithms,
            client_claim=declared.client_claim,
            scope_claim=declared.scope_claim,
            consumers=clients[name],
            keys=KeySet(declared.jwks, session, time.monotonic),
        )
        for name, declared in estate.token_issuers.items()
    ]


def _channels(estate: Estate, consumer: Consumer) -> frozenset[str] | None:
    if consumer.channels == "all":
        return None
    of_entities: Mapping[str, str] = {name: channel.entity for name, channel in estate.channels.items()}
    return frozenset(consumer.channels) | {name for name, of in of_entities.items() if of in consumer.entities}


def _limits(name: str, plan: Plan) -> Limits:
    burst = plan.burst if plan.burst is not None else max(1, ceil(plan.rate or 1))
    return Limits(
        name=name,
        rate=plan.rate,
        burst=burst,
        quota=plan.quota,
        concurrency=plan.concurrency,
        weight=plan.weight,
    )
