# SPDX-License-Identifier: Apache-2.0
"""The time, in UTC, from one place so that a test can set it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta


def _system() -> datetime:
    return datetime.now(UTC)


_source: Callable[[], datetime] = _system


def now() -> datetime:
    """The current time, timezone-aware, UTC, microseconds."""
    return _source()


class SetClock:
    """A clock that moves only when it is told to."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("the clock is set in UTC: give a datetime with a time zone")
        self._at = at.astimezone(UTC)

    def __call__(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> datetime:
        """Move forward by `by` (never back) and return the new time."""
        if by < timedelta(0):
            raise ValueError("a clock does not go backwards")
        self._at += by
        return self._at


@contextmanager
def set_clock(at: datetime) -> Iterator[SetClock]:
    """For tests: within the block `now()` is `at` until advanced. ValueError for a datetime without a zone."""
    global _source
    before, clock = _source, SetClock(at)
    _source = clock
    try:
        yield clock
    finally:
        _source = before
