# SPDX-License-Identifier: Apache-2.0
"""Orders of an estate with a node policy, drop-ship and rules about stock, through `decide`: what is kept of why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from crossdock.canonical.fulfillment import FulfillmentOrder
from crossdock.canonical.objects import decode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.decide_orders import Rules
from crossdock.errors import NeedsEdit
from crossdock.journal.decided import Decided
from crossdock.routing.costs import NodePolicy, Prefer, Rate
from crossdock.routing.policy import LocationFacts, RouteRule
from crossdock.routing.redecide import Redecided, redecide
from crossdock.routing.route import DecisionRecord, decision_of
from tests.inventory.deciding import check_laws, decided, fill_catalog, moved, movements, rules
from tests.orders.making import line, order

RATES = (
    Rate(location="EAST", shipment=Decimal(9), unit=Decimal("0.5")),
    Rate(location="WEST", shipment=Decimal(4), unit=Decimal("0.5")),
)


def estate(prefer: Prefer = "rules", *route_rules: RouteRule, **changes: Any) -> Rules:
    """EAST, WEST, and the supplier SUP; RATES."""
    by = rules()
    supplier = LocationFacts(name="SUP", system="sup", supplier=True)
    channels = {
        name: msgspec.structs.replace(facts, when_short=changes.get("when_short", "wait"))
        for name, facts in by.policy.channels.items()
    }
    policy = msgspec.structs.replace(
        by.policy,
        rules=route_rules,
        channels=channels,
        locations={**by.policy.locations, "SUP": supplier},
        nodes=NodePolicy(prefer=prefer, currency="USD", rates=RATES),
    )
    return msgspec.structs.replace(by, policy=policy)


@pytest_asyncio.fixture
async def stock(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Pool]:
    """10 of CD-1 at EAST and 4 at WEST, 3 of CD-2 at WEST; the laws hold at the end."""
    async with pool.acquire() as conn:
        await fill_catalog(conn)
    await decided(
        pool,
        movements(
            moved("o1", "10"), moved("o2", "4", location="WEST"), moved("o3", "3", sku="CD-2", location="WEST")
        ),
    )  # fmt: skip
    yield pool
    await check_laws(pool)


async def placed(pool: asyncpg.Pool, by: Rules, wanted: SalesOrder, first: int = 100) -> tuple[Decided, DecisionRecord]:
    (decision,) = await decided(pool, wanted, by=by, first=first, received_at=datetime.now(UTC))
    kept = await pool.fetchval("SELECT decision FROM sales_order WHERE order_key = $1", wanted.order_key)
    return decision, decision_of(kept) if kept else DecisionRecord()


def asked(decision: Decided) -> dict[str, tuple[str, dict[str, Decimal]]]:
    """By location: the system that is asked to ship, and how much of each line."""
    found = {}
    for one in decision.deliveries:
        if one.operation == "fulfillment_order" and one.body is not None:
            ship: FulfillmentOrder = decode("fulfillment_order", one.body)
            found[ship.location] = (one.system, {each.line: each.quantity.value for each in ship.lines})
    return found


async def test_the_cheapest_location_ships_and_the_decision_says_why_and_what_was_there(stock: asyncpg.Pool) -> None:
    decision, record = await placed(stock, estate("lowest_cost"), order("1", line(1, quantity="3")))
    assert asked(decision) == {"WEST": ("wms-west", {"1": 3})}
    assert record.locations == {"WEST": ["1"]}
    assert record.why[1] == "location WEST for 1 line(s): lowest cost of 2 ways: 1 shipment, 5.5 USD"
    assert [tuple(msgspec.structs.astuple(one)) for one in record.passed["WEST"]] == [
        ("EAST", "it costs 10.5 USD instead of 5.5 USD", "cheaper by more than 5.0 USD")
    ]
    assert record.seen == {"CD-1": {"EAST": 10, "WEST": 4}}
    assert record.units == {"WEST": 3}
    assert (record.cost.amount, record.cost.currency) == (Decimal("5.5"), "USD")  # type: ignore[union-attr]


async def test_one_shipment_where_one_location_has_all_of_an_order(stock: asyncpg.Pool) -> None:
    two = order("1", line(1, quantity="3"), line(2, "CD-2", "1"))
    decision, _ = await placed(stock, estate(), two)
    assert set(asked(decision)) == {"EAST", "WEST"}
    decision, record = await placed(stock, estate("fewest_shipments"), order("2", *two.lines))
    assert asked(decision) == {"WEST": ("wms-west", {"1": 3, "2": 1})}
    assert [(one.name, one.why_not) for one in record.passed["WEST"]] == [
        ("EAST + WEST", "2 shipments instead of 1"),
        ("EAST alone", "it lacks 1 EA of CD-2"),
    ]


async def test_by_rules_alone_the_decision_says_what_stock_moved(stock: asyncpg.Pool) -> None:
    _, record = await placed(stock, estate(), order("1", line(1, "CD-2", "2")))
    assert record.locations == {"WEST": ["1"]}
    assert record.why[1] == (
        "location WEST for 1 line(s): EAST has not all of what was routed there "
        "(it is the default location and neither a rule nor the product says otherwise)"
    )


async def test_drop_ship_asks_the_supplier_and_promises_nothing_of_ours(stock: asyncpg.Pool) -> None:
    by = estate("lowest_cost", RouteRule(location="SUP", sku_prefix="CD-2"))
    decision, record = await placed(stock, by, order("1", line(1, quantity="2"), line(2, "CD-2", "50")))
    assert asked(decision) == {"WEST": ("wms-west", {"1": 2}), "SUP": ("sup", {"2": 50})}
    assert record.locations == {"SUP": ["2"], "WEST": ["1"]}
    assert record.why[1] == "location SUP for 1 line(s): rule 1 (SKU begins with CD-2)"
    assert await stock.fetchval("SELECT sum(allocated) FROM stock_level WHERE sku = 'CD-2'") == 0


async def test_what_our_stock_is_short_of_is_shipped_whole_by_the_supplier(stock: asyncpg.Pool) -> None:
    by = estate("rules", RouteRule(location="SUP", sku_prefix="CD-2", if_short=True))
    decision, _ = await placed(stock, by, order("1", line(1, "CD-2", "3")))
    assert asked(decision) == {"WEST": ("wms-west", {"1": 3})}
    decision, record = await placed(stock, by, order("2", line(1, "CD-2", "4"), line(2, quantity="1")), 101)
    assert asked(decision) == {"SUP": ("sup", {"1": 4}), "EAST": ("wms-east", {"2": 1})}
    assert record.why[2] == (
        "location SUP for 1 line(s): our stock is short of it, and a rule names this location for that"
    )
    by = estate("rules", RouteRule(location="SUP", sku_prefix="XX", if_short=True))
    decision, _ = await placed(stock, by, order("3", line(1, "CD-2", "4")), 102)
    assert decision.error is not None


async def test_a_channel_may_refuse_at_once_what_is_not_there(stock: asyncpg.Pool) -> None:
    decision, _ = await placed(stock, estate(when_short="refuse"), order("1", line(1, quantity="15")))
    assert isinstance(decision.error, NeedsEdit)
    assert decision.error.rule == "order.stock"


def again(wanted: SalesOrder, record: DecisionRecord, by: Rules) -> Redecided:
    ordered = msgspec.structs.replace(wanted, entity="us")
    return redecide(ordered, record, by.policy, by.catalog.location_of, by.catalog.stocked, by.ground)


@pytest.mark.parametrize("prefer", ["rules", "fewest_shipments", "lowest_cost"])
async def test_the_same_policy_decides_the_same_again_by_what_was_in_stock_then(
    stock: asyncpg.Pool, prefer: Prefer
) -> None:
    wanted = order("1", line(1, quantity="12"), line(2, "CD-2", "1"))
    _, record = await placed(stock, estate(prefer), wanted)
    assert await stock.fetchval("SELECT sum(allocated) FROM stock_level") == 13
    anew = again(wanted, record, estate(prefer))
    assert (anew.moves, anew.unseen) == ([], False)


async def test_another_policy_moves_lines_with_their_money_and_a_decision_that_saw_no_stock_says_so(
    stock: asyncpg.Pool,
) -> None:
    wanted = order("1", line(1, quantity="3"))
    _, record = await placed(stock, estate(), wanted)
    anew = again(wanted, record, estate("lowest_cost"))
    [move] = anew.moves
    assert (move.kind, move.before, move.after, move.amount) == ("location", "EAST", "WEST", Decimal(30))
    assert move.why == "location WEST for 1 line(s): lowest cost of 2 ways: 1 shipment, 5.5 USD"
    blind = msgspec.structs.replace(record, seen=msgspec.UNSET)
    assert again(wanted, blind, estate("lowest_cost")).unseen
