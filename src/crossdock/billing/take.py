# SPDX-License-Identifier: Apache-2.0
"""Take documents about an order's money in, one after the other, so that each sees what the ones before it came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from crossdock.billing.known import BilledOrder, the_order
from crossdock.billing.tally import Stands
from crossdock.billing.told import Listeners
from crossdock.canonical.money import Money
from crossdock.canonical.objects import encode
from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.journal.decided import Decided, NewEvent, Translated

_UNDECIDED = frozenset({"promised", "failed"})

Check = Callable[[Any, BilledOrder, Mapping[str, Stands]], list[NeedsEdit]]
Complete = Callable[[Any, BilledOrder, Mapping[str, Stands]], Any]


def as_it_is(document: Any, _order: BilledOrder, _standing: Mapping[str, Stands]) -> Any:
    """The document itself."""
    return document


class Desk(Struct, kw_only=True):
    """What documents of one kind (`of`: invoice or payment) are decided with. `standing`: what counts so far, by key,
    brought up to date with each document that is taken; `complete`: a document with what its order says of it; `check`:
    what is wrong with one."""

    of: str
    orders: Mapping[str, list[BilledOrder]]
    standing: dict[str, Stands]
    check: Check
    stands: Callable[[Any, str], Stands]
    listeners: Listeners
    complete: Complete = as_it_is


class Taken(Struct, frozen=True):
    """A document that counts now, the order it belongs to, and how it counts."""

    item: Translated
    order: BilledOrder
    stands: Stands


def take(desk: Desk, batch: Sequence[Translated], source_of: Mapping[str, str]) -> tuple[list[Decided], list[Taken]]:
    """The decision on each document, in the same order, and the newest taken version of each by its key."""
    decisions: list[Decided] = []
    taken: dict[str, Taken] = {}
    for item in batch:
        key: str = getattr(item.document, f"{desk.of}_key")
        order = the_order(item.document.order, desk.orders, item.claimed.attempts, desk.of)
        if isinstance(order, BilledOrder):
            completed = desk.complete(item.document, order, desk.standing)
            if completed is not item.document:
                item = replace(item, document=completed, body=encode(completed))
        found = order if isinstance(order, CrossdockError) else _wrong(desk, key, item.document, order)
        if isinstance(found, Decided):
            decisions.append(found)
        elif found is not None or not isinstance(order, BilledOrder):
            money = _money(item.document)
            decisions.append(Decided(error=found, money=money.amount, currency=money.currency))
        else:
            stands = desk.stands(item.document, order.order_key)
            desk.standing[key] = stands
            taken[key] = Taken(item, order, stands)
            decisions.append(_accepted(desk, item, order, key, source_of.get(item.claimed.interface, "")))
    return decisions, [taken[key] for key in sorted(taken)]


def _wrong(desk: Desk, key: str, document: Any, order: BilledOrder) -> CrossdockError | Decided | None:
    """Why a document is not taken: it says nothing new, or something that cannot be; None when it is."""
    before = desk.standing.get(key)
    if before is not None:
        if document.version <= before.version:
            return Decided(duplicate=True, note=f"an equal or newer version of the {desk.of} is here already")
        if before.order_key != order.order_key or before.kind != document.kind:
            return NeedsEdit(
                f"{key} was a {before.kind} of {before.order_key}, now it is a {document.kind} of {order.order_key}",
                field="order",
                rule=f"{desk.of}.same_order",
                value=document.order,
                fix=f"put order {before.order_key}; what is of another order has a key of its own",
            )
    failures = desk.check(document, order, desk.standing)
    return NeedsEdit.of(failures) if failures else None


def _accepted(desk: Desk, item: Translated, order: BilledOrder, key: str, source: str) -> Decided:
    money = _money(item.document)
    counts = getattr(item.document, "status", "") not in _UNDECIDED
    return Decided(
        # What is only promised, or came to nothing, is nothing to book.
        deliveries=desk.listeners.told(desk.of, order, key, source) if counts else (),
        body=item.body or b"",
        events=(NewEvent(type=f"{desk.of}.accepted", data=encode(item.document), key=f"order/{order.order_key}"),),
        accepted=True,
        money=money.amount,
        currency=money.currency,
        orders=(order.order_key,),
    )


def _money(document: Any) -> Money:
    money: Money = document.total if hasattr(document, "total") else document.amount
    return money
