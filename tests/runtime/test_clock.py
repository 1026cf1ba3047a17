# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crossdock.runtime.clock import now, set_clock


def test_now_is_utc() -> None:
    assert now().utcoffset() == timedelta(0)
    assert abs(now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_set_clock_stands_until_advanced_and_is_put_back() -> None:
    at = datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=1)))
    with set_clock(at) as clock:
        assert now() == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
        assert now().tzinfo is UTC
        clock.advance(timedelta(minutes=5))
        assert now() == datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
        with pytest.raises(ValueError, match="backwards"):
            clock.advance(timedelta(seconds=-1))
    assert now().year != 2026 or now() != datetime(2026, 11, 23, 8, 5, tzinfo=UTC)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"), set_clock(datetime(2026, 1, 1)):
        pass
