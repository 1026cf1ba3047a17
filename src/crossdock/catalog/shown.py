# SPDX-License-Identifier: Apache-2.0
"""The price a channel is to show of each SKU, and which SKUs have to be priced anew when something changes.

It is what somebody without an account would be quoted there for one base unit, rounded to what the channel shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import islice

from msgspec import Struct

from crossdock.canonical.money import MOST
from crossdock.canonical.quantity import Quantity
from crossdock.catalog.book import PriceBook, Scope
from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.catalog.price import Asked, quote
from crossdock.catalog.priced import ONE, PricedLine, WantedLine
from crossdock.runtime.clock import now

_EXACT = Context(prec=100)


class PriceRule(Struct, frozen=True, kw_only=True):
    """What a channel shows: prices in `currency`, of `group` ("" = anybody), rounded to `step`, of SKUs that begin with
    one of `prefixes` (none: of all). `taxes_included`: only prices that include taxes, or do not; None: either."""

    channel: str
    system: str
    currency: str
    group: str = ""
    taxes_included: bool | None = None
    step: Decimal
    prefixes: tuple[str, ...] = ()

    def concerns(self, scope: Scope) -> bool:
        """Whether a list for `scope` can say what the channel shows."""
        currency, customer, group, channel = scope
        return (
            currency == self.currency and not customer and group in ("", self.group) and channel in ("", self.channel)
        )

    def shows(self, sku: str, product: ProductFacts | None) -> bool:
        """Whether the channel shows a price of `sku` at all: not of what is retired."""
        return product is not None and product.active and (not self.prefixes or sku.startswith(self.prefixes))


class Shown(Struct, frozen=True, kw_only=True, gc=False):
    """What a channel is to show of a SKU: the price of one `unit`; None: it has none any more. `list`: the price list
    that says so, "" = the product's own price. `changed_at`: when the change was heard of."""

    sku: str
    price: Decimal | None
    unit: str
    list: str
    changed_at: datetime


def price_shown(book: PriceBook, catalog: Catalog, rule: PriceRule, sku: str, at: datetime) -> PricedLine | None:
    """What `sku` costs on the channel at `at` and why; None when the channel shows no price of it."""
    product = catalog.products.get(sku)
    if product is None or not rule.shows(sku, product):
        return None
    asked = Asked(
        group=rule.group, channel=rule.channel, currency=rule.currency, at=at, taxes_included=rule.taxes_included
    )
    (line,) = quote(book, catalog.products, asked, [WantedLine(sku, Quantity(ONE, product.unit))])
    return line


def rounded(price: Decimal, step: Decimal) -> Decimal:
    """`price` to the nearest multiple of `step`, halves up; never so far up that it is no price any more."""
    steps = _EXACT.divide(price, step).quantize(ONE, ROUND_HALF_UP, _EXACT)
    return _EXACT.multiply(steps if _EXACT.multiply(steps, step) < MOST else steps - ONE, step)


class PriceWatch:
    """Which SKUs of a channel are to be priced anew, and what they cost then. `catalog` must have a book."""

    def __init__(self, catalog: Catalog, book: PriceBook, rule: PriceRule) -> None:
        self.rule = rule
        self._catalog = catalog
        self._book = book
        self._products: Mapping[str, ProductFacts] = {}
        self._changed: dict[str, datetime] = {}
        self._looked_at: datetime | None = None
        self._next_turn: datetime | None = None
        self._turns_known = False
        book.listen(self._hear)

    @property
    def waiting(self) -> int:
        """How many SKUs are to be priced anew."""
        return len(self._changed)

    def everything(self, known: Iterable[str], at: datetime) -> None:
        """Price every SKU anew: of the catalog, and those `known` before that it may not have any more."""
        self._products = self._catalog.products
        self._looked_at, self._turns_known = at, False
        self._add([*self._products, *known], at)

    def look(self, at: datetime) -> None:
        """Find what has changed by `at`: products that are not what they were, lists that took or lost effect."""
        products = self._catalog.products
        if products is not self._products:
            before, self._products = self._products, products
            self._add([sku for sku in before.keys() | products.keys() if before.get(sku) != products.get(sku)], at)
        if self._looked_at is None:
            self._looked_at = at
        if not self._turns_known:
            self._next_turn, self._turns_known = self._book.next_turn(self._looked_at), True
        if self._next_turn is not None and at >= self._next_turn:
            for scope, skus in self._book.turns(self._looked_at, at):
                if self.rule.concerns(scope):
                    self._add(skus, at)
            self._looked_at, self._turns_known = at, False

    def take(self, most: int, at: datetime) -> list[Shown]:
        """At most `most` of those that are to be priced anew, as they are to be shown at `at`, in no order."""
        taken = list(islice(self._changed, most))
        return [self._shown(sku, self._changed.pop(sku), at) for sku in taken]

    def again(self, shown: Sequence[Shown]) -> None:
        """These could not be written: they are priced anew."""
        for one in shown:
            self._changed[one.sku] = min(one.changed_at, self._changed.get(one.sku, one.changed_at))

    def _hear(self, scope: Scope, skus: Iterable[str]) -> None:
        self._turns_known = False
        if self.rule.concerns(scope):
            self._add(skus, now())

    def _add(self, skus: Iterable[str], at: datetime) -> None:
        for sku in skus:
            self._changed.setdefault(sku, at)

    def _shown(self, sku: str, changed_at: datetime, at: datetime) -> Shown:
        line = price_shown(self._book, self._catalog, self.rule, sku, at)
        if line is None or line.unit_price is None:
            return Shown(sku=sku, price=None, unit="", list="", changed_at=changed_at)
        price = rounded(line.unit_price, self.rule.step)
        return Shown(sku=sku, price=price, unit=line.unit, list=line.list, changed_at=changed_at)
