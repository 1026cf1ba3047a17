# SPDX-License-Identifier: Apache-2.0
"""A delivery's own id and the moment a sender names, as every receiver reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crossdock.errors import Refused
from crossdock.sdk.receiving import LONGEST_ID, HookRequest, message_id_in, moment_of

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_senders_id_is_taken_as_it_is() -> None:
    assert message_id_in(HookRequest("shop", "t", {"x-id": " msg_1 "}, b"", NOON), "x-id", "send it") == "msg_1"


@pytest.mark.parametrize("given", ["", "   ", "a" * (LONGEST_ID + 1), "a\x00b"])
def test_no_usable_id_is_refused(given: str) -> None:
    with pytest.raises(Refused) as caught:
        message_id_in(HookRequest("shop", "t", {"x-id": given}, b"", NOON), "x-id", "send it")
    assert (caught.value.status, caught.value.rule, caught.value.fix) == (400, "webhook_id", "send it")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23T12:00:00", NOON),
        ("2026-11-23T07:00:00-05:00", NOON.astimezone(timezone(timedelta(hours=-5)))),
        ("1999-12-31T23:59:59Z", None),
        ("9999-12-31T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_moment_is_read_or_it_is_none(text: str | None, moment: datetime | None) -> None:
    assert moment_of(text) == moment
