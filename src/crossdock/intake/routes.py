# SPDX-License-Identifier: Apache-2.0
"""Where webhooks may come in: one entry per system and topic, compiled from the estate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import format_datetime

from msgspec import Struct

from crossdock.sdk.receiving import Receiver


class HookRoute(Struct, frozen=True, kw_only=True):
    """How a webhook of one system and topic is taken in.

    `secrets` returns the signing secrets accepted now, current first; it is asked at every request, so that a rotated
    secret counts at once. `max_bytes` bounds the body. `overtakes`: its documents are full statements (see Incoming).
    `notices`: headers that go with every answer. `retired`: nothing is taken any more, 410; `successor`: where to go.
    """

    interface: str
    receiver: Receiver
    secrets: Callable[[], Sequence[str]]
    max_bytes: int
    overtakes: bool
    notices: tuple[tuple[bytes, bytes], ...] = ()
    retired: bool = False
    successor: str = ""


def lifecycle_notices(deprecated_on: date | None, sunset: date | None) -> tuple[tuple[bytes, bytes], ...]:
    """`Deprecation` (RFC 9745) and `Sunset` (RFC 8594), as far as the dates are known; days begin at midnight UTC."""
    notices = []
    if deprecated_on is not None:
        notices.append((b"deprecation", b"@%d" % _midnight(deprecated_on).timestamp()))
    if sunset is not None:
        notices.append((b"sunset", format_datetime(_midnight(sunset), usegmt=True).encode("ascii")))
    return tuple(notices)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


HookRoutes = Mapping[tuple[str, str], HookRoute]
