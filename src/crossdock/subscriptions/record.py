# SPDX-License-Identifier: Apache-2.0
"""Record how tries ended: a webhook that is done is gone, the next of its key is due, its endpoint's standing moves."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import structlog

from crossdock.canonical.objects import encode
from crossdock.journal.record import Event, record_events, storable
from crossdock.subscriptions.judge import Outcome, Standing, after, given_up, next_try
from crossdock.subscriptions.subscription import SQL
from crossdock.subscriptions.webhook import Webhook

_MOST_ERROR = 600
Tried = tuple[Webhook, Outcome]

log = structlog.get_logger(__name__)


class _Result:
    """What the tries of one subscription came to."""

    def __init__(self, row: asyncpg.Record) -> None:
        self.row = row
        self.standing = Standing(
            failures=row["failures"],
            failing_since=row["failing_since"],
            last_success_at=row["last_success_at"],
            last_failure_at=row["last_failure_at"],
            rest_until=row["rest_until"],
            last_status=row["last_status"],
            last_error=row["last_error"],
        )
        self.recovered = False
        self.delivered: list[Webhook] = []
        self.given_up: list[Tried] = []
        self.failed: list[tuple[Webhook, Outcome, datetime]] = []
        self.latencies: list[int] = []

    def take(self, webhook: Webhook, outcome: Outcome, rng: random.Random) -> None:
        failing = self.standing.failing
        self.standing = after(self.standing, outcome, rng)
        if outcome.status:
            self.latencies.append(outcome.milliseconds)
        if outcome.kind == "delivered":
            self.recovered = self.recovered or failing
            self.delivered.append(webhook)
        elif given_up(self.standing, webhook.first_tried_at, outcome.at):
            self.given_up.append((webhook, outcome))
        else:
            self.failed.append((webhook, outcome, next_try(webhook.attempts, outcome, rng)))

    @property
    def disabled(self) -> bool:
        """Whether these tries end the subscription's deliveries."""
        return bool(self.standing.disabled) and self.row["state"] == "active"


async def record(
    conn: asyncpg.Connection, fence: int, tries: Sequence[Tried], now: datetime, rng: random.Random
) -> bool:
    """Write `tries`, in the order they ended, in the caller's transaction; False when the lease was lost meanwhile."""
    if not await conn.fetchval(SQL.check_fence, fence):
        return False
    rows = await conn.fetch(SQL.lock_standing, sorted({webhook.subscription for webhook, _ in tries}))
    results = {row["id"]: _Result(row) for row in rows}
    for webhook, outcome in tries:
        # A subscription that was deleted meanwhile has nothing to be written to.
        if webhook.subscription in results:
            results[webhook.subscription].take(webhook, outcome, rng)
    found = list(results.values())
    await _settle(conn, found, now)
    await _fail(conn, found)
    latencies = [(one.row["id"], one.latencies[-100:]) for one in found if one.latencies]
    if latencies:
        await conn.executemany(SQL.add_latencies, latencies)
    recovered = [one.row["id"] for one in found if one.recovered]
    if recovered:
        # They failed with their endpoint, not by themselves.
        await conn.execute(SQL.due_at_once, recovered, now)
    await _stand(conn, found, now)
    await record_events(conn, [event for one in found for event in _told(one)])
    return True


async def _settle(conn: asyncpg.Connection, found: Sequence[_Result], now: datetime) -> None:
    numbers = [one.number for result in found for one in result.delivered]
    numbers += [one.number for result in found for one, _ in result.given_up]
    gone = await conn.fetch(SQL.settle, numbers) if numbers else []
    if gone:
        await conn.execute(
            SQL.next_in_turn, [row["subscription_id"] for row in gone], [row["key"] for row in gone], now
        )


async def _fail(conn: asyncpg.Connection, found: Sequence[_Result]) -> None:
    failed = [one for result in found for one in result.failed]
    if failed:
        await conn.execute(
            SQL.fail,
            [webhook.number for webhook, _, _ in failed],
            [at for _, _, at in failed],
            [int(outcome.kind == "failed") for _, outcome, _ in failed],
            [storable(outcome.error, _MOST_ERROR) for _, outcome, _ in failed],
            [outcome.at for _, outcome, _ in failed],
        )


async def _stand(conn: asyncpg.Connection, found: Sequence[_Result], now: datetime) -> None:
    await conn.execute(
        SQL.write_standing,
        [one.row["id"] for one in found],
        ["disabled" if one.disabled else one.row["state"] for one in found],
        [storable(one.standing.disabled, _MOST_ERROR) if one.disabled else "" for one in found],
        [one.standing.failures for one in found],
        [one.standing.failing_since for one in found],
        [one.standing.last_success_at for one in found],
        [one.standing.last_failure_at for one in found],
        [one.standing.rest_until for one in found],
        [one.standing.last_status for one in found],
        [storable(one.standing.last_error, _MOST_ERROR) for one in found],
        [len(one.delivered) for one in found],
        [len(one.given_up) for one in found],
        now,
    )


def _told(one: _Result) -> list[Event]:
    """What others should hear: that a subscription is disabled, that a webhook was given up."""
    about = {"id": one.row["id"], "consumer": one.row["consumer"]}
    key = f"subscription/{one.row['id']}"
    events = []
    for webhook, outcome in one.given_up:
        log.warning("webhook.given_up", subscription=one.row["id"], event_id=webhook.id, error=outcome.error)
        data = {**about, "event": webhook.id, "key": webhook.key, "error": storable(outcome.error, _MOST_ERROR)}
        events.append(Event(type="subscription.event_given_up", key=key, document_id=0, data=encode(data)))
    if one.disabled:
        log.warning("subscription.disabled", subscription=one.row["id"], reason=one.standing.disabled)
        data = {
            **about,
            "reason": storable(one.standing.disabled, _MOST_ERROR),
            "failing_since": one.standing.failing_since,
        }
        events.append(Event(type="subscription.disabled", key=key, document_id=0, data=encode(data)))
    return events
