# SPDX-License-Identifier: Apache-2.0
"""What a consumer has used of its plan: requests a second, a day, and under way. In memory, of this gateway.

Headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what a plan allows, `RateLimit`
what is left of it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from msgspec import Struct

from crossdock.governance.bucket import SECOND, Bucket
from crossdock.governance.refusal import TooMuch

DAY = 86_400
_FIX = "keep to the plan: RateLimit-Policy has its limits, RateLimit what is left"


class Limits(Struct, frozen=True, kw_only=True):
    """A plan as it is kept to: requests a second with a burst, a UTC day, and at once; None = no limit."""

    name: str
    rate: float | None = None
    burst: int = 1
    quota: int | None = None
    concurrency: int | None = None
    weight: int = 1


class Usage(Struct, frozen=True):
    """Requests of a day (days since 1970, UTC) that the database was not told of yet."""

    consumer: str
    plan: str
    day: int
    number: int


class Meter:
    """One consumer under one plan. `ticks`: nanoseconds that only grow; `seconds`: since 1970, UTC."""

    def __init__(self, consumer: str, limits: Limits, ticks: Callable[[], int], seconds: Callable[[], float]) -> None:
        self.consumer = consumer
        self.limits = limits
        self.under_way = 0
        self._ticks = ticks
        self._seconds = seconds
        self._bucket = Bucket(limits.rate, limits.burst) if limits.rate is not None else None
        self._day = int(seconds() // DAY)
        self._told = 0
        self._pending: dict[int, int] = {}
        self._policy = _policy(limits)

    def begin(self) -> None:
        """Count one request, which ends by `end`. TooMuch when the plan does not allow it; then nothing is counted."""
        limits = self.limits
        if limits.concurrency is not None and self.under_way >= limits.concurrency:
            raise self._too_much(f"{self.under_way} of its requests are under way", "concurrency", 1.0)
        today = self._today()
        if limits.quota is not None and self.used >= limits.quota:
            left = (today + 1) * DAY - self._seconds()
            raise self._too_much(f"all {limits.quota} requests of the day are used up", "quota", left)
        if self._bucket is not None:
            at = self._ticks()
            wait = self._bucket.wait(at)
            if wait:
                raise self._too_much(f"more than {limits.rate:g} requests a second", "rate", wait / SECOND)
            self._bucket.take(at)
        self._pending[today] = self._pending.get(today, 0) + 1
        self.under_way += 1

    def end(self) -> None:
        """A request that `begin` counted has been answered."""
        self.under_way -= 1

    @property
    def used(self) -> int:
        """Requests of today, as far as this gateway knows."""
        return self._told + self._pending.get(self._today(), 0)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What is left, for every answer; none when the plan limits nothing that can be counted."""
        parts = []
        if self._bucket is not None:
            at = self._ticks()
            parts.append(b'"rate";r=%d;t=%d' % (self._bucket.left(at), self._bucket.full_in(at)))
        if self.limits.quota is not None:
            left = DAY - int(self._seconds()) % DAY
            parts.append(b'"quota";r=%d;t=%d' % (max(0, self.limits.quota - self.used), left))
        if self.limits.concurrency is not None:
            parts.append(b'"concurrency";r=%d' % max(0, self.limits.concurrency - self.under_way))
        return [(b"ratelimit-policy", self._policy), (b"ratelimit", b", ".join(parts))] if parts else []

    def usage(self) -> list[Usage]:
        """What the database was not told yet, with a line for today in any case: its answer tells what others used."""
        days = {self._today(): 0, **self._pending}
        return [Usage(self.consumer, self.limits.name, day, number) for day, number in sorted(days.items())]

    def told(self, usage: Usage, total: int) -> None:
        """The database has taken `usage` and knows of `total` requests of that day, from all gateways."""
        left = self._pending.get(usage.day, 0) - usage.number
        if left > 0:
            self._pending[usage.day] = left
        else:
            self._pending.pop(usage.day, None)
        if usage.day == self._today():
            self._told = total

    def _today(self) -> int:
        today = int(self._seconds() // DAY)
        if today != self._day:
            self._day, self._told = today, 0
        return today

    def _too_much(self, reason: str, limit: str, after: float) -> TooMuch:
        said = f"{self.consumer}: {reason}, plan {self.limits.name}"
        return TooMuch(said, rule=f"access.{limit}", fix=_FIX, after=after, headers=self.headers())


def _policy(limits: Limits) -> bytes:
    parts = []
    if limits.rate is not None:
        # A whole bucket, and the time it takes to fill.
        parts.append(b'"rate";q=%d;w=%d' % (limits.burst, max(1, ceil(limits.burst / limits.rate))))
    if limits.quota is not None:
        parts.append(b'"quota";q=%d;w=%d' % (limits.quota, DAY))
    if limits.concurrency is not None:
        parts.append(b'"concurrency";q=%d;qu="concurrent-requests"' % limits.concurrency)
    return b", ".join(parts)
