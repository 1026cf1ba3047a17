# SPDX-License-Identifier: Apache-2.0
"""What other rules would make of an order that was routed before: what would move, with its money."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import CrossdockError
from crossdock.routing.allot import Ground, allot, seen_or_plenty
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


class Redecided(Struct, frozen=True, kw_only=True):
    """What would be otherwise, and the new decision (None = refused). `unseen`: nobody noted what was in stock when the
    order was decided on, so it is decided as if everything had been everywhere."""

    moves: list[Move]
    record: DecisionRecord | None = None
    unseen: bool = False


def redecide(
    order: SalesOrder,
    recorded: DecisionRecord,
    policy: Policy,
    default_location: Callable[[str], str],
    stocked: Callable[[str], bool],
    ground: Ground | None = None,
) -> Redecided:
    """How `policy` would route `order`, whose decision is `recorded`, otherwise; no moves: the same way.

    `order` is as it was enriched: an entity that it did not come with is decided anew. `ground`: where goods leave from
    is decided by what was in stock then; None = stock decides nothing.
    """
    asked = as_it_came(order, recorded, policy)
    if order.channel not in policy.channels:
        return _refused(order, recorded, f"channel {order.channel} is not in the estate")
    unseen = False
    try:
        routed = route(asked, policy, default_location, stocked)
        record = decision_of(routed.record)
        if ground is not None and (recorded.units is not UNSET or policy.nodes.prefer != "rules"):
            levels, seen = seen_or_plenty(asked, routed, ground, recorded)
            unseen = not seen
            record = allot(asked, routed, ground, levels, order.placed_at)
    except CrossdockError as error:
        return _refused(order, recorded, error.reason)
    moves: list[Move] = []
    if record.entity != recorded.entity:
        moves.append(_whole(order, "entity", recorded.entity, record.entity, record.why[0]))
    elif record.erp != recorded.erp:
        moves.append(_whole(order, "erp", recorded.erp, record.erp, record.why[0]))
    return Redecided(moves=moves + _moved_lines(order, recorded, record), record=record, unseen=unseen)


def _refused(order: SalesOrder, recorded: DecisionRecord, why: str) -> Redecided:
    return Redecided(moves=[_whole(order, "refused", recorded.entity, "", why)])


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
    was, now = _places(recorded), _places(record)
    amount_of = {line.line: line.total.amount for line in order.lines}
    moved: dict[tuple[str, str], list[str]] = {}
    for line, place in now.items():
        if was.get(line, "") != place:
            moved.setdefault((was.get(line, ""), place), []).append(line)
    # The first sentence is about the entity, the others about the locations in their order.
    reasons = dict(zip(record.locations, record.why[1:], strict=False))
    for line, place in was.items():
        if line not in now and line in amount_of:
            moved.setdefault((place, ""), []).append(line)
    waits = next((why for why in record.why if why.startswith("back-ordered")), "")
    reasons[""] = waits or "the product is no goods any more"
    return [
        replace(
            _whole(order, "location", before, after, reasons.get(after) or reasons[after.partition(" + ")[0]]),
            lines=tuple(lines),
            amount=sum((amount_of[line] for line in lines), Decimal(0)),
        )
        for (before, after), lines in sorted(moved.items())
    ]


def _places(record: DecisionRecord) -> dict[str, str]:
    """Where each line leaves from, several joined by a plus."""
    found: dict[str, list[str]] = {}
    for place, lines in sorted(record.locations.items()):
        for line in lines:
            found.setdefault(line, []).append(place)
    return {line: " + ".join(places) for line, places in found.items()}
