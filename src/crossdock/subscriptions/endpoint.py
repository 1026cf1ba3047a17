# SPDX-License-Identifier: Apache-2.0
"""One endpoint under way: its connections, pinned to an address that was checked, and what is sent to it now."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog
from msgspec import Struct

from crossdock.errors import Refused, RetryLater
from crossdock.runtime.clock import now
from crossdock.runtime.http import Session, open_session
from crossdock.runtime.outward import Reach, address_of, target_of
from crossdock.subscriptions.judge import FAILING, Outcome
from crossdock.subscriptions.webhook import CALL_SECONDS, CONNECT_SECONDS, Webhook, send

CONCURRENCY: Final = 8
"""Webhooks under way to one endpoint at a time; one while it fails."""
AHEAD: Final = 32
"""Webhooks claimed for one endpoint at a time: with what they carry at most, eight megabytes."""
RESOLVE_AGAIN: Final = 60.0
# After a name server that did not answer.
RESOLVE_SOON: Final = 5.0

log = structlog.get_logger(__name__)


class Facts(Struct, frozen=True):
    """What of a subscription matters for sending. `previous_secret`: "" unless it signs too; `xid`, `event_id`: its
    place in the outbox."""

    id: str
    url: str
    secret: str
    previous_secret: str
    xid: int
    event_id: int
    failures: int
    rest_until: datetime | None


Ended = Callable[[Webhook, Outcome], None]


class Endpoint:
    """Sends the webhooks of one subscription. `ended` is told how each try ended, `ours` says whether one may begin."""

    def __init__(self, facts: Facts, reach: Reach, ended: Ended, ours: Callable[[], bool]) -> None:
        self.facts = facts
        self.under_way: set[int] = set()
        self.retired = False
        self._reach = reach
        self._ended = ended
        self._ours = ours
        self._queue: deque[Webhook] = deque()
        self._callers: set[asyncio.Task[None]] = set()
        self._session: Session | None = None
        self._address: str | None = None
        self._fresh_until = 0.0
        self._connecting = asyncio.Lock()
        self._old: list[Session] = []
        # Since the last answer that was not one; what the database says follows a moment later.
        self._failed = facts.failures
        # The webhook after which the endpoint wants to be left alone, until that is written.
        self._unwritten: int | None = None

    def room(self, at: datetime) -> int:
        """How many more webhooks it takes now; while it fails one at a time, none while it rests."""
        if self.retired or self._wants_rest or (self.facts.rest_until is not None and self.facts.rest_until > at):
            return 0
        if self.failing:
            return 0 if self.under_way else 1
        # A claim is worth its round trip when it can be a good part of what may be under way.
        room = AHEAD - len(self.under_way)
        return room if room >= AHEAD // 2 else 0

    @property
    def _wants_rest(self) -> bool:
        """Whether it said so and the database does not know yet: what is claimed now would not see it."""
        return self._unwritten in self.under_way

    @property
    def failing(self) -> bool:
        """Whether the endpoint as a whole fails."""
        return self.facts.failures >= FAILING

    def update(self, facts: Facts) -> None:
        """Take over what the database says now."""
        self.facts, self.retired = facts, False

    def retire(self) -> None:
        """Begin nothing more: the subscription is disabled or gone."""
        self.retired = True
        self._drop()

    def start(self, webhooks: list[Webhook]) -> None:
        """Send these, no more than so many at a time; none when it wanted a rest while they were claimed."""
        if self.retired or self._wants_rest:
            return
        self.under_way.update(one.number for one in webhooks)
        self._queue.extend(webhooks)
        most = 1 if self.failing else CONCURRENCY
        # One that ended is not gone from the set before the loop came round: it takes nothing more.
        running = sum(not one.done() for one in self._callers)
        for _ in range(min(len(self._queue), most - running)):
            caller = asyncio.create_task(self._send_queued())
            self._callers.add(caller)
            caller.add_done_callback(self._callers.discard)

    def written(self, number: int) -> None:
        """The outcome of a webhook is written; it may be claimed again."""
        self.under_way.discard(number)
        if number == self._unwritten:
            self._unwritten = None

    async def close(self, within: float) -> None:
        """Begin nothing more, let calls end `within` so many seconds, and hang up."""
        self._drop()
        if self._callers:
            await asyncio.wait(set(self._callers), timeout=within)
        for caller in self._callers:
            caller.cancel()
        for session in (*self._old, *((self._session,) if self._session is not None else ())):
            await session.close()
        self._old, self._session = [], None

    async def _send_queued(self) -> None:
        while self._queue:
            webhook = self._queue.popleft()
            if not self._ours():
                # The lease may be another worker's by now: what was not begun is left to whoever holds it.
                self.under_way.discard(webhook.number)
                continue
            outcome = await self._send(webhook)
            self._ended(webhook, outcome)
            self._hear(webhook, outcome)

    async def _send(self, webhook: Webhook) -> Outcome:
        facts = self.facts
        began = now()
        try:
            session = await self._connected()
            outcome, _ = await send(session, facts.url, webhook.id, webhook.body, (facts.secret, facts.previous_secret))
            return outcome
        except (Refused, RetryLater) as error:
            return Outcome(kind="failed", status=0, error=error.reason, milliseconds=0, at=began)
        except Exception as error:  # edge: a bug that one webhook provokes must not take its endpoint's slot for ever
            log.exception("webhook.send_failed", subscription=facts.id, event_id=webhook.id)
            return Outcome(kind="failed", status=0, error=type(error).__name__, milliseconds=0, at=began)

    def _hear(self, webhook: Webhook, outcome: Outcome) -> None:
        """Drop what is queued when the endpoint wants a rest or fails: its keys keep their turn."""
        if outcome.kind == "delivered":
            self._failed = 0
            return
        self._failed += outcome.kind == "failed"
        if outcome.kind in ("gone", "throttled") or outcome.wait or self._failed >= FAILING:
            self._unwritten = webhook.number
            self._drop()

    def _drop(self) -> None:
        self.under_way.difference_update(one.number for one in self._queue)
        self._queue.clear()

    async def _connected(self) -> Session:
        """Connections to an address that was checked a minute ago at most, or longer while no name server answers."""
        async with self._connecting:
            clock = asyncio.get_running_loop().time()
            if self._session is not None and clock < self._fresh_until:
                return self._session
            try:
                session, address = await pinned(self.facts.url, self._reach, self._session, self._address)
            except RetryLater:
                # Where the connections go was checked, and they go nowhere else: better than to fail for others' sake.
                if self._session is None:
                    raise
                self._fresh_until = clock + RESOLVE_SOON
                return self._session
            if session is not self._session and self._session is not None:
                self._old.append(self._session)
            self._session, self._address, self._fresh_until = session, address, clock + RESOLVE_AGAIN
            return session

    async def tidy(self) -> None:
        """Hang up connections to addresses that the name no longer has, once nothing is under way."""
        if self._old and not self._callers:
            old, self._old = self._old, []
            for session in old:
                await session.close()


async def pinned(
    url: str, reach: Reach, session: Session | None = None, address: str | None = None
) -> tuple[Session, str]:
    """Connections to the address of `url`, checked now: `session` if that goes to it already (to `address`).

    Raises Refused when it is out of reach, RetryLater when the name cannot be resolved.
    """
    target = target_of(url, reach)
    found = await address_of(target, reach, "" if address is None else address.rpartition("/")[2])
    name = f"{target.scheme}://{target.host}:{target.port}/{found or ''}"
    if session is not None and name == address:
        return session, name
    pin = None if found is None else (target.host, found)
    opened = open_session(connections=CONCURRENCY, connect=CONNECT_SECONDS, total=CALL_SECONDS, pinned=pin)
    return opened, name


def facts_in(row: Any) -> Facts:
    """What of a row matters for sending."""
    return Facts(**{name: row[name] for name in Facts.__struct_fields__})
