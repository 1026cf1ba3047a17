# SPDX-License-Identifier: Apache-2.0
"""What an order wants of stock: its goods line by line, in the unit they are kept in, and where they may come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import NeedsEdit
from crossdock.inventory.free import Hold
from crossdock.inventory.level import ZERO, Pair
from crossdock.journal.decided import Routed

WhenShort = Literal["wait", "split", "refuse"]
Took = tuple[str, Decimal]
"""A location, and how much of a need comes from there, in its base unit."""


class Need(Struct, frozen=True, kw_only=True):
    """Goods of a line in base units; `parts`: SKU → how much of it one base unit takes (itself 1, or components).

    `step`: what it may be split by, the ordered unit where that is counted; 0 = anywhere. `place`: the one location it
    may come from, "" = any; `ruled`: where a rule would have it from, if that has all of it. `supplier`: a drop-ship
    location that ships it without stock of ours, "" = ours.
    """

    index: int
    line: str
    sku: str
    quantity: Decimal
    unit: str
    parts: Mapping[str, Decimal]
    step: Decimal
    place: str = ""
    ruled: str = ""
    supplier: str = ""

    def makes(self, left: Callable[[str, str], Decimal], location: str) -> Decimal:
        """How much of it `location` can give, of what is `left` of each SKU at each location."""
        most = min(left(sku, location) / each for sku, each in self.parts.items())
        return most // self.step * self.step if self.step else most


class Placing(Struct, frozen=True, kw_only=True):
    """Where each need comes from. `why`: what chose so, "" = the order of preference; `passed`: what was not chosen,
    why not, and what would change that. `cost` of shipping it so, where that is known."""

    takes: tuple[tuple[Took, ...], ...]
    why: str = ""
    passed: tuple[tuple[str, str, str], ...] = ()
    cost: Decimal | None = None
    currency: str = ""


Chooser = Callable[[Sequence[Need], Sequence[str], Callable[[str, str], Decimal]], Placing]
"""Chooses, of these locations, where needs come from, by what is left of each SKU at each."""


class Owed(Struct, frozen=True):
    """Goods that somebody else waits for longer: so much of `sku`, from `places`."""

    sku: str
    places: Sequence[str]
    quantity: Decimal


class Wish(Struct, frozen=True, kw_only=True):
    """An order that wants goods. `locations`: where they may come from; `held`: what its reservation holds;
    `before`: what an earlier version of it still holds; `waited`: seconds since the order came.

    `suppliers`: locations that ship without stock of ours. `choose`: None = in the order of preference. `when_short`:
    what becomes of an order whose goods are not all there. `only`: lines that are still wanted, and how much of each in
    its base unit; None = all of them whole. `owed`: what others wait for longer, which is left to them.
    """

    order: SalesOrder
    routed: Routed
    locations: Sequence[str]
    system_of: Mapping[str, str]
    held: Mapping[Pair, Decimal]
    before: Sequence[Hold]
    waited: float
    suppliers: frozenset[str] = frozenset()
    choose: Chooser | None = None
    when_short: WhenShort = "wait"
    only: Mapping[str, Decimal] | None = None
    owed: Sequence[Owed] = ()


def needs_of(wish: Wish, products: Mapping[str, ProductFacts]) -> list[Need] | NeedsEdit:
    """What the order wants of goods; what a location without a system has is not ours to promise or to ask for."""
    found: list[Need] = []
    routed = {index: split.location for split in wish.routed.splits for index in split.lines}
    for index, line in enumerate(wish.order.lines):
        product = products.get(line.sku)
        if product is None or not product.stocked or (wish.only is not None and line.line not in wish.only):
            continue
        place = line.location or routed.get(index, "")
        if place and not wish.system_of.get(place):
            continue
        kept = product.kept(line.quantity)
        if kept is None:
            return _wrong_unit(index, line, product)
        found.append(
            Need(
                index=index,
                line=line.line,
                sku=line.sku,
                quantity=kept.value if wish.only is None else wish.only[line.line],
                unit=product.unit,
                parts=product.components or {line.sku: Decimal(1)},
                step=_step(line, kept, product),
                place=line.location,
                ruled=wish.routed.ruled.get(index, ""),
                supplier=place if place in wish.suppliers else "",
            )
        )
    return found


def _wrong_unit(index: int, line: OrderLine, product: ProductFacts) -> NeedsEdit:
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


def _step(line: OrderLine, kept: Quantity, product: ProductFacts) -> Decimal:
    """A case ships from one place, a bundle is not taken apart; what is measured may be split anywhere."""
    if line.quantity.unit in WHOLE_UNITS:
        return product.factors.get(line.quantity.unit, Decimal(1))
    return Decimal(1) if product.components or kept.value == kept.value.to_integral_value() else ZERO
