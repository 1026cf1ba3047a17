# SPDX-License-Identifier: Apache-2.0
"""Plans by a given clock: exactly what is allowed, exactly when it is again, and what the headers say of it."""

from __future__ import annotations

import pytest

from crossdock.governance.bucket import SECOND
from crossdock.governance.meter import DAY, Limits, Meter
from crossdock.governance.refusal import TooMuch


class Clock:
    """Two clocks that move together."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def ticks(self) -> int:
        return round(self.at * SECOND)

    def seconds(self) -> float:
        return self.at


def meter(clock: Clock, **limits: float) -> Meter:
    return Meter("portal", Limits(name="gold", **limits), clock.ticks, clock.seconds)  # type: ignore[arg-type]


def let_through(one: Meter, number: int) -> int:
    """How many of so many requests at once are let through; each is answered at once."""
    done = 0
    for _ in range(number):
        try:
            one.begin()
        except TooMuch:
            continue
        one.end()
        done += 1
    return done


def refused(one: Meter) -> TooMuch:
    with pytest.raises(TooMuch) as caught:
        one.begin()
    return caught.value


def test_a_rate_with_a_burst() -> None:
    clock = Clock()
    one = meter(clock, rate=10.0, burst=3)
    assert let_through(one, 10) == 3
    error = refused(one)
    assert (error.status, error.rule, dict(error.headers)[b"retry-after"]) == (429, "access.rate", b"1")
    assert error.reason == "portal: more than 10 requests a second, plan gold"
    clock.at = 0.099
    assert let_through(one, 10) == 0
    clock.at = 0.1
    assert let_through(one, 10) == 1
    clock.at = 60.0
    assert let_through(one, 10) == 3


def test_a_quota_ends_with_the_utc_day() -> None:
    clock = Clock(3 * DAY - 10.5)
    one = meter(clock, quota=2)
    assert let_through(one, 5) == 2
    error = refused(one)
    assert (error.rule, dict(error.headers)[b"retry-after"]) == ("access.quota", b"11")
    clock.at = 3 * DAY - 0.001
    assert let_through(one, 5) == 0
    clock.at = 3.0 * DAY
    assert let_through(one, 5) == 2


def test_what_others_used_counts_and_nothing_is_counted_twice() -> None:
    clock = Clock()
    one = meter(clock, quota=10)
    assert let_through(one, 3) == 3
    (usage,) = one.usage()
    assert (usage.consumer, usage.plan, usage.day, usage.number) == ("portal", "gold", 0, 3)
    # One more comes while the database is being told.
    assert let_through(one, 1) == 1
    one.told(usage, 8)
    assert one.used == 9
    assert [usage.number for usage in one.usage()] == [1]
    assert let_through(one, 5) == 1


def test_what_was_not_told_of_yesterday_is_told_today() -> None:
    clock = Clock(DAY - 1.0)
    one = meter(clock, quota=10)
    let_through(one, 4)
    clock.at = DAY + 1.0
    let_through(one, 2)
    assert [(usage.day, usage.number) for usage in one.usage()] == [(0, 4), (1, 2)]
    for usage in one.usage():
        one.told(usage, 100 if usage.day == 0 else 5)
    assert one.used == 5
    assert [(usage.day, usage.number) for usage in one.usage()] == [(1, 0)]


def test_so_many_under_way() -> None:
    one = meter(Clock(), concurrency=2)
    one.begin()
    one.begin()
    assert refused(one).rule == "access.concurrency"
    one.end()
    one.begin()
    assert one.under_way == 2


def test_what_is_refused_uses_nothing_up() -> None:
    clock = Clock()
    one = meter(clock, rate=1.0, burst=1, quota=5, concurrency=1)
    one.begin()
    refused(one)
    one.end()
    refused(one)
    assert one.used == 1
    clock.at = 1.0
    one.begin()
    assert one.used == 2


def test_headers_say_what_is_allowed_and_what_is_left() -> None:
    clock = Clock(DAY - 100.0)
    one = meter(clock, rate=2.0, burst=10, quota=1000, concurrency=5)
    one.begin()
    one.begin()
    one.end()
    assert one.begin() == [
        (
            b"ratelimit-policy",
            b'"rate";q=10;w=5, "quota";q=1000;w=86400, "concurrency";q=5;qu="concurrent-requests"',
        ),
        (b"ratelimit", b'"rate";r=7;t=2, "quota";r=997;t=100, "concurrency";r=3'),
    ]
    assert meter(clock).begin() == []
