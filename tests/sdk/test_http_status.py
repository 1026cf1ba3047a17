# SPDX-License-Identifier: Apache-2.0
"""Tables of statuses and the errors they call for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.http_status import (
    DEFAULT_STATUSES,
    Recovery,
    error_for,
    error_of_status,
    retry_after,
    status_table,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, NeedsConfig),
        (400, NeedsEdit),
        (401, NeedsConfig),
        (403, NeedsConfig),
        (404, NeedsEdit),
        (408, OutcomeUnknown),
        (409, NeedsEdit),
        (422, NeedsEdit),
        (429, RetryLater),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (503, RetryLater),
        (504, OutcomeUnknown),
        (599, OutcomeUnknown),
        (999, OutcomeUnknown),
    ],
)
def test_default_recovery(status: int, error: type[Exception]) -> None:
    made = error_of_status(DEFAULT_STATUSES, status, detail="why", field="a.b")
    assert type(made) is error
    assert "why" in made.reason
    assert made.rule == f"HTTP {status}"


def test_a_system_overrides_single_statuses() -> None:
    table = status_table({404: Recovery(error=RetryLater, reason="not there yet")})
    assert isinstance(error_of_status(table, 404), RetryLater)
    assert isinstance(error_of_status(table, 400), NeedsEdit)
    assert set(table) == set(range(300, 600))


def test_field_and_fix_reach_the_person() -> None:
    error = error_for(Recovery(error=NeedsEdit, reason="bad", fix="mend it"), field="lines[0]", rule="R", value=3)
    assert (error.reason, error.field, error.rule, error.value, error.fix) == ("bad", "lines[0]", "R", 3, "mend it")


def test_what_the_system_says_is_bounded() -> None:
    assert len(error_of_status(DEFAULT_STATUSES, 400, detail="x" * 100_000).reason) < 2_200


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("2.5", 2.5),
        ("-1", 0.0),
        ("99999999", 3600.0),
        ("inf", 3600.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, NOW) == seconds
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_no_retry_after() -> None:
    assert retry_after({}, NOW) is None
