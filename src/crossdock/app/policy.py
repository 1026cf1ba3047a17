# SPDX-License-Identifier: Apache-2.0
"""Route without effect: an order under the rules as they are, recorded orders under other ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct, field

from crossdock.app.wiring import policy_of
from crossdock.canonical.objects import decode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.estate.compile import CompiledEstate
from crossdock.journal.kept import KeptOrder, count_orders, orders_of
from crossdock.routing.policy import Policy
from crossdock.routing.redecide import Kind, Move, as_it_came, redecide
from crossdock.routing.route import DecisionRecord, decision_of, route

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


class Report(Struct, kw_only=True):
    """What other rules would change. `moved`: orders of which anything would be otherwise. `undecided`: orders without
    a decision on record."""

    rules: str
    orders: int = 0
    moved: int = 0
    undecided: int = 0
    sums: list[Sum] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)


def decide_once(order: SalesOrder, policy: Policy, catalog: Catalog) -> DecisionRecord:
    """How `order` is routed. Raises NeedsConfig where the rules name what is not there."""
    return decision_of(route(order, policy, catalog.location_of, catalog.stocked).record)


def decide_again(kept: KeptOrder, policy: Policy, catalog: Catalog) -> DecisionRecord:
    """How an order that was decided on would be routed now. `decide_once` says what it raises."""
    order: SalesOrder = decode("sales_order", kept.body)
    return decide_once(as_it_came(order, _recorded(kept.decision), policy), policy, catalog)


async def replay_policy(
    conn: asyncpg.Connection, estate: CompiledEstate, since: datetime, until: datetime, tell: Tell
) -> Report:
    """What the routing rules of `estate` would make of the orders placed in a time; nothing is changed.

    Compared is with the decision on record, by the master data of now.
    """
    policy = policy_of(estate)
    catalog = Catalog()
    await catalog.refresh(conn)
    report = Report(rules=policy.version)
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
            _add(report, sums, redecide(order, recorded, policy, catalog.location_of, catalog.stocked))
        tell(report.orders, total)
    report.sums = sorted(sums.values(), key=lambda one: (one.kind, -one.orders, one.before, one.after, one.currency))
    return report


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
