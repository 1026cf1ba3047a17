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
from crossdock.governance.refusal import HeaderList, TooMuch

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
    """One consumer under one plan. `ticks`: nanoseconds that only grow; `seconds`: since 1970, UTC.

    On the way of every request, so it looks at each clock once and puts what it says together in one go.
    """

    def __init__(self, consumer: str, limits: Limits, ticks: Callable[[], int], seconds: Callable[[], float]) -> None:
        self.consumer = consumer
        self.limits = limits
        self.under_way = 0
        self._ticks = ticks
        self._seconds = seconds
        self._bucket = Bucket(limits.rate, limits.burst) if limits.rate is not None else None
        self._quota = limits.quota
        self._concurrency = limits.concurrency
        self._day = int(seconds() // DAY)
        self._ends = (self._day + 1) * DAY
        # What the database told us of today, what we have counted since, and what we have not told it of earlier days.
        self._told = 0
        self._fresh = 0
        self._earlier: dict[int, int] = {}
        self._policy = (b"ratelimit-policy", _policy(limits))

    def begin(self) -> HeaderList:
        """Count one request, which ends by `end`; the headers that tell what is left. TooMuch when the plan does not
        allow it; then nothing is counted."""
        now, at = self._now(), self._ticks()
        concurrency = self._concurrency
        if concurrency is not None and self.under_way >= concurrency:
            raise self._too_much(f"{self.under_way} of its requests are under way", "concurrency", 1.0, now, at)
        if self._quota is not None and self._told + self._fresh >= self._quota:
            said = f"all {self._quota} requests of the day are used up"
            raise self._too_much(said, "quota", self._ends - now, now, at)
        if self._bucket is not None:
            wait = self._bucket.wait(at)
            if wait:
                said = f"more than {self.limits.rate:g} requests a second"
                raise self._too_much(said, "rate", wait / SECOND, now, at)
            self._bucket.take(at)
        self._fresh += 1
        self.under_way += 1
        return self._headers(now, at)

    def end(self) -> None:
        """A request that `begin` counted has been answered."""
        self.under_way -= 1

    @property
    def used(self) -> int:
        """Requests of today, as far as this gateway knows."""
        self._now()
        return self._told + self._fresh

    def usage(self) -> list[Usage]:
        """What the database was not told yet, with a line for today in any case: its answer tells what others used."""
        self._now()
        days = {**self._earlier, self._day: self._fresh}
        return [Usage(self.consumer, self.limits.name, day, number) for day, number in sorted(days.items())]

    def told(self, usage: Usage, total: int) -> None:
        """The database has taken `usage` and knows of `total` requests of that day, from all gateways."""
        self._now()
        if usage.day == self._day:
            self._fresh -= usage.number
            self._told = total
            return
        left = self._earlier.pop(usage.day, 0) - usage.number
        if left > 0:
            self._earlier[usage.day] = left

    def _now(self) -> float:
        """Seconds since 1970; when a day has ended, another one is begun."""
        now = self._seconds()
        if now >= self._ends:
            if self._fresh:
                self._earlier[self._day] = self._earlier.get(self._day, 0) + self._fresh
            self._day = int(now // DAY)
            self._ends = (self._day + 1) * DAY
            self._told = self._fresh = 0
        return now

    def _headers(self, now: float, at: int) -> HeaderList:
        parts = []
        if self._bucket is not None:
            parts.append(b'"rate";r=%d;t=%d' % (self._bucket.left(at), self._bucket.full_in(at)))
        if self._quota is not None:
            left = self._quota - self._told - self._fresh
            parts.append(b'"quota";r=%d;t=%d' % (left if left > 0 else 0, self._ends - int(now)))
        if self._concurrency is not None:
            parts.append(b'"concurrency";r=%d' % (self._concurrency - self.under_way))
        return [self._policy, (b"ratelimit", b", ".join(parts))] if parts else []

    def _too_much(self, reason: str, limit: str, after: float, now: float, at: int) -> TooMuch:
        said = f"{self.consumer}: {reason}, plan {self.limits.name}"
        return TooMuch(said, rule=f"access.{limit}", fix=_FIX, after=after, headers=self._headers(now, at))


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
