# SPDX-License-Identifier: Apache-2.0
"""When a webhook is tried again, when it is given up, and when its endpoint is left alone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.subscriptions.judge import (
    DISABLE_AFTER,
    FAILING,
    GIVE_UP_AFTER,
    LONGEST_REST,
    SCHEDULE,
    Outcome,
    Standing,
    after,
    given_up,
    judged,
    next_try,
)

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
FRESH = Standing(failures=0, failing_since=None, last_success_at=None, last_failure_at=None, rest_until=None)


def failed(at: datetime = NOON, wait: float | None = None) -> Outcome:
    return Outcome(kind="failed", status=500, error="HTTP 500", milliseconds=1, at=at, wait=wait)


def delivered(at: datetime) -> Outcome:
    return Outcome(kind="delivered", status=200, error="", milliseconds=1, at=at)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (302, "failed"),
        (400, "failed"),
        (404, "failed"),
        (410, "gone"),
        (429, "throttled"),
        (500, "failed"),
        (503, "failed"),
    ],
)
def test_what_a_status_means(status: int, kind: str) -> None:
    assert judged(status, {}, b"", 5, NOON).kind == kind


def test_a_rest_that_is_asked_for_is_bounded_and_one_by_date_is_understood() -> None:
    assert judged(429, {}, b"", 5, NOON).wait == 60
    assert judged(503, {}, b"", 5, NOON).wait is None
    assert judged(429, {"Retry-After": "7"}, b"", 5, NOON).wait == 7
    assert judged(503, {"Retry-After": "Mon, 01 Mar 2027 12:02:00 GMT"}, b"", 5, NOON).wait == 120
    assert judged(429, {"Retry-After": "99999999"}, b"", 5, NOON).wait == 3600


def test_the_schedule_takes_three_days_and_is_spread() -> None:
    assert timedelta(days=3) <= timedelta(seconds=sum(SCHEDULE)) <= timedelta(days=3, hours=4)
    rng = random.Random(1)
    waits = [(next_try(2, failed(), rng) - NOON).total_seconds() for _ in range(200)]
    assert min(waits) >= 0.9 * 1800
    assert max(waits) <= 1.1 * 1800
    assert max(waits) - min(waits) > 0.15 * 1800
    asked = Outcome(kind="throttled", status=429, error="", milliseconds=1, at=NOON, wait=33.0)
    assert next_try(5, asked, rng) == NOON + timedelta(seconds=33)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 20_000))
def test_an_endpoint_rests_only_while_it_fails_and_five_minutes_at_most(outcomes: list[bool], step: int) -> None:
    standing, at, in_row, too_long = FRESH, NOON, 0, False
    for good in outcomes:
        at += timedelta(seconds=step)
        standing = after(standing, delivered(at) if good else failed(at), random.Random(at.timestamp()))
        in_row = 0 if good else in_row + 1
        assert standing.failing == (in_row >= FAILING)
        if good:
            assert (standing.failing_since, standing.last_success_at) == (None, at)
        else:
            assert standing.failing_since == at - timedelta(seconds=step * (in_row - 1))
            assert standing.rest_until is not None
            rest = (standing.rest_until - at).total_seconds()
            assert rest <= LONGEST_REST
            assert rest > 0 if in_row >= FAILING else rest <= 0
        too_long = too_long or (in_row > 0 and timedelta(seconds=step * (in_row - 1)) >= DISABLE_AFTER)
        assert bool(standing.disabled) == too_long


def test_only_what_alone_is_refused_is_given_up() -> None:
    first, late = NOON, NOON + GIVE_UP_AFTER
    served = after(FRESH, delivered(NOON + timedelta(hours=1)), random.Random(1))
    assert given_up(served, first, late)
    assert not given_up(served, first, late - timedelta(seconds=1))
    assert not given_up(served, None, late), "a first try"
    assert not given_up(FRESH, first, late), "the endpoint never took anything"
    before = after(FRESH, delivered(NOON - timedelta(hours=1)), random.Random(1))
    assert not given_up(before, first, late), "the endpoint is down since"
