# SPDX-License-Identifier: Apache-2.0
"""Laws of the token bucket, in whole nanoseconds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossdock.governance.bucket import SECOND, Bucket

RATES = st.sampled_from([0.001, 0.5, 1.0, 3.0, 7.5, 50.0, 99_999.0])
BURSTS = st.integers(1, 50)
PAUSES = st.lists(st.one_of(st.just(0), st.integers(0, 3 * SECOND)), min_size=1, max_size=120)


def each(rate: float) -> int:
    return max(1, round(SECOND / rate))


@given(RATES, BURSTS, PAUSES)
def test_no_span_of_time_lets_more_through_than_a_burst_and_the_rate(
    rate: float, burst: int, pauses: list[int]
) -> None:
    bucket, at, taken = Bucket(rate, burst), 5 * SECOND, list[int]()
    for pause in pauses:
        at += pause
        if bucket.wait(at) == 0:
            bucket.take(at)
            taken.append(at)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - taken[first]) // each(rate)


@given(RATES, BURSTS, PAUSES)
def test_who_waits_as_told_is_let_through_and_not_a_nanosecond_sooner(
    rate: float, burst: int, pauses: list[int]
) -> None:
    bucket, at = Bucket(rate, burst), 0
    for pause in pauses:
        at += pause
        wait = bucket.wait(at)
        if wait:
            assert bucket.wait(at + wait - 1) == 1
        at += wait
        assert bucket.wait(at) == 0
        bucket.take(at)


@given(RATES, BURSTS, PAUSES)
def test_as_many_as_are_left_can_be_taken_at_once_and_no_more(rate: float, burst: int, pauses: list[int]) -> None:
    bucket, at = Bucket(rate, burst), 0
    for pause in pauses:
        at += pause
        if bucket.wait(at) == 0:
            bucket.take(at)
    left = bucket.left(at)
    assert 0 <= left <= burst
    for _ in range(left):
        assert bucket.wait(at) == 0
        bucket.take(at)
    assert bucket.wait(at) > 0
    assert bucket.left(at + bucket.full_in(at) * SECOND) == burst


@given(RATES, st.integers(1, 200))
def test_who_keeps_to_the_rate_is_never_refused(rate: float, number: int) -> None:
    bucket, at = Bucket(rate, 1), 0
    for _ in range(number):
        assert bucket.wait(at) == 0
        bucket.take(at)
        at += each(rate)
