# SPDX-License-Identifier: Apache-2.0
"""What a channel may sell of a SKU now (available to promise), and why: one pure function for readers, reservations and
publishing, so that all three always say the same.

At each location: sellable = on hand − quarantined − allocated − reserved − safety, plus what is expected within the
channel's horizon; never below zero. Of their sum: what channels of a higher priority keep is left to them, then the
channel's percentage, then its buffer, then its cap. A bundle is as many as its components make at one location.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_FLOOR, Decimal

from msgspec import Struct

from crossdock.canonical.quantity import WHOLE_UNITS
from crossdock.catalog.cache import ProductFacts
from crossdock.inventory.level import ZERO, Level
from crossdock.inventory.rules import ChannelRule, Held, StockRules

_HUNDRED = Decimal(100)


class Stock(Struct, frozen=True):
    """What there is, for the function to ask: `level(sku, location)`, `expected(sku, location, channel)` (quantity due
    within the channel's horizon), `buffer(channel, sku)` (units held back for lag, and the sentence that says why)."""

    level: Callable[[str, str], Level | None]
    products: Mapping[str, ProductFacts]
    expected: Callable[[str, str, ChannelRule], Decimal] = lambda _sku, _location, _channel: ZERO
    buffer: Callable[[ChannelRule, str], tuple[int, str]] = lambda _channel, _sku: (0, "")


class Term(Struct, frozen=True, omit_defaults=True):
    """One step from stock to availability: what it is, how much it adds (negative: takes away), at which location."""

    what: str
    quantity: Decimal
    location: str = ""
    why: str = ""


class Sellable(Struct, frozen=True):
    """What a channel may sell of a SKU: `total`, and by location (in the channel's order, parts of the total).

    `there`: what each location could give by itself; together they may be more than the rules leave in all.
    """

    sku: str
    total: Decimal
    by_location: Mapping[str, Decimal]
    there: Mapping[str, Decimal]


def sellable(rules: StockRules, channel: ChannelRule, sku: str, stock: Stock) -> Sellable:
    """What `channel` may sell of `sku` now, in the SKU's base unit."""
    there, total = _total(rules, channel, sku, stock, None)
    left, by_location = total, {}
    for location, quantity in there.items():
        by_location[location] = min(quantity, left)
        left -= by_location[location]
    return Sellable(sku, total, by_location, there)


def explain(rules: StockRules, channel: ChannelRule, sku: str, stock: Stock) -> list[Term]:
    """The steps that `sellable` takes, in order; the quantities of those that add or take away sum to the total."""
    terms: list[Term] = []
    _total(rules, channel, sku, stock, terms)
    return terms


def _total(
    rules: StockRules, channel: ChannelRule, sku: str, stock: Stock, terms: list[Term] | None
) -> tuple[dict[str, Decimal], Decimal]:
    held = rules.held(channel, sku)
    product = stock.products.get(sku)
    if product is not None and product.components:
        there, most = _bundle(rules, channel, product, stock, terms)
        total = min(sum(there.values(), ZERO), most)
    else:
        there = {location: _at(channel, held, sku, location, stock, terms) for location in channel.locations}
        total = sum(there.values(), ZERO)
    whole = product is None or product.unit in WHOLE_UNITS
    for name, keep in rules.kept_for(channel, sku):
        total = _less(total, Decimal(keep), terms, "kept", f"at least {keep} are left to channel {name}")
    if held.percent < 100.0:
        share = total * Decimal(str(held.percent)) / _HUNDRED
        share = share.to_integral_value(ROUND_FLOOR) if whole else share
        total = _less(total, total - share, terms, "percent", f"the channel may sell {held.percent:g} % of it")
    if channel.derived_buffer:
        buffer, why = stock.buffer(channel, sku)
        total = _less(total, Decimal(buffer), terms, "buffer", why)
    if held.cap is not None and total > held.cap:
        total = _less(total, total - held.cap, terms, "cap", f"the channel is shown at most {held.cap}")
    if whole and total != total.to_integral_value():
        total = total.to_integral_value(ROUND_FLOOR)
    return there, total


def _at(channel: ChannelRule, held: Held, sku: str, location: str, stock: Stock, terms: list[Term] | None) -> Decimal:
    level = stock.level(sku, location)
    expected = stock.expected(sku, location, channel) if channel.horizon is not None else ZERO
    free = level.free if level is not None else ZERO
    quantity = free - held.safety + expected
    if terms is not None:
        terms += _terms_at(level or Level(sku, location), held, expected, location, channel)
        if quantity < 0:
            terms.append(Term("never below zero", -quantity, location))
    return max(quantity, ZERO)


def _terms_at(level: Level, held: Held, expected: Decimal, location: str, channel: ChannelRule) -> list[Term]:
    steps = (
        ("on hand", level.on_hand, ""),
        ("quarantined", -level.quarantined, "there, and not for sale"),
        ("allocated", -level.allocated, "promised to orders"),
        ("reserved", -level.reserved, "held for carts and quotes"),
        ("safety", Decimal(-held.safety), "safety stock of the rules"),
        ("expected", expected, f"due within {channel.horizon}"),
    )
    return [Term(what, quantity, location, why) for what, quantity, why in steps if quantity or what == "on hand"]


def _bundle(
    rules: StockRules, channel: ChannelRule, product: ProductFacts, stock: Stock, terms: list[Term] | None
) -> tuple[dict[str, Decimal], Decimal]:
    there: dict[str, Decimal] = {}
    for location in channel.locations:
        makes = []
        for sku, each in product.components.items():
            has = _at(channel, rules.held(channel, sku), sku, location, stock, None)
            makes.append((_floor(has / each), sku, has, each))
        fewest, sku, has, each = min(makes)
        there[location] = fewest
        if terms is not None:
            terms.append(
                Term("bundles", fewest, location, f"{has} of {sku}, {each} go into one: the scarcest component")
            )
    # Of a component the channel may have less in all than lies at its locations: kept for others, a share, a cap.
    most = min(_floor(_total(rules, channel, sku, stock, None)[1] / each) for sku, each in product.components.items())
    excess = sum(there.values(), ZERO) - most
    if terms is not None and excess > 0:
        terms.append(Term("components", -excess, "", "the rules of its components leave no more"))
    return there, most


def _less(total: Decimal, by: Decimal, terms: list[Term] | None, what: str, why: str) -> Decimal:
    taken = min(total, max(by, ZERO))
    if terms is not None and (taken or by):
        terms.append(Term(what, -taken, "", why))
    return total - taken


def _floor(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_FLOOR)
