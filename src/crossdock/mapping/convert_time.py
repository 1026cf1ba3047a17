# SPDX-License-Identifier: Apache-2.0
"""Converters of times: in with a zone, inside UTC, out as ISO 8601."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from crossdock.mapping.convert_number import integer
from crossdock.mapping.convert_text import kind_of
from crossdock.mapping.failures import Unreadable, shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 64
_MILLISECOND = timedelta(milliseconds=1)


@lru_cache(maxsize=200)
def zone_named(name: str) -> ZoneInfo:
    """The IANA zone `name`. Unreadable when there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise Unreadable(f"{shown(name)!r} is not a time zone", "use an IANA name such as Europe/London") from None


def to_datetime(value: Any, zone: str | None = None, pattern: str | None = None) -> datetime:
    """A UTC time from ISO 8601; without an offset it needs a zone: `("datetime", "Europe/London")`.

    A third word is the pattern of another format: `("datetime", "Europe/London", "%d/%m/%Y %H:%M")`.
    """
    if type(value) is str and zone is None and pattern is None and len(value) <= _LONGEST:
        return _instant(value)
    return _in_utc(value, zone, pattern)


@lru_cache(maxsize=2048)
def _instant(value: str) -> datetime:
    """A text with an offset; the creation and change times of a document are often one and the same."""
    return _in_utc(value, None, None)


def _in_utc(value: Any, zone: str | None, pattern: str | None) -> datetime:
    if isinstance(value, datetime):
        moment = value
    elif not isinstance(value, str) or len(value) > _LONGEST:
        raise Unreadable(f"a time was expected, found {kind_of(value)}", "send a time such as 2026-11-23T12:00:00Z")
    else:
        try:
            moment = datetime.strptime(value, pattern) if pattern else datetime.fromisoformat(value.strip())
        except ValueError:
            wanted = f"a time written as {pattern}" if pattern else "a time"
            raise Unreadable(f"{shown(value)!r} is not {wanted}", "send a time such as 2026-11-23T12:00:00Z") from None
    if moment.tzinfo is None:
        if zone is None:
            raise Unreadable(
                f"{shown(value)!r} has no time zone", 'send an offset, or name the zone: ["datetime", "Europe/London"]'
            )
        moment = moment.replace(tzinfo=zone_named(zone))
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Unreadable(
            f"{shown(value)!r} lies outside the calendar", "send a time between the years 1 and 9999"
        ) from None


def epoch_ms(value: Any) -> int:
    """Milliseconds since 1970 of a time (ISO 8601 with an offset), the usual `version` of a document."""
    return (to_datetime(value) - _EPOCH) // _MILLISECOND


def from_epoch_ms(value: Any) -> datetime:
    """The UTC time of so many milliseconds since 1970."""
    return _after_epoch(integer(value))


def from_epoch(value: Any) -> datetime:
    """The UTC time of so many seconds since 1970."""
    return _after_epoch(integer(value) * 1000)


def _after_epoch(milliseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise Unreadable(
            "the time lies outside the calendar", "send milliseconds or seconds as the mapping says"
        ) from None


def iso(value: Any) -> str:
    """A time as ISO 8601 in UTC with Z: "2026-11-23T12:00:00Z"."""
    return to_datetime(value).isoformat().replace("+00:00", "Z")


def iso_date(value: Any, zone: str = "UTC") -> str:
    """The date of a time in a zone: `("iso_date", "America/New_York")`; a plain date stays as it is."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if type(value) is datetime and value.tzinfo is UTC and zone == "UTC":
        return value.date().isoformat()
    try:
        return to_datetime(value).astimezone(zone_named(zone)).date().isoformat()
    except OverflowError:
        raise Unreadable(
            f"{shown(value)!r} lies outside the calendar", "send a time between the years 1 and 9999"
        ) from None
