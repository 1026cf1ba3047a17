# SPDX-License-Identifier: Apache-2.0
"""Allocate orders: promise each line's goods at a location, all of an order or nothing of it.

An order that came with a reservation takes what was held for it. Everything else is taken from what is promised to
nobody; safety stock may be used, because it is kept for just this: an order that a channel took before it heard.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal

from msgspec import Struct

from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import CrossdockError, NeedsEdit, RetryLater
from crossdock.inventory.free import Hold
from crossdock.inventory.level import ZERO, Levels, Pair
from crossdock.journal.decided import Routed, Split

# Seconds between two looks for goods: short, so that an order ships soon after they came.
_LONGEST_WAIT = 60.0
# As `_missing` says it; a SKU may hold spaces, not a semicolon and a space.
_SAID_MISSING = re.compile(
    r"line [^:]+: (?P<left>[0-9.]+) of [0-9.]+ (?P<unit>[A-Z0-9]{2,3}) (?P<sku>.+?) missing(?=; line |$)"
)


class Wish(Struct, frozen=True, kw_only=True):
    """An order that wants goods. `locations`: where they may come from; `held`: what its reservation holds;
    `before`: what an earlier version of it still holds; `waited`: seconds since the order came."""

    order: SalesOrder
    routed: Routed
    locations: Sequence[str]
    system_of: Mapping[str, str]
    held: Mapping[Pair, Decimal]
    before: Sequence[Hold]
    waited: float


class Taken(Struct, frozen=True):
    """Goods promised to one order line at one location; `sku` is a component when the line is a bundle."""

    line: str
    sku: str
    location: str
    quantity: Decimal


class Granted(Struct, frozen=True):
    """What an order got: where each line ships from, and the holds to write. Lines without goods are in no split.

    `freed`: how much of each earlier hold the new ones took over. What is left of them stays held until the warehouse
    has said that it ships no more of it.
    """

    splits: tuple[Split, ...]
    taken: tuple[Taken, ...]
    freed: tuple[tuple[Hold, Decimal], ...] = ()


class _Need(Struct, frozen=True):
    """A line in base units; `parts`: SKU → how much of it one base unit of the line takes (itself 1, or components).

    `step`: what it may be split by, the ordered unit where that is counted; 0 = anywhere."""

    index: int
    line: OrderLine
    quantity: Decimal
    unit: str
    parts: Mapping[str, Decimal]
    step: Decimal


def pairs_wanted(order: SalesOrder, products: Mapping[str, ProductFacts], locations: Sequence[str]) -> set[Pair]:
    """The levels that allocating `order` may touch."""
    skus: set[str] = set()
    for line in order.lines:
        product = products.get(line.sku)
        if product is not None and product.stocked:
            skus |= set(product.components) or {line.sku}
    return {(sku, location) for sku in skus for location in locations}


def allocate(
    wish: Wish, products: Mapping[str, ProductFacts], levels: Levels, hold_for: float
) -> Granted | CrossdockError:
    """Promise the goods of one order and change `levels`, or say what is missing and change nothing.

    RetryLater while the order may still wait for stock (`hold_for` seconds since it came), then NeedsEdit.
    """
    needs = _needs(wish, products)
    if isinstance(needs, NeedsEdit):
        return needs
    room = _Room(wish, levels)
    at: dict[str, list[tuple[int, Quantity]]] = defaultdict(list)
    taken: list[Taken] = []
    short: list[tuple[_Need, Decimal]] = []
    for need in needs:
        left = need.quantity
        for location, quantity in _places(need, room, wish):
            for sku, each in need.parts.items():
                room.take(sku, location, quantity * each)
                taken.append(Taken(need.line.line, sku, location, quantity * each))
            at[location].append((need.index, Quantity(quantity, need.unit)))
            left -= quantity
        if left > 0:
            short.append((need, left))
    if short:
        return _missing(short, wish, hold_for)
    freed = room.commit(wish.before)
    splits = tuple(_split(location, lines, wish) for location, lines in sorted(at.items()))
    return Granted(splits, tuple(taken), freed)


def _split(location: str, lines: list[tuple[int, Quantity]], wish: Wish) -> Split:
    return Split(
        location=location,
        system=wish.system_of.get(location, ""),
        lines=tuple(index for index, _ in lines),
        quantities=tuple(quantity for _, quantity in lines),
    )


def _needs(wish: Wish, products: Mapping[str, ProductFacts]) -> list[_Need] | NeedsEdit:
    found: list[_Need] = []
    for index, line in enumerate(wish.order.lines):
        product = products.get(line.sku)
        if product is None or not product.stocked or _ships_elsewhere(wish, index, line):
            continue
        kept = product.kept(line.quantity)
        if kept is None:
            known = ", ".join([product.unit, *sorted(product.factors)])
            comes_to = product.in_base(line.quantity)
            return NeedsEdit(
                f"{line.sku} is ordered in {line.quantity.unit} and kept in {product.unit}"
                + ("" if comes_to is None else f", of which this is {comes_to}"),
                field=f"lines[{index}].quantity.unit",
                rule="order.unit",
                value=line.quantity.unit,
                fix=f"put one of {known}, or give the product the unit with what it holds",
            )
        parts = product.components or {line.sku: Decimal(1)}
        found.append(_Need(index, line, kept.value, product.unit, parts, _step(line, kept, product)))
    return found


def _step(line: OrderLine, kept: Quantity, product: ProductFacts) -> Decimal:
    """A case ships from one place, a bundle is not taken apart; what is measured may be split anywhere."""
    if line.quantity.unit in WHOLE_UNITS:
        return product.factors.get(line.quantity.unit, Decimal(1))
    return Decimal(1) if product.components or kept.value == kept.value.to_integral_value() else ZERO


def _ships_elsewhere(wish: Wish, index: int, line: OrderLine) -> bool:
    """Whether a line goes to a location without a system: its goods are not ours to promise or to ask for."""
    place = line.location or next((split.location for split in wish.routed.splits if index in split.lines), "")
    return bool(place) and not wish.system_of.get(place)


class _Room:
    """What an order may take where: free goods, what its reservation holds, and what it held before."""

    def __init__(self, wish: Wish, levels: Levels) -> None:
        self._levels = levels
        self._held = dict(wish.held)
        self._before: dict[Pair, Decimal] = defaultdict(Decimal)
        for hold in wish.before:
            self._before[hold.sku, hold.location] += hold.open
        self._taken: dict[Pair, Decimal] = defaultdict(Decimal)

    def left(self, sku: str, location: str) -> Decimal:
        """How much is left to take."""
        pair = (sku, location)
        free = self._levels.at(sku, location).free + self._held.get(pair, ZERO) + self._before.get(pair, ZERO)
        return max(free - self._taken[pair], ZERO)

    def holds(self, sku: str, location: str) -> bool:
        """Whether the order's reservation holds some of it there."""
        return (sku, location) in self._held

    def take(self, sku: str, location: str, quantity: Decimal) -> None:
        """Take it, for now."""
        self._taken[sku, location] += quantity

    def commit(self, before: Sequence[Hold]) -> tuple[tuple[Hold, Decimal], ...]:
        """Change the levels: the reservation is given up, what was taken is allocated, out of what was held before as
        far as that goes. How much of each earlier hold that took."""
        for (sku, location), quantity in self._held.items():
            self._levels.change(sku, location, reserved=-quantity)
        left = dict(self._taken)
        freed: list[tuple[Hold, Decimal]] = []
        for hold in before:
            pair = (hold.sku, hold.location)
            quantity = min(hold.open, left.get(pair, ZERO))
            if quantity:
                left[pair] -= quantity
                freed.append((hold, quantity))
        for (sku, location), quantity in left.items():
            if quantity:
                self._levels.change(sku, location, allocated=quantity)
        return tuple(freed)


