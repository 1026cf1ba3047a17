# SPDX-License-Identifier: Apache-2.0
"""What something costs: a pure function of price lists, whom it is for, and when; every price says why it is that one.

Lists are asked in this order: the customer's contract, its group, the channel, everyone (base); of each, those for the
channel alone before those for all channels, and the one that took effect last before earlier ones. The first that is in
effect and prices the SKU in a unit that can be converted wins. Where none does, the product's own price counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from crossdock.catalog.book import ListFacts, Offer, PriceBook
from crossdock.catalog.cache import ProductFacts
from crossdock.catalog.priced import (
    Considered,
    Found,
    PricedLine,
    WantedLine,
    price_of,
    priced_at,
    priced_by,
    unit_price_of,
)


class Asked(Struct, frozen=True, kw_only=True):
    """Whose prices, and when. `taxes_included`: only prices that include taxes (or do not); None: either."""

    customer: str = ""
    group: str = ""
    channel: str = ""
    currency: str
    at: datetime
    taxes_included: bool | None = None


def quote(
    book: PriceBook,
    products: Mapping[str, ProductFacts],
    asked: Asked,
    lines: Sequence[WantedLine],
    explain: bool = False,
) -> list[PricedLine]:
    """What each line costs, in the same order. Each line is priced by itself: quantities do not add up to breaks."""
    scopes = book.scopes(asked.currency, asked.customer, asked.group, asked.channel)
    return [_line(scopes, products.get(wanted.sku), asked, wanted, explain) for wanted in lines]


def asking(book: PriceBook, products: Mapping[str, ProductFacts], asked: Asked) -> Callable[[WantedLine], PricedLine]:
    """What each of many lines costs that come one by one: as `quote` says."""
    scopes = book.scopes(asked.currency, asked.customer, asked.group, asked.channel)
    return lambda wanted: _line(scopes, products.get(wanted.sku), asked, wanted, False)


def _line(
    scopes: Sequence[Mapping[str, tuple[Offer, ...]]],
    product: ProductFacts | None,
    asked: Asked,
    wanted: WantedLine,
    explain: bool,
) -> PricedLine:
    if product is None:
        return _none(wanted, f"the catalog has no SKU {wanted.sku!r}")
    factor = product.factor(wanted.quantity.unit)
    if factor is None:
        known = " or ".join([product.unit, *product.factors])
        return _none(wanted, f"it is not sold by {wanted.quantity.unit}, only by {known}")
    found = None
    for scope in scopes:
        offers = scope.get(wanted.sku)
        if offers is not None:
            found = _best(offers, product, asked, wanted.quantity.unit)
            if found is not None:
                break
    considered: tuple[Considered, ...] = ()
    if explain:
        offers = tuple(offer for scope in scopes for offer in scope.get(wanted.sku, ()))
        considered = tuple(_considered(offers, product, asked, wanted, found))
    if found is not None:
        return priced_by(found, asked.currency, wanted, considered)
    own = product.price
    if own is not None and own.currency == asked.currency:
        return priced_at(own.amount, own.currency, factor, wanted, considered)
    named = f"no price list in {asked.currency} that is in effect names it"
    return _none(wanted, f"{named}, and the product has no price of its own in it", considered)


def _none(wanted: WantedLine, reason: str, considered: tuple[Considered, ...] = ()) -> PricedLine:
    return PricedLine(
        line=wanted.line,
        sku=wanted.sku,
        quantity=wanted.quantity.value,
        unit=wanted.quantity.unit,
        reason=reason,
        considered=considered,
    )


def _best(offers: Sequence[Offer], product: ProductFacts, asked: Asked, unit: str) -> Found | None:
    """What counts of one scope's offers. Of the best list in effect that can price the unit: its price by that very
    unit, else by the product's base unit, else by any other it is sold by."""
    best: Found | None = None
    for offer in offers:
        if best is not None and offer.of is not best.offer.of:
            return best
        if not _counts(offer.of, asked):
            continue
        if offer.unit == unit:
            return Found(offer)
        if best is None or offer.unit == product.unit:
            best = _converting(offer, product, unit) or best
    return best


def _counts(facts: ListFacts, asked: Asked) -> bool:
    if not facts.since <= asked.at < facts.until:
        return False
    return asked.taxes_included is None or facts.taxes_included is asked.taxes_included


def _converting(offer: Offer, product: ProductFacts, unit: str) -> Found | None:
    """`offer` for lines by `unit`; None when it cannot be converted."""
    if offer.unit == unit:
        return Found(offer)
    line_factor, offer_factor = product.factor(unit), product.factor(offer.unit)
    if line_factor is None or offer_factor is None:
        return None
    return Found(offer, line_factor, offer_factor, converted=True)


def _considered(
    offers: Sequence[Offer], product: ProductFacts, asked: Asked, wanted: WantedLine, won: Found | None
) -> Iterator[Considered]:
    for offer in offers:
        facts = offer.of
        found = _converting(offer, product, wanted.quantity.unit)
        if not _counts(facts, asked):
            yield Considered(list=facts.id, kind=facts.kind, why=_why_not(facts, asked))
        elif found is None:
            yield Considered(list=facts.id, kind=facts.kind, why=f"the product is not sold by {offer.unit}")
        else:
            price = unit_price_of(found, price_of(found, wanted.quantity.value)[0])
            yield Considered(list=facts.id, kind=facts.kind, unit_price=price, why=_beaten(offer, won))


def _why_not(facts: ListFacts, asked: Asked) -> str:
    if asked.at < facts.since:
        return f"in effect from {facts.since.isoformat()}"
    if asked.at >= facts.until:
        return f"in effect until {facts.until.isoformat()}"
    return "its prices include taxes" if facts.taxes_included else "its prices are without taxes"


def _beaten(offer: Offer, won: Found | None) -> str:
    """Why an offer that counts wins or not. That none wins cannot be when one counts."""
    if won is None or offer is won.offer:
        return "wins"
    winner = won.offer.of
    if offer.of is winner:
        return f"the list has a price by {won.offer.unit}, which is nearer"
    if offer.of.kind != winner.kind:
        return f"comes after the {winner.kind} list {winner.id}"
    if offer.of.channel != winner.channel:
        return f"is for all channels, list {winner.id} for this one"
    return f"took effect no later than list {winner.id}, which comes first"
