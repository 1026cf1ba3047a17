# SPDX-License-Identifier: Apache-2.0
"""A subscription as its consumer sees it, and how its endpoint does."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from statistics import median
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
MOST_WAITING: Final = 100_000
"""Webhooks that wait for one subscription; what comes behind them waits in the outbox."""

State = Literal["active", "disabled"]


class Health(Struct, frozen=True, kw_only=True):
    """How an endpoint does. `failing_since`: the first try that failed since the last that did not; `waiting`: events
    it was not told of yet, `waiting_most` says that there may be more; `waiting_since`: when the oldest of them became
    true, `waiting_error`: what came of its last try, "" before the first; `p50_ms`: the median of its last hundred
    answers."""

    last_success_at: datetime | None
    last_failure_at: datetime | None
    failing_since: datetime | None
    last_status: int
    last_error: str
    waiting: int
    waiting_most: bool
    waiting_since: datetime | None
    waiting_error: str
    delivered: int
    given_up: int
    p50_ms: int | None


class Subscription(Struct, frozen=True, kw_only=True):
    """Who wants to hear of which events where. `types`: events as sales_order.accepted, sales_order.* or *; `channels`,
    `customers`: only events of these, None = of all. `two_secrets_until`: so long the secret before the last rotation
    signs too."""

    id: str
    consumer: str
    url: str
    types: list[str]
    channels: list[str] | None
    customers: list[str] | None
    note: str
    state: State
    state_reason: str
    state_at: datetime
    two_secrets_until: datetime | None
    created_at: datetime
    health: Health


def new_id() -> str:
    """An id that nobody guesses."""
    return f"sub_{secrets.token_hex(14)}"


def new_secret() -> str:
    """A secret as Standard Webhooks wants it: whsec_ and 32 bytes in base64."""
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


def no_such(subscription: str) -> Refused:
    """There is no such subscription, or it is somebody else's: the answer is the same."""
    return Refused(
        f"there is no subscription {subscription[:100]}",
        status=404,
        field="id",
        rule="not_found",
        fix="list the subscriptions for their ids",
    )


def subscription_of(row: Mapping[str, Any], waits: Mapping[str, Any] | None, now: datetime) -> Subscription:
    """The subscription in a row, with what waits for it (`number`, `at`, `last_error`); None: nothing."""
    fields = dict(row)
    latencies = fields["latencies"]
    waiting = waits["number"] if waits is not None else 0
    health = {
        **{name: fields[name] for name in Health.__struct_fields__ if name in fields},
        "waiting": waiting,
        "waiting_most": waiting >= MOST_WAITING,
        "waiting_since": waits["at"] if waits is not None else None,
        "waiting_error": waits["last_error"] if waits is not None else "",
        "p50_ms": round(median(latencies)) if latencies else None,
    }
    until = fields["previous_until"]
    both = until if until is not None and until > now else None
    told = {name: fields[name] for name in Subscription.__struct_fields__ if name in fields}
    return msgspec.convert(
        {**told, "health": health, "two_secrets_until": both},
        Subscription,
    )
