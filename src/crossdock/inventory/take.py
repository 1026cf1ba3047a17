# SPDX-License-Identifier: Apache-2.0
"""Take the goods of one reservation in memory: all of its lines or nothing, never more than the channel may sell.

A line comes from one location that has all of it, else from as few as give it; its preference decides among equals.
Whatever belongs to one unit (the components of a bundle) is taken at one location.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal

from crossdock.canonical.quantity import WHOLE_UNITS
from crossdock.catalog.cache import ProductFacts
from crossdock.inventory.available import Sellable, Stock, sellable
from crossdock.inventory.level import ZERO, Levels
from crossdock.inventory.request import Need, Sound, plain
from crossdock.inventory.reservation import HeldGoods, HeldLine, ReservationRequest, Shortage
from crossdock.inventory.rules import StockRules


def take(
    sound: Sound, rules: StockRules, stock: Stock, levels: Levels
) -> dict[str, tuple[HeldGoods, ...]] | list[Shortage]:
    """What each line got, by line, with `levels` changed; or which lines are short, with `levels` as they were."""
    got: dict[str, tuple[HeldGoods, ...]] = {}
    short: list[Shortage] = []
    for need in sound.needs:
        there = sellable(rules, sound.channel, need.sku, stock)
        places = _places(need, there)
        if not places:
            short.append(_shortage(need, there))
            continue
        taken = tuple(
            HeldGoods(sku, place, quantity * each) for place, quantity in places for sku, each in need.parts.items()
        )
        for one in taken:
            levels.change(one.sku, one.location, reserved=one.quantity)
        got[need.line] = taken
    if not short:
        return got
    for taken in got.values():
        for one in taken:
            levels.change(one.sku, one.location, reserved=-one.quantity)
    return short


def held_lines(
    request: ReservationRequest, got: Mapping[str, tuple[HeldGoods, ...]], products: Mapping[str, ProductFacts]
) -> tuple[HeldLine, ...]:
    """The lines of a reservation as they are told: those without goods (a service) took nothing."""
    return tuple(
        HeldLine(
            line=line.line or str(number),
            sku=line.sku,
            quantity=plain(line.quantity),
            unit=line.unit or products[line.sku].unit,
            taken=got.get(line.line or str(number), ()),
        )
        for number, line in enumerate(request.lines, 1)
    )


def _places(need: Need, there: Sellable) -> Sequence[tuple[str, Decimal]]:
    """Where the line comes from; nothing when there is not enough."""
    if there.total < need.quantity:
        return ()
    for place in need.places:
        if there.there[place] >= need.quantity:
            return ((place, need.quantity),)
    found: list[tuple[str, Decimal]] = []
    left = need.quantity
    for place in sorted(need.places, key=lambda place: -there.there[place]):
        quantity = min(_floor(there.there[place], need.whole), left)
        if quantity > 0:
            found.append((place, quantity))
            left -= quantity
        if not left:
            return found
    return ()


def _shortage(need: Need, there: Sellable) -> Shortage:
    most = min(there.total, sum((_floor(there.there[place], need.whole) for place in need.places), ZERO))
    return Shortage(
        line=need.line,
        sku=need.sku,
        wanted=need.asked,
        available=_floor(most / need.factor, need.unit in WHOLE_UNITS),
        unit=need.unit,
    )


def _floor(value: Decimal, whole: bool) -> Decimal:
    return value.to_integral_value(ROUND_FLOOR) if whole else value