def _places(need: _Need, room: _Room, wish: Wish) -> list[tuple[str, Decimal]]:
    """Where a line comes from: one location that has all of it, else as few as give it; in the order of preference."""
    if need.line.location:
        order = [need.line.location]
    else:
        routed = [split.location for split in wish.routed.splits if need.index in split.lines]
        held = [place for place in wish.locations if any(room.holds(sku, place) for sku in need.parts)]
        order = list(dict.fromkeys([*held, *routed, *wish.locations]))
    there = {location: _makes(need, room, location) for location in order}
    for location in order:
        if there[location] >= need.quantity:
            return [(location, need.quantity)]
    found, left = [], need.quantity
    for location in sorted(order, key=lambda place: -there[place]):
        quantity = min(there[location], left)
        if quantity > 0:
            found.append((location, quantity))
            left -= quantity
    return found


def _makes(need: _Need, room: _Room, location: str) -> Decimal:
    most = min(room.left(sku, location) / each for sku, each in need.parts.items())
    return (most / need.step).to_integral_value(ROUND_FLOOR) * need.step if need.step else most


def missing_of(reason: str) -> list[tuple[str, Quantity]]:
    """SKU and quantity of what a refusal for want of goods says is missing; at most ten of them, as it tells."""
    return [(found["sku"], Quantity(Decimal(found["left"]), found["unit"])) for found in _SAID_MISSING.finditer(reason)]


def _missing(short: list[tuple[_Need, Decimal]], wish: Wish, hold_for: float) -> CrossdockError:
    said = "; ".join(
        f"line {need.line.line}: {left} of {need.quantity} {need.unit} {need.line.sku} missing"
        for need, left in short[:10]
    )
    if wish.waited < hold_for:
        after = min(max(hold_for / 5, 0.5), _LONGEST_WAIT)
        return RetryLater(f"waits for stock: {said}", after=after, rule="order.stock", bounded=True)
    need, left = short[0]
    return NeedsEdit(
        f"not enough stock: {said}",
        field=f"lines[{need.index}].quantity",
        rule="order.stock",
        value=need.quantity,
        fix=f"lower the quantity by {left}, put another SKU or location, or retry when goods have come",
    )
