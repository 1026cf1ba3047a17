# SPDX-License-Identifier: Apache-2.0
"""Durations as people write them in the estate: "90s", "15m", "4h", "2d"."""

from __future__ import annotations

import re
from datetime import timedelta

_FORM = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """The duration `text` names. ValueError when it is not a whole number followed by s, m, h or d, or is zero."""
    match = _FORM.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a duration: write a whole number and a unit, such as 90s, 15m, 4h or 2d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
