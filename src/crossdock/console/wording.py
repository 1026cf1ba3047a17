# SPDX-License-Identifier: Apache-2.0
"""How values are written for people: times, durations, money, sizes, and the tone and word of every state."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from crossdock.canonical.money import minor_unit

# Tone of a state: good, work (under way), warn (look soon), bad (a person is needed), idle (over or nothing to do).
TONES: Final = {
    "received": "work",
    "retry": "warn",
    "case": "bad",
    "delivering": "work",
    "settled": "good",
    "duplicate": "idle",
    "rejected": "idle",
    "due": "work",
    "delivered": "good",
    "cancelled": "idle",
    "open": "bad",
    "resolved": "good",
    "dismissed": "idle",
    "closed": "good",
    "half_open": "warn",
    "paused": "warn",
}
_LARGEST: Final = Decimal(10) ** 18
WORDS: Final = {"received": "waiting", "retry": "trying again", "case": "needs a person", "half_open": "probing"}


def tone(state: str) -> str:
    """The tone of `state`; "idle" for one without a tone of its own."""
    return TONES.get(state, "idle")


def word(state: str) -> str:
    """`state` as operators call it."""
    return WORDS.get(state, state.replace("_", " "))


def duration(span: timedelta | float | int | Decimal | None) -> str:
    """A length of time in at most two units: "340 ms", "4.2 s", "3 min 5 s", "2 h 10 min", "3 d 4 h"; "" for None."""
    if span is None:
        return ""
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, big, unit, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{count} {big} {rest // unit} {small}" if rest // unit else f"{count} {big}"
    return f"{whole} s"


def relative(at: datetime, now: datetime) -> str:
    """How long before or after `now` (both UTC) something was: "12s ago", "in 4m"; the script writes the same."""
    seconds = int((now - at).total_seconds())
    size = abs(seconds)
    for below, unit, letter in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h")):
        if size < below:
            text = f"{size // unit}{letter}"
            break
    else:
        text = f"{size // 86400}d"
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def money(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency, in the currency's minor unit, thousands apart: "1,234.50 USD"; "" for None."""
    if amount is None:
        return ""
    # Figures that no money has are shown as they are: rounding them would raise.
    rounded = amount.quantize(minor_unit(currency)) if abs(amount) < _LARGEST else amount
    shown = rounded if rounded == amount else amount
    return f"{shown:,f} {currency}".strip()


def count(number: float | None) -> str:
    """A count with thousands apart; "–" for None."""
    return "–" if number is None else f"{number:,.0f}"


def rate(per_minute: float | None) -> str:
    """A rate per minute with as many digits as it needs; "–" for None."""
    if per_minute is None:
        return "–"
    return f"{per_minute:,.0f}" if per_minute >= 10 or per_minute == 0 else f"{per_minute:.1f}"


def size(number: int) -> str:
    """A size in bytes, kB or MB."""
    if number < 1000:
        return f"{number} B"
    return f"{number / 1000:.1f} kB" if number < 1_000_000 else f"{number / 1_000_000:.1f} MB"
