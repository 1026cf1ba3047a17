# SPDX-License-Identifier: Apache-2.0
"""Moments as operators write them: RFC 3339, or so long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

from crossdock.runtime.clock import now

_AGO = re.compile(r"(\d{1,6}) ?(s|min|m|h|d)")
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
HELP = "A time (2026-11-23T12:00:00Z; UTC without an offset) or an age (90s, 15min, 6h, 2d)."


def moment(text: str) -> datetime:
    """The UTC time that `text` means. Raises typer.BadParameter, exit code 2."""
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now() - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: write 2026-11-23T12:00:00Z, or an age as 15min") from None
