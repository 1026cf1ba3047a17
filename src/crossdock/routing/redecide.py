# SPDX-License-Identifier: Apache-2.0
"""What other rules would make of an order that was routed before: what would move, with its money."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import CrossdockError
from crossdock.routing.policy import Policy
from crossdock.routing.route import DecisionRecord, decision_of, route

Kind = Literal["entity", "erp", "location", "refused"]


class Move(Struct, frozen=True, kw_only=True):
    """One thing that would be otherwise. `lines`: the order lines concerned, none = the whole order; `amount`: their
    money; `why`: what decides so now."""

    order_key: str
    number: str
    kind: Kind
    before: str
    after: str
    lines: tuple[str, ...] = ()
    amount: Decimal
    currency: str
    why: str


def redecide(
    order: SalesOrder,
    recorded: DecisionRecord,
    policy: Policy,
    default_location: Callable[[str], str],
    stocked: Callable[[str], bool],
) -> list[Move]:
    """How `policy` would route `order`, whose decision is `recorded`, otherwise; empty: the same way.

    `order` is as it was enriched: an entity that it did not come with is decided anew.
    """
    asked = as_it_came(order, recorded, policy)
    if order.channel not in policy.channels:
        return [_whole(order, "refused", recorded.entity, "", f"channel {order.channel} is not in the estate")]
    try:
        record = decision_of(route(asked, policy, default_location, stocked).record)
    except CrossdockError as error:
        return [_whole(order, "refused", recorded.entity, "", error.reason)]
    moves: list[Move] = []
    if record.entity != recorded.entity:
        moves.append(_whole(order, "entity", recorded.entity, record.entity, record.why[0]))
    elif record.erp != recorded.erp:
        moves.append(_whole(order, "erp", recorded.erp, record.erp, record.why[0]))
    return moves + _moved_lines(order, recorded, record)


def as_it_came(order: SalesOrder, recorded: DecisionRecord | None, policy: Policy) -> SalesOrder:
    """`order`, which is as it was enriched, without an entity that it did not come with.

    Where nobody noted whether it did, it keeps one that is not its channel's: that has been somebody's word.
    """
    if recorded is not None and recorded.entity_named is not None:
        return order if recorded.entity_named else replace(order, entity="")
    channel = policy.channels.get(order.channel)
    return replace(order, entity="") if channel is not None and order.entity == channel.entity else order


def _whole(order: SalesOrder, kind: Kind, before: str, after: str, why: str) -> Move:
    return Move(
        order_key=order.order_key,
        number=order.number,
        kind=kind,
        before=before,
        after=after,
        amount=order.total.amount,
        currency=order.currency,
        why=why,
    )


def _moved_lines(order: SalesOrder, recorded: DecisionRecord, record: DecisionRecord) -> list[Move]:
    was = {line: place for place, lines in recorded.locations.items() for line in lines}
    amount_of = {line.line: line.total.amount for line in order.lines}
    moved: dict[tuple[str, str], list[str]] = {}
    for place, lines in record.locations.items():
        for line in lines:
            if was.get(line, "") != place:
                moved.setdefault((was.get(line, ""), place), []).append(line)
    # The first sentence is about the entity, the others about the locations in their order.
    reasons = dict(zip(record.locations, record.why[1:], strict=False))
    now = {line for lines in record.locations.values() for line in lines}
    for line, place in was.items():
        if line not in now and line in amount_of:
            moved.setdefault((place, ""), []).append(line)
    reasons[""] = "the product is no goods any more"
    return [
        replace(
            _whole(order, "location", before, after, reasons[after]),
            lines=tuple(lines),
            amount=sum((amount_of[line] for line in lines), Decimal(0)),
        )
        for (before, after), lines in sorted(moved.items())
    ]
