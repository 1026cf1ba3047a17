# SPDX-License-Identifier: Apache-2.0
"""Check a request for a reservation against catalog and rules; everything that is wrong with it is told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from crossdock.canonical.quantity import WHOLE_UNITS
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import Refused
from crossdock.inventory.level import Pair
from crossdock.inventory.reservation import MOST_LINES, ReservationLine, ReservationRequest
from crossdock.inventory.rules import ChannelRule, StockRules

MOST_PLACES = 100
_MOST_PAIRS = 50_000
_LONGEST_NAME = 200
_MOST_WHOLE_DIGITS = 12
_MOST_DECIMALS = 9
_FINEST = Decimal(1).scaleb(-_MOST_DECIMALS)


class Need(Struct, frozen=True, kw_only=True, gc=False):
    """A line that may be decided on. `quantity` in base units, `factor` of which make one of what was asked in.

    `parts`: SKU → how much of it one base unit takes (itself 1, or components); `whole`: never parts of one; `places`:
    where the goods may come from.
    """

    line: str
    sku: str
    asked: Decimal
    unit: str
    factor: Decimal
    quantity: Decimal
    parts: Mapping[str, Decimal]
    whole: bool
    places: Sequence[str]


class Sound(Struct, frozen=True):
    """A request without fault: its channel, its lines, and every level that deciding on it looks at."""

    request: ReservationRequest
    channel: ChannelRule
    needs: tuple[Need, ...]
    pairs: frozenset[Pair]


def check(request: ReservationRequest, rules: StockRules, products: Mapping[str, ProductFacts]) -> Sound | Refused:
    """`request` made ready to be decided on, or everything that is wrong with it."""
    faults = _head(request, rules)
    channel = rules.channels.get(request.channel)
    if channel is None:
        return Refused.of(faults)
    needs: list[Need] = []
    names: set[str] = set()
    for index, line in enumerate(request.lines[:MOST_LINES]):
        wrong, need = _line(index, line, channel, products)
        name = line.line or str(index + 1)
        if name in names:
            wrong.append(_twice(index, name))
        names.add(name)
        faults += wrong
        if need is not None:
            needs.append(need)
    pairs = frozenset((sku, place) for need in needs for sku in need.parts for place in channel.locations)
    if len(pairs) > _MOST_PAIRS:
        faults.append(
            Refused(
                f"the lines touch {len(pairs)} levels, at most {_MOST_PAIRS} are taken in one reservation",
                field="lines",
                rule="reservation.size",
                fix="ask for the goods in several reservations",
            )
        )
    return Refused.of(faults) if faults else Sound(request, channel, tuple(needs), pairs)


def check_ttl(seconds: int, most: timedelta) -> Refused | None:
    """What is wrong with a wish to hold goods for so many seconds; None when nothing is."""
    longest = int(most.total_seconds())
    if 0 < seconds <= longest:
        return None
    return Refused(
        f"{_short(seconds)} seconds cannot be: goods are held for at least 1 and at most {longest} seconds",
        field="ttl_seconds",
        rule="reservation.ttl",
        fix=f"put a number from 1 to {longest}; `longest_hold` in the estate's `inventory` sets the most",
    )


def _head(request: ReservationRequest, rules: StockRules) -> list[Refused]:
    faults: list[Refused] = []
    if request.channel not in rules.channels:
        known = ", ".join(sorted(rules.channels)[:20]) or "none, the estate has no `inventory` section"
        faults.append(
            Refused(
                f"stock is not sold on channel {_short(request.channel)}",
                field="channel",
                rule="reservation.channel",
                fix=f"put one of {known}",
            )
        )
    ttl = check_ttl(request.ttl_seconds, rules.longest_hold)
    if ttl is not None:
        faults.append(ttl)
    if not 1 <= len(request.lines) <= MOST_LINES:
        faults.append(
            Refused(
                f"{len(request.lines)} lines, a reservation has 1 to {MOST_LINES}",
                field="lines",
                rule="reservation.size",
                fix="ask for the goods in several reservations",
            )
        )
    if not is_name(request.reference, empty=True):
        faults.append(_name("reference"))
    return faults


def _line(
    index: int, line: ReservationLine, channel: ChannelRule, products: Mapping[str, ProductFacts]
) -> tuple[list[Refused], Need | None]:
    """What is wrong with a line, and what it needs: None when it is wrong or takes no goods."""
    at = f"lines[{index}]"
    faults = _places(at, line, channel)
    if not is_name(line.line, empty=True):
        faults.append(_name(f"{at}.line"))
    product = products.get(line.sku)
    if product is None or not product.active:
        faults.append(
            Refused(
                f"SKU {_short(line.sku)} is {'not in the catalog' if product is None else 'no longer sold'}",
                field=f"{at}.sku",
                rule="reservation.sku",
                fix="put a SKU that the catalog has and that is active",
            )
        )
        return faults, None
    unit = line.unit or product.unit
    factor = Decimal(1) if unit == product.unit else product.factors.get(unit)
    if factor is None:
        known = ", ".join([product.unit, *sorted(product.factors)])
        faults.append(
            Refused(
                f"{line.sku} is not sold in {_short(unit)}",
                field=f"{at}.unit",
                rule="reservation.unit",
                fix=f"put one of {known}, or give the product the unit with what it holds",
            )
        )
        return faults, None
    whole = bool(product.components) or product.unit in WHOLE_UNITS
    wrong = _quantity(at, line.quantity, unit, product.unit, factor, whole)
    if wrong is not None:
        faults.append(wrong)
    if faults or not product.stocked:
        return faults, None
    asked = plain(line.quantity)
    return faults, Need(
        line=line.line or str(index + 1),
        sku=line.sku,
        asked=asked,
        unit=unit,
        factor=factor,
        quantity=asked * factor,
        parts=product.components or {line.sku: Decimal(1)},
        whole=whole,
        places=tuple(dict.fromkeys(line.locations)) or channel.locations,
    )


def _quantity(at: str, value: Decimal, unit: str, base: str, factor: Decimal, whole: bool) -> Refused | None:
    if value.is_finite() and value != 0 and not -_MOST_DECIMALS <= value.adjusted() < _MOST_WHOLE_DIGITS:
        return _bad_quantity(at, f"{value:.3E} {unit} is no quantity of goods")
    if not value.is_finite() or value <= 0:
        return _bad_quantity(at, f"{_short(value)} {unit} cannot be held: a quantity is above zero")
    if value != value.quantize(_FINEST):
        return _bad_quantity(at, f"{_short(value)} {unit} is finer than {_MOST_DECIMALS} decimals")
    if unit in WHOLE_UNITS and value != value.to_integral_value():
        return _bad_quantity(at, f"{_short(value)} {unit}: {unit} is counted in whole numbers")
    if whole and value * factor != (value * factor).to_integral_value():
        return _bad_quantity(at, f"{_short(value)} {unit} is {value * factor:f} {base}, which is not whole")
    return None


def _bad_quantity(at: str, reason: str) -> Refused:
    fix = "put how many are wanted, above zero and whole where the unit is counted"
    return Refused(reason, field=f"{at}.quantity", rule="reservation.quantity", fix=fix)


def _places(at: str, line: ReservationLine, channel: ChannelRule) -> list[Refused]:
    if len(line.locations) > MOST_PLACES:
        reason = f"{len(line.locations)} locations, a line names at most {MOST_PLACES}"
        return [Refused(reason, field=f"{at}.locations", rule="reservation.location", fix="name fewer locations")]
    return [
        Refused(
            f"channel {channel.name} does not sell from location {_short(place)}",
            field=f"{at}.locations[{number}]",
            rule="reservation.location",
            fix=f"put any of {', '.join(channel.locations[:20])}, or leave locations out",
        )
        for number, place in enumerate(line.locations)
        if place not in channel.locations
    ]


def _twice(index: int, name: str) -> Refused:
    return Refused(
        f"line {_short(name)} comes twice",
        field=f"lines[{index}].line",
        rule="reservation.line",
        fix="give each line a name of its own, or none",
    )


def plain(value: Decimal) -> Decimal:
    """A checked quantity without exponent and needless zeros: 2E+1 is 20, 2.50 is 2.5."""
    return Decimal(f"{value.normalize():f}")


def is_name(text: str, *, empty: bool = False) -> bool:
    """Whether `text` may be kept as a name: printable, not too long."""
    return (empty if not text else len(text) <= _LONGEST_NAME) and text.isprintable()


def _name(field: str) -> Refused:
    return Refused(
        f"a name has at most {_LONGEST_NAME} characters, all printable",
        field=field,
        rule="reservation.name",
        fix="put a shorter name without control characters",
    )


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
