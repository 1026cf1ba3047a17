# SPDX-License-Identifier: Apache-2.0
"""What becomes of a webhook and of its endpoint after a try: when again, when given up, when it is left alone.

A webhook that fails while its endpoint takes others is tried on a schedule of three days and then given up. An endpoint
that takes nothing is asked with one webhook at a time, every five minutes at most, and nothing is given up: when it
serves again, all that waits follows in order. After five days it is disabled, and everything goes on waiting.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from crossdock.sdk.http_status import retry_after

# Standard Webhooks' own schedule: three days and three hours from the first try to the last.
SCHEDULE: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
GIVE_UP_AFTER: Final = timedelta(days=3)
DISABLE_AFTER: Final = timedelta(days=5)
FAILING: Final = 5
"""Tries in a row that fail until the endpoint, and not what it was told, counts as failing."""
FIRST_REST: Final = 5.0
LONGEST_REST: Final = 300.0
THROTTLED_REST: Final = 60.0

Kind = Literal["delivered", "failed", "throttled", "gone"]


class Outcome(Struct, frozen=True, kw_only=True):
    """How a try ended: what the endpoint said (status 0: no answer), in how many milliseconds, and `wait`, the seconds
    it asked to be left alone."""

    kind: Kind
    status: int
    error: str
    milliseconds: int
    at: datetime
    wait: float | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """How an endpoint stands. `disabled`: why it is not delivered to any more, "" = it is."""

    failures: int
    failing_since: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    rest_until: datetime | None
    last_status: int = 0
    last_error: str = ""
    disabled: str = ""

    @property
    def failing(self) -> bool:
        """Whether the endpoint as a whole fails."""
        return self.failures >= FAILING


def judged(status: int, headers: Mapping[str, str], body: bytes, milliseconds: int, at: datetime) -> Outcome:
    """The outcome that an answer means: 2xx took it, 410 wants no more, 429 and a Retry-After want a rest."""
    wait = retry_after(headers, at)
    if 200 <= status < 300:
        return Outcome(kind="delivered", status=status, error="", milliseconds=milliseconds, at=at)
    said = body.decode("utf-8", "replace").strip()
    error = f"HTTP {status}: {said[:500]}" if said else f"HTTP {status}"
    kind: Kind = "failed"
    if status == 410:
        kind = "gone"
    elif status == 429:
        kind, wait = "throttled", THROTTLED_REST if wait is None else wait
    elif 300 <= status < 400:
        error = f"HTTP {status}: redirects are not followed"
    return Outcome(kind=kind, status=status, error=error, milliseconds=milliseconds, at=at, wait=wait)


def after(standing: Standing, outcome: Outcome, rng: random.Random) -> Standing:
    """How the endpoint stands after a try."""
    at = outcome.at
    if outcome.kind == "delivered":
        return replace(
            standing, failures=0, failing_since=None, last_success_at=at, last_status=outcome.status, last_error=""
        )
    failures = standing.failures + (outcome.kind == "failed")
    since = standing.failing_since or at
    rest = outcome.wait or 0.0
    if failures >= FAILING:
        own = min(LONGEST_REST, FIRST_REST * 2.0 ** min(failures - FAILING, 30))
        rest = max(rest, own * rng.uniform(0.8, 1.0))
    until = at + timedelta(seconds=rest)
    disabled = ""
    if outcome.kind == "gone":
        disabled = "the endpoint answered 410 Gone"
    elif at - since >= DISABLE_AFTER:
        disabled = f"nothing was taken for {(at - since).days} days, at last: {outcome.error}"
    return Standing(
        failures=failures,
        failing_since=since,
        last_success_at=standing.last_success_at,
        last_failure_at=at,
        rest_until=until if standing.rest_until is None else max(until, standing.rest_until),
        last_status=outcome.status,
        last_error=outcome.error,
        disabled=disabled or standing.disabled,
    )


def given_up(standing: Standing, first_tried_at: datetime | None, at: datetime) -> bool:
    """Whether a webhook that failed again at `at` is given up: its time is over, and its endpoint took others since."""
    if first_tried_at is None or standing.last_success_at is None:
        return False
    return at - first_tried_at >= GIVE_UP_AFTER and standing.last_success_at > first_tried_at


def next_try(attempts: int, outcome: Outcome, rng: random.Random) -> datetime:
    """When a webhook is tried again that failed for the time number `attempts` + 1. A fifth of the wait is by chance,
    so that what failed together does not come back together; a rest that was asked for is kept."""
    wait = SCHEDULE[min(attempts, len(SCHEDULE) - 1)] * rng.uniform(0.9, 1.1)
    return outcome.at + timedelta(seconds=outcome.wait if outcome.kind == "throttled" and outcome.wait else wait)
