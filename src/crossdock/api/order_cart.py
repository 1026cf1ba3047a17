# SPDX-License-Identifier: Apache-2.0
"""Validate a cart: what the order would be, what is wrong with it, what may be short; from memory, without effect."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from crossdock.api.availability import AvailabilityHandler
from crossdock.api.order_door import ApiChannel, Checked, OrderDoor
from crossdock.api.problems import FieldProblem, field_problem
from crossdock.canonical.party import Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine
from crossdock.errors import EngineAway, NeedsEdit
from crossdock.orders.enrich import enriched
from crossdock.orders.tax import tax_due

MOST_FAILURES = 1_000


class Known(Struct, frozen=True):
    """How old what was answered from is, in seconds; `stale`: older than the estate wants it."""

    age_seconds: float
    stale: bool


class CartLine(Struct, frozen=True, omit_defaults=True):
    """A line as it would be ordered; `sku` is ours. `available`: what the channel may sell of it now, in the unit
    goods are kept in; left out where stock is not known. `tax_code`: the tax context it would be sold in."""

    line: str
    sku: str
    quantity: Quantity
    unit_price: Decimal
    total: Decimal
    available: Decimal | None = None
    tax_code: str = ""


class Cart(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an order would be. `valid`: it would be taken in as it is.

    `failures`: everything it would be refused for; `warnings`: what it would be taken in with all the same, such as
    goods that are short now. `customer`: the account it would be booked on; `entity`: the company that sells.
    `terms`: payment terms it would have, its own or the account's; `service`: the carrier service in our words; `tax`:
    what is due by the estate's rules, left out where that is not known.
    `catalog` and `stock`: how old the answer is; `left_out`: why nothing is said of stock.
    """

    valid: bool
    channel: str
    entity: str
    currency: str = ""
    customer: Party | None = None
    lines: tuple[CartLine, ...] = ()
    total: Decimal | None = None
    terms: str = ""
    service: str = ""
    tax: Decimal | None = None
    failures: tuple[FieldProblem, ...] = ()
    warnings: tuple[FieldProblem, ...] = ()
    catalog: Known
    stock: Known | None = None
    left_out: str = ""


async def cart(door: OrderDoor, channel: ApiChannel, checked: Checked, stock: AvailabilityHandler) -> Cart:
    """The answer about a checked cart. Raises EngineAway as `OrderDoor.age`."""
    order = checked.order
    age = door.age(channel)
    facts = door.rules.policy.channels[channel.name]
    known = Known(round(age, 3), age > channel.stale_after)
    failures = tuple(field_problem(one) for one in checked.failures[:MOST_FAILURES])
    if order is None:
        return Cart(valid=False, channel=channel.name, entity=facts.entity, failures=failures, catalog=known)
    rules, entity = door.rules, checked.entity or facts.entity
    if checked.customer is not None:
        order = enriched(order, checked.customer, entity, rules.catalog, rules.tax)
    due = tax_due(order, rules.tax) if rules.tax is not None and checked.customer is not None else None
    available, stock_known, left_out = await _available(order.lines, channel, door, stock)
    return Cart(
        valid=not failures,
        channel=channel.name,
        entity=entity,
        currency=order.currency,
        customer=checked.customer,
        lines=tuple(
            CartLine(
                line.line, line.sku, line.quantity, line.unit_price.amount, line.total.amount, there, line.tax_code
            )
            for line, there in zip(order.lines, available, strict=True)
        ),
        total=order.total.amount,
        terms=order.terms,
        service=order.service,
        tax=None if due is None or due.unknown else due.amount,
        failures=failures,
        warnings=tuple(field_problem(one) for one in _short(door, order.lines, available)),
        catalog=known,
        stock=stock_known,
        left_out=left_out,
    )


async def _available(
    lines: Sequence[OrderLine], channel: ApiChannel, door: OrderDoor, stock: AvailabilityHandler
) -> tuple[list[Decimal | None], Known | None, str]:
    """What may be sold of each line's SKU, how old that is, and why it is not known."""
    nothing: list[Decimal | None] = [None] * len(lines)
    rule = stock.view.rules.channels.get(channel.name)
    if rule is None:
        return nothing, None, f"stock is not governed on channel {channel.name}"
    products = door.rules.catalog.products
    wanted = {line.sku for line in lines if line.sku in products and products[line.sku].stocked}
    try:
        age, stale = await stock.have(wanted)
    except EngineAway as error:
        return nothing, None, error.reason
    there = {sku: stock.available(rule, sku) for sku in wanted}
    return [there.get(line.sku) for line in lines], Known(round(age, 3), stale), ""


def _short(door: OrderDoor, lines: Sequence[OrderLine], available: Sequence[Decimal | None]) -> list[NeedsEdit]:
    """Lines, with those before them of the same SKU, that want more than there is."""
    products = door.rules.catalog.products
    taken: dict[str, Decimal] = {}
    found = []
    for index, (line, there) in enumerate(zip(lines, available, strict=True)):
        wanted = products[line.sku].in_base(line.quantity) if there is not None else None
        if there is None or wanted is None:
            continue
        before = taken.get(line.sku, Decimal(0))
        taken[line.sku] = before + wanted
        if before + wanted > there:
            unit = products[line.sku].unit
            left = max(there - before, Decimal(0))
            found.append(
                NeedsEdit(
                    f"{wanted:f} {unit} of {line.sku} wanted, {left:f} available now",
                    field=f"lines[{index}].quantity",
                    rule="order.stock",
                    value=line.quantity.value,
                    fix=f"put what {left:f} {unit} hold, or order all the same: it waits for goods",
                )
            )
    return found
