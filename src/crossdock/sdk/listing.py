# SPDX-License-Identifier: Apache-2.0
"""What a connector may implement besides: say what stock its system holds or shows, page by page, to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import msgspec
from msgspec import Struct

from crossdock.errors import RetryLater

# What reading an answer may raise when it is not in the form that was agreed on.
UNREADABLE = (msgspec.DecodeError, ValueError, ArithmeticError)
# Beyond this a quantity is a mistake, and a name is none.
_MOST_DIGITS = 15
_LONGEST_NAME = 200


class Listed(Struct, frozen=True, gc=False):
    """What a system holds or shows of a SKU, in the system's own names.

    `location` "" = one figure for all places. `unit` "" = the SKU's base unit. `as_of`: the figure was read after this
    moment, so what happened later may be missing in it. `changed_at`: when the system last changed it, if it says so.
    """

    sku: str
    location: str
    quantity: Decimal
    unit: str
    as_of: datetime
    changed_at: datetime | None = None

    def __post_init__(self) -> None:
        """ValueError when the figure is no quantity of goods, or a name is none that PostgreSQL can hold."""
        quantity = self.quantity
        if not quantity.is_finite() or not -_MOST_DIGITS <= quantity.adjusted() < _MOST_DIGITS:
            raise ValueError(f"{quantity} of {self.sku[:_LONGEST_NAME]!r} is no quantity")
        for name in (self.sku, self.location, self.unit):
            if len(name) > _LONGEST_NAME or "\x00" in name or not (name.isascii() or _is_unicode(name)):
                raise ValueError(f"{name[:_LONGEST_NAME]!r} is no name of a SKU, a location or a unit")


def _is_unicode(text: str) -> bool:
    """Whether `text` is without lone surrogates, which JSON can carry and UTF-8 cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


class StockPage(Struct, frozen=True):
    """Some of what a system has. `next`: what to ask with for the page after it, "" = this was the last."""

    items: tuple[Listed, ...]
    next: str = ""


class Lister(Protocol):
    """A system that can be asked for its stock. Keeps no state between pages but its connection."""

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        """One page, of `skus` (in the system's names, at most the manifest's `skus` for one call) or of everything.

        A SKU the system does not have is left out. Raises RetryLater (away, throttled, an unreadable answer) or
        NeedsConfig (credentials, address).
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


def unreadable(whose: str, error: Exception) -> RetryLater:
    """The error for an answer of `whose` that could not be read; asking has no effect, so it is asked again."""
    return RetryLater(f"{whose} answer could not be read: {error}", rule="answer")
