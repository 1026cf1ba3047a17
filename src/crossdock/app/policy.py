# SPDX-License-Identifier: Apache-2.0
"""Route without effect: an order under the rules as they are, recorded orders under other ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import UNSET, Struct, field

from crossdock.app.routing_rules import policy_of
from crossdock.app.wiring import stock_rules_of
from crossdock.canonical.objects import decode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.estate.compile import CompiledEstate
from crossdock.inventory.allocate import pairs_wanted
from crossdock.inventory.look import look
from crossdock.journal.kept import KeptOrder, count_orders, orders_of
from crossdock.routing.allot import Ground, allot, places_of
from crossdock.routing.costs import NodePolicy, destination_of
from crossdock.routing.placed import as_seen
from crossdock.routing.policy import Policy
from crossdock.routing.redecide import Kind, Move, as_it_came, redecide
from crossdock.routing.route import DecisionRecord, decision_of, route
from crossdock.runtime.clock import now

PAGE = 500
SHOWN = 1_000
"""The most moves that a report names one by one; all are counted."""

Tell = Callable[[int, int], None]
"""Told of progress: orders decided anew, and how many there are."""


class Sum(Struct, kw_only=True):
    """How many orders would move so, and their money in one currency."""

    kind: Kind
    before: str
    after: str
    currency: str
    orders: int = 0
    amount: Decimal = Decimal(0)


class Shipping(Struct, kw_only=True):
    """What shipping comes to, by the costs of the new rules, as it was and as it would be. `orders`: those whose units
    by location are on record; `unpriced`: of them those that leave from a location without a rate."""

    orders: int = 0
    shipments_before: int = 0
    shipments_after: int = 0
    unpriced: int = 0
    cost_before: Decimal = Decimal(0)
    cost_after: Decimal = Decimal(0)
    currency: str = ""


class Report(Struct, kw_only=True):
    """What other rules would change. `moved`: orders of which anything would be otherwise. `undecided`: orders without
    a decision on record; `unseen`: those of which it is not on record what was in stock."""

    rules: str
    orders: int = 0
    moved: int = 0
    undecided: int = 0
    unseen: int = 0
    shipping: Shipping = field(default_factory=Shipping)
    sums: list[Sum] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)


class Deciding(Struct, frozen=True, kw_only=True):
    """What orders are decided by: the rules of an estate and the master data of now. `ground`: None where stock is not
    kept."""

    policy: Policy
    catalog: Catalog
    ground: Ground | None


async def deciding_by(conn: asyncpg.Connection, estate: CompiledEstate) -> Deciding:
    """The rules of `estate` with the master data of now."""
    policy, stock, catalog = policy_of(estate), stock_rules_of(estate), Catalog()
    await catalog.refresh(conn)
    ground = Ground(policy=policy, stock=stock, products=catalog.products) if stock.governed else None
    return Deciding(policy=policy, catalog=catalog, ground=ground)


async def decide_once(
    conn: asyncpg.Connection, order: SalesOrder, by: Deciding, recorded: DecisionRecord | None = None
) -> DecisionRecord:
    """How `order` is routed, by what was in stock when it was decided on (`recorded` noted it), else by what is now.

    Raises NeedsConfig where the rules name what is not there, NeedsEdit when goods are missing.
    """
    routed = route(order, by.policy, by.catalog.location_of, by.catalog.stocked)
    if by.ground is None:
        return decision_of(routed.record)
    pairs = pairs_wanted(order, by.ground.products, places_of(order, routed, by.ground.stock))
    seen = as_seen(recorded, pairs) if recorded is not None else None
    return allot(order, routed, by.ground, seen or await look(conn, pairs), order.placed_at if seen else now())


async def decide_again(conn: asyncpg.Connection, kept: KeptOrder, by: Deciding) -> DecisionRecord:
    """How an order that was decided on would be routed now. `decide_once` says what it raises."""
    order: SalesOrder = decode("sales_order", kept.body)
    recorded = _recorded(kept.decision)
    return await decide_once(conn, as_it_came(order, recorded, by.policy), by, recorded)


async def replay_policy(
    conn: asyncpg.Connection, estate: CompiledEstate, since: datetime, until: datetime, tell: Tell
) -> Report:
    """What the routing rules of `estate` would make of the orders placed in a time; nothing is changed.

    Compared is with the decision on record, by the master data of now and what was in stock when it was made.
    """
    by = await deciding_by(conn, estate)
    report = Report(rules=by.policy.version)
    sums: dict[tuple[Kind, str, str, str], Sum] = {}
    total, after = await count_orders(conn, since, until), ""
    while page := await orders_of(conn, since, until, after, PAGE):
        after = page[-1].order_key
        for kept in page:
            report.orders += 1
            recorded = _recorded(kept.decision)
            if recorded is None:
                report.undecided += 1
                continue
            order = decode("sales_order", kept.body)
            anew = redecide(order, recorded, by.policy, by.catalog.location_of, by.catalog.stocked, by.ground)
            report.unseen += anew.unseen
            _add(report, sums, anew.moves)
            _ship(report.shipping, order, recorded, anew.record, by.policy.nodes)
        tell(report.orders, total)
    report.sums = sorted(sums.values(), key=lambda one: (one.kind, -one.orders, one.before, one.after, one.currency))
    return report


def _ship(
    shipping: Shipping,
    order: SalesOrder,
    recorded: DecisionRecord,
    record: DecisionRecord | None,
    nodes: NodePolicy,
) -> None:
    """Add what shipping the order came to and would come to, by the new policy's costs."""
    if record is None or recorded.units is UNSET or record.units is UNSET:
        return
    to = destination_of(order.ship_to)
    before, after = nodes.cost(recorded.units, to), nodes.cost(record.units, to)
    shipping.orders += 1
    shipping.shipments_before += len(recorded.units)
    shipping.shipments_after += len(record.units)
    if not nodes.rates:
        return
    shipping.currency = nodes.currency
    if before is None or after is None:
        shipping.unpriced += 1
        return
    shipping.cost_before += before
    shipping.cost_after += after


def _recorded(decision: bytes) -> DecisionRecord | None:
    record = decision_of(decision) if decision else None
    return record if record is not None and record.entity else None


def _add(report: Report, sums: dict[tuple[Kind, str, str, str], Sum], moves: list[Move]) -> None:
    report.moved += bool(moves)
    report.moves += moves[: max(0, SHOWN - len(report.moves))]
    counted: Counter[tuple[Kind, str, str, str]] = Counter()
    for move in moves:
        key = (move.kind, move.before, move.after, move.currency)
        one = sums.setdefault(key, Sum(kind=move.kind, before=move.before, after=move.after, currency=move.currency))
        one.amount += move.amount
        one.orders += not counted[key]
        counted[key] += 1
