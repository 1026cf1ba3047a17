# SPDX-License-Identifier: Apache-2.0
"""Decide on back-orders: goods may have come that an accepted order waits for; what there is of them ships besides."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.fulfillment import BackOrder
from crossdock.canonical.objects import decode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.decide_orders import Rules, with_trade
from crossdock.errors import CrossdockError
from crossdock.fulfillment.plan import Wanted, plan
from crossdock.inventory.allocate import Granted, allocate, pairs_wanted
from crossdock.inventory.back_orders import Waiting, queue, waiting_for, waiting_of, write_waiting
from crossdock.inventory.hold import write_holds
from crossdock.inventory.level import Levels, Pair
from crossdock.inventory.needs import Owed
from crossdock.journal.decided import Decided, Routed, Translated
from crossdock.journal.kept import bodies_of
from crossdock.routing.allot import Had, places_of, wish_of
from crossdock.routing.redecide import as_it_came
from crossdock.routing.route import decision_of, route
from crossdock.runtime.clock import now


class Due(Struct, frozen=True, kw_only=True):
    """An order that waits for goods: as it was accepted, where it was routed, and what of it waits."""

    order: SalesOrder
    routed: Routed
    rows: Sequence[Waiting]

    def is_after(self, other: Waiting) -> bool:
        """Whether `other` has been waiting longer than this order."""
        return (other.since, other.order_key) < (self.rows[0].since, self.order.order_key)


async def due_orders(
    conn: asyncpg.Connection, rules: Rules, batch: Sequence[Translated]
) -> dict[str, Due | CrossdockError]:
    """The orders that these documents are about and that still wait, by key. Nothing is locked by asking: whoever has
    claimed a document of an order is alone with what waits for it."""
    asked: list[BackOrder] = [item.document for item in batch]
    rows = await waiting_of(conn, {one.order_key for one in asked}) if asked else {}
    found: dict[str, Due | CrossdockError] = {}
    for kept in await bodies_of(conn, sorted(rows)) if rows else ():
        order: SalesOrder = decode("sales_order", kept.body)
        came = as_it_came(order, decision_of(kept.decision), rules.policy)
        try:
            routed = route(came, rules.policy, rules.catalog.location_of, rules.catalog.stocked)
        except CrossdockError as error:
            found[kept.order_key] = error
            continue
        found[kept.order_key] = Due(order=order, routed=routed, rows=rows[kept.order_key])
    return found


def pairs_of_due(rules: Rules, due: dict[str, Due | CrossdockError]) -> set[Pair]:
    """The stock levels that shipping what waits may change."""
    pairs: set[Pair] = set()
    for one in due.values():
        if isinstance(one, Due):
            places = places_of(one.order, one.routed, rules.stock)
            pairs |= pairs_wanted(one.order, rules.catalog.products, places)
    return pairs


async def decide_back_orders(
    conn: asyncpg.Connection,
    rules: Rules,
    batch: Sequence[Translated],
    due: dict[str, Due | CrossdockError],
    levels: Levels,
) -> list[Decided]:
    """The decision on each document, in the same order. Of two orders that wait for the same goods the one that has
    been waiting longer comes first, whichever is named first."""
    ready = [one for one in due.values() if isinstance(one, Due)]
    line = await queue(conn, {row.sku for one in ready for row in one.rows}) if ready else []
    document_of = {item.document.order_key: item.claimed.id for item in batch}
    done: dict[str, Decided] = {}
    for one in sorted(ready, key=lambda one: (one.rows[0].since, one.order.order_key)):
        key = one.order.order_key
        result = _allot(rules, one, line, levels)
        if isinstance(result, CrossdockError):
            done[key] = Decided(error=result)
            continue
        left = waiting_for(key, result.waiting, places_of(one.order, one.routed, rules.stock), one.rows[0].since)
        line = [row for row in line if row.order_key != key] + left
        done[key] = await _ship(conn, rules, one, document_of[key], result, left) if result.splits else _none_yet()
    return [_decided(item.document.order_key, due, done) for item in batch]


def _decided(key: str, due: dict[str, Due | CrossdockError], done: dict[str, Decided]) -> Decided:
    found = due.get(key)
    if found is None:
        return Decided(accepted=True, note="nothing of the order waits for goods any more")
    return Decided(error=found) if isinstance(found, CrossdockError) else done[key]


def _none_yet() -> Decided:
    return Decided(accepted=True, note="what came is not enough yet, or others have waited for it longer")


def _allot(rules: Rules, one: Due, line: Sequence[Waiting], levels: Levels) -> Granted | CrossdockError:
    had = Had(
        only={row.line: row.line_quantity for row in one.rows},
        owed=[Owed(row.sku, row.places, row.quantity) for row in line if one.is_after(row)],
    )
    wish = replace(wish_of(one.order, one.routed, rules.ground, had, now()), when_short="split")
    return allocate(wish, rules.catalog.products, levels, 0.0)


async def _ship(
    conn: asyncpg.Connection, rules: Rules, one: Due, document_id: int, granted: Granted, left: Sequence[Waiting]
) -> Decided:
    key = one.order.order_key
    system_of = {name: facts.system for name, facts in rules.policy.locations.items()}
    splits = tuple(split for split in granted.splits if split.system)
    wanted = Wanted(document_id=document_id, order=one.order, splits=splits, known=True, beside=True)
    made = await plan(conn, [wanted], system_of, rules.catalog.products)
    [planned] = await with_trade(conn, rules, [wanted], made)
    await write_holds(conn, [(key, document_id, planned.references, granted.taken)], rules.catalog.products)
    await write_waiting(conn, [key], left)
    shipped = "; ".join(
        f"{quantity.value} {quantity.unit} of {one.order.lines[index].sku} from {split.location}"
        for split in splits
        for index, quantity in zip(split.lines, split.quantities, strict=True)
    )
    why = f" ({granted.placing.why})" if granted.placing.why else ""
    rest = f"; {len({row.line for row in left})} line(s) still wait" if left else ""
    return Decided(
        deliveries=tuple(planned.deliveries),
        accepted=True,
        note=f"goods have come: {shipped}{why}{rest}"[:1000],
        rules=rules.policy.version,
        orders=(key,),
    )
