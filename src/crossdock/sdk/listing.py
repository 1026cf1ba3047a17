# SPDX-License-Identifier: Apache-2.0
"""What a connector may implement besides: say what stock its system holds or shows, or what prices, page by page, to be
compared."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeVar

import msgspec
from msgspec import Struct

from crossdock.errors import RetryLater

# What reading an answer may raise when it is not in the form that was agreed on.
UNREADABLE = (msgspec.DecodeError, ValueError, ArithmeticError)
# Beyond this a quantity is a mistake, and a name is none.
_MOST_DIGITS = 15
_LONGEST_NAME = 200
TRIES = 4
_LONGEST_WAIT = 60.0

Page = TypeVar("Page")


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
            _check_name(name)


class ListedPrice(Struct, frozen=True, gc=False):
    """What a system says one base unit of a SKU costs, in the system's own names. `currency` "" = the one it keeps its
    books in. `as_of`: it was read after this moment. `changed_at`: when the system last changed it, if it says so."""

    sku: str
    price: Decimal
    currency: str
    as_of: datetime
    changed_at: datetime | None = None

    def __post_init__(self) -> None:
        """ValueError when the price is none, or a name is none that PostgreSQL can hold."""
        price = self.price
        if not price.is_finite() or not -_MOST_DIGITS <= price.adjusted() < _MOST_DIGITS:
            raise ValueError(f"{price} is no price of {self.sku[:_LONGEST_NAME]!r}")
        for name in (self.sku, self.currency):
            _check_name(name)


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME or "\x00" in name or not (name.isascii() or _is_unicode(name)):
        raise ValueError(f"{name[:_LONGEST_NAME]!r} is no name of a SKU, a location, a unit or a currency")


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


class PricePage(Struct, frozen=True):
    """Some of the prices a system has. `next`: what to ask with for the page after it, "" = this was the last."""

    items: tuple[ListedPrice, ...]
    next: str = ""


class PriceLister(Protocol):
    """A system that can be asked for its prices. Keeps no state between pages but its connection."""

    async def prices(self, *, skus: Sequence[str] = (), after: str = "") -> PricePage:
        """One page, of `skus` (in the system's names, at most the manifest's `skus` for one call) or of everything.

        A SKU the system does not have, or has no price of, is left out. Raises RetryLater (away, throttled, an
        unreadable answer) or NeedsConfig (credentials, address).
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


async def patiently(system: str, ask: Callable[[], Awaitable[Page]]) -> Page:
    """What `ask` answers for `system`, asked a few times when it says that it should be. RetryLater, NeedsConfig."""
    for attempt in range(1, TRIES + 1):
        try:
            return await ask()
        except RetryLater as error:
            if attempt == TRIES:
                raise
            await asyncio.sleep(min(error.after if error.after is not None else 0.5 * attempt, _LONGEST_WAIT))
        except OSError as error:
            # Not to be taken for PostgreSQL, which is away with errors of the same class.
            raise RetryLater(f"{system} cannot be reached: {type(error).__name__}: {error}") from error
    raise AssertionError("the last try returns or raises")


def unreadable(whose: str, error: Exception) -> RetryLater:
    """The error for an answer of `whose` that could not be read; asking has no effect, so it is asked again."""
    return RetryLater(f"{whose} answer could not be read: {error}", rule="answer")
