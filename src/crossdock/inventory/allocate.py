# SPDX-License-Identifier: Apache-2.0
"""Allocate orders: promise each line's goods at a location, all of an order, or what is there if its channel says so.

An order that came with a reservation takes what was held for it. Everything else is taken from what is promised to
nobody; safety stock may be used, because it is kept for just this: an order that a channel took before it heard.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import CrossdockError, NeedsEdit, RetryLater
from crossdock.inventory.free import Hold
from crossdock.inventory.level import Levels, Pair
from crossdock.inventory.needs import Need, Placing, Took, Wish, needs_of
from crossdock.inventory.room import Room
from crossdock.journal.decided import Split

# Seconds between two looks for goods: short, so that an order ships soon after they came.
_LONGEST_WAIT = 60.0
# As `_missing` says it; a SKU may hold spaces, not a semicolon and a space.
_SAID_MISSING = re.compile(
    r"line [^:]+: (?P<left>[0-9.]+) of [0-9.]+ (?P<unit>[A-Z0-9]{2,3}) (?P<sku>.+?) missing(?=; line |$)"
)


class Taken(Struct, frozen=True):
    """Goods promised to one order line at one location; `sku` is a component when the line is a bundle."""

    line: str
    sku: str
    location: str
    quantity: Decimal


class Granted(Struct, frozen=True):
    """What an order got: where each line ships from, and the holds to write. Lines without goods are in no split.

    `freed`: how much of each earlier hold the new ones took over. What is left of them stays held until the warehouse
    has said that it ships no more of it. `waiting`: what was not there and is promised of what comes. `seen`: what was
    free for the order where it could have come from. `placing`: why it comes from there; `supplied`: lines, by index,
    that a supplier ships.
    """

    splits: tuple[Split, ...]
    taken: tuple[Taken, ...]
    freed: tuple[tuple[Hold, Decimal], ...] = ()
    waiting: tuple[Need, ...] = ()
    seen: Mapping[Pair, Decimal] = {}
    placing: Placing = Placing(takes=())
    supplied: frozenset[int] = frozenset()


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

    What is missing goes to the supplier that a rule names for it, or waits as the order's channel says. RetryLater
    while the whole order may still wait for stock (`hold_for` seconds since it came), then NeedsEdit.
    """
    needs = needs_of(wish, products)
    if isinstance(needs, NeedsEdit):
        return needs
    ours = [need for need in needs if not need.supplier]
    theirs = [(need, need.supplier) for need in needs if need.supplier]
    room = Room(wish, levels)
    seen = room.seen({sku for need in ours for sku in need.parts}, wish.locations)
    placing = _place(ours, room, wish)
    instead = {need.index: wish.routed.if_short.get(need.index, "") for need, _ in _short(ours, placing)}
    if any(instead.values()):
        theirs += [(need, instead[need.index]) for need in ours if instead.get(need.index)]
        ours = [need for need in ours if not instead.get(need.index)]
        room.put_back()
        placing = _place(ours, room, wish)
    short = _short(ours, placing)
    if short and wish.when_short != "split":
        return _missing(short, wish, hold_for)
    at: dict[str, list[tuple[int, Quantity]]] = defaultdict(list)
    taken: list[Taken] = []
    for need, takes in zip(ours, placing.takes, strict=True):
        for location, quantity in takes:
            at[location].append((need.index, Quantity(quantity, need.unit)))
            taken += [Taken(need.line, sku, location, quantity * each) for sku, each in need.parts.items()]
    for need, location in theirs:
        at[location].append((need.index, Quantity(need.quantity, need.unit)))
    return Granted(
        splits=tuple(
            _split(location, sorted(lines, key=lambda one: one[0]), wish) for location, lines in sorted(at.items())
        ),
        taken=tuple(taken),
        freed=room.commit(),
        waiting=tuple(_rest(need, left) for need, left in short),
        seen=seen,
        placing=placing,
        supplied=frozenset(need.index for need, _ in theirs),
    )


def _place(needs: Sequence[Need], room: Room, wish: Wish) -> Placing:
    if wish.choose is not None:
        placing = wish.choose(needs, wish.locations, room.left)
        for need, takes in zip(needs, placing.takes, strict=True):
            room.take(need, takes)
        return placing
    found = []
    for need in needs:
        takes = _places(need, room, wish)
        room.take(need, takes)
        found.append(takes)
    return Placing(takes=tuple(found))


def _short(needs: Sequence[Need], placing: Placing) -> list[tuple[Need, Decimal]]:
    left = [
        (need, need.quantity - sum((quantity for _, quantity in takes), Decimal(0)))
        for need, takes in zip(needs, placing.takes, strict=True)
    ]
    return [(need, missing) for need, missing in left if missing > 0]


def _rest(need: Need, left: Decimal) -> Need:
    return replace(need, quantity=left)


def _split(location: str, lines: list[tuple[int, Quantity]], wish: Wish) -> Split:
    return Split(
        location=location,
        system=wish.system_of.get(location, ""),
        lines=tuple(index for index, _ in lines),
        quantities=tuple(quantity for _, quantity in lines),
    )


def _places(need: Need, room: Room, wish: Wish) -> tuple[Took, ...]:
    """Where a line comes from: one location that has all of it, else as few as give it; in the order of preference."""
    if need.place:
        order = [need.place]
    else:
        routed = [split.location for split in wish.routed.splits if need.index in split.lines]
        held = [place for place in wish.locations if any(room.holds(sku, place) for sku in need.parts)]
        order = list(dict.fromkeys([*held, *routed, *wish.locations]))
    there = {location: need.makes(room.left, location) for location in order}
    for location in order:
        if there[location] >= need.quantity:
            return ((location, need.quantity),)
    found, left = [], need.quantity
    for location in sorted(order, key=lambda place: -there[place]):
        quantity = min(there[location], left)
        if quantity > 0:
            found.append((location, quantity))
            left -= quantity
    return tuple(found)


def missing_of(reason: str) -> list[tuple[str, Quantity]]:
    """SKU and quantity of what a refusal for want of goods says is missing; at most ten of them, as it tells."""
    return [(found["sku"], Quantity(Decimal(found["left"]), found["unit"])) for found in _SAID_MISSING.finditer(reason)]


def _missing(short: list[tuple[Need, Decimal]], wish: Wish, hold_for: float) -> CrossdockError:
    said = "; ".join(
        f"line {need.line}: {left} of {need.quantity} {need.unit} {need.sku} missing" for need, left in short[:10]
    )
    if wish.waited < hold_for and wish.when_short == "wait":
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
