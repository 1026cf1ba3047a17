# SPDX-License-Identifier: Apache-2.0
"""The breaker stops calling what does not answer and tries again with one call at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.delivery.breaker import FAILURES_TO_OPEN, LONGEST_PAUSE, Breaker
from crossdock.delivery.rate import TokenBucket

MANY = 1_000_000


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(at, "503", pause=10.0)
    return breaker


def test_it_opens_after_five_failures_in_a_row() -> None:
    breaker = Breaker()
    assert [breaker.failed(0.0, "503") for _ in range(5)] == [False, False, False, False, True]
    assert (breaker.state, breaker.reason, breaker.allows(0.0)) == ("open", "503", 0)


def test_an_answer_in_between_starts_the_count_again() -> None:
    breaker = Breaker()
    for _ in range(20):
        for _ in range(FAILURES_TO_OPEN - 1):
            breaker.failed(0.0, "503")
        assert breaker.succeeded(0.0) is False
    assert (breaker.state, breaker.allows(0.0)) == ("closed", MANY)


def test_after_the_pause_one_probe_goes_and_its_answer_closes() -> None:
    breaker = opened()
    assert breaker.allows(9.9) == 0
    assert breaker.allows(10.0) == 1
    assert (breaker.state, breaker.allows(10.0)) == ("half-open", 0)
    assert breaker.succeeded(11.0) is True
    assert (breaker.state, breaker.reason, breaker.allows(11.0), breaker.last_success) == ("closed", "", MANY, 11.0)


def test_a_failed_probe_opens_again_for_longer() -> None:
    breaker = opened()
    pauses = []
    clock = 10.0
    for _ in range(12):
        assert breaker.allows(clock) == 1
        assert breaker.failed(clock, "503") is True
        pauses.append(breaker.until - clock)
        clock = breaker.until
    assert pauses[-1] >= LONGEST_PAUSE / 2
    assert max(pauses) <= LONGEST_PAUSE
    assert pauses[0] < 2.0


def test_refused_credentials_open_at_once() -> None:
    breaker = Breaker()
    assert breaker.failed(0.0, "token expired", at_once=True, pause=15.0) is True
    assert (breaker.allows(14.9), breaker.allows(15.0)) == (0, 1)


def test_a_late_failure_does_not_prolong_an_open_breaker() -> None:
    breaker = opened()
    assert breaker.failed(9.0, "late") is False
    assert (breaker.until, breaker.reason) == (10.0, "503")


def test_a_probe_that_said_nothing_may_be_repeated() -> None:
    breaker = opened()
    assert breaker.allows(10.0) == 1
    breaker.probe_lost()
    assert breaker.allows(10.0) == 1
    closed = Breaker()
    closed.probe_lost()
    assert closed.state == "closed"


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=2.0, burst=3)
    assert [bucket.wait(100.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert bucket.wait(101.5) == 0.0
    assert bucket.wait(101.5) == pytest.approx(0.5)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_no_second_sees_more_than_rate_and_burst(gaps: list[float], rate: int, burst: int) -> None:
    bucket = TokenBucket(float(rate), burst)
    clock, used = 0.0, []
    for gap in gaps:
        clock += gap
        used.append(clock + bucket.wait(clock))
    for start in used:
        assert sum(1 for at in used if start <= at < start + 1.0 - 1e-9) <= rate + burst
