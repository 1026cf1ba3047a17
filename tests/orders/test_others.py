# SPDX-License-Identifier: Apache-2.0
"""What other orders say: credit in use and orders that say the same, through the worker's decisions."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from crossdock.canonical.party import Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.accounts import CustomerFacts
from crossdock.decide_orders import Rules, others_of
from crossdock.journal.decided import Decided
from crossdock.orders import accept, others
from crossdock.orders.checks import Checks
from crossdock.orders.examine import examine
from crossdock.orders.others import Asking, likeness_of, read_others
from crossdock.runtime.clock import set_clock
from tests.inventory.deciding import decided, decided_by, rules
from tests.orders.making import NOON, line, order, translated, usd

WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory')"
CREDIT = Checks(credit=timedelta(days=30))
DUPLICATES = Checks(duplicates=timedelta(days=7))


def checking(checks: Checks, limit: str = "100.00") -> Rules:
    """The estate of `deciding`, whose shop checks; C-1 and C-2 have a limit."""
    made = rules(governed=False)
    account = CustomerFacts(limit=usd(limit))
    made.catalog.customers = {"C-1": account, "C-2": account}
    return Rules(
        **{name: getattr(made, name) for name in made.__struct_fields__ if name != "checks"}, checks={"shop": checks}
    )


def of(name: str, total: str, **changes: Any) -> SalesOrder:
    """An order of one CD-1 at a price."""
    return order(name, line(quantity="1", price=total), **changes)


async def given(pool: asyncpg.Pool, by: Rules, *orders: SalesOrder, first: int = 1) -> list[str]:
    """What became of each: accepted, duplicate, or the rule that refused it."""
    with set_clock(NOON):
        return [_told(one) for one in await decided(pool, *orders, by=by, first=first)]


def _told(one: Decided) -> str:
    if one.error is not None:
        return one.error.rule
    return "duplicate" if one.duplicate else "accepted"


async def test_what_is_open_counts_against_the_limit(pool: asyncpg.Pool) -> None:
    by = checking(CREDIT)
    assert await given(pool, by, of("1", "60.00")) == ["accepted"]
    assert await given(pool, by, of("2", "40.01"), first=2) == ["order.credit_limit"]
    assert await given(pool, by, of("3", "40.00"), first=3) == ["accepted"]
    assert await given(pool, by, of("4", "100.00", customer=Party(id="C-2")), first=4) == ["accepted"]


async def test_orders_of_a_batch_count_for_those_after_them(pool: asyncpg.Pool) -> None:
    batch = [of("1", "60.00"), of("2", "50.00"), of("3", "40.00"), of("4", "0.01")]
    assert await given(pool, checking(CREDIT), *batch) == [
        "accepted",
        "order.credit_limit",
        "accepted",
        "order.credit_limit",
    ]


async def test_old_cancelled_and_foreign_orders_do_not_count(pool: asyncpg.Pool) -> None:
    by = checking(CREDIT)
    old = of("1", "90.00", placed_at=NOON - timedelta(days=31))
    assert await given(pool, by, old, of("2", "70.00")) == ["accepted", "accepted"]
    assert await given(pool, by, of("2", "70.00", version=2, status="cancelled"), first=3) == ["accepted"]
    assert await given(pool, by, of("3", "100.00"), first=4) == ["accepted"]


async def test_each_channel_counts_as_far_back_as_it_says(pool: asyncpg.Pool) -> None:
    """Whatever is decided on in the same batch."""
    old = of("1", "90.00", placed_at=NOON - timedelta(days=40))
    assert await given(pool, checking(CREDIT), old) == ["accepted"]
    longer = checking(Checks(credit=timedelta(days=60)))
    assert await given(pool, longer, of("2", "10.01"), of("3", "10.00"), first=2) == ["order.credit_limit", "accepted"]
    async with pool.acquire() as conn:
        asking = [Asking(of("8", "1.00"), CREDIT), Asking(of("9", "1.00"), Checks(credit=timedelta(days=60)))]
        with set_clock(NOON):
            found = await read_others(conn, asking, lock=False)
    assert [found.of(one.order, one.checks).open for one in asking] == [Decimal("10.00"), Decimal("100.00")]


async def test_a_change_counts_once_and_what_asks_for_the_same_is_not_checked_again(pool: asyncpg.Pool) -> None:
    by = checking(CREDIT)
    assert await given(pool, by, of("1", "60.00")) == ["accepted"]
    assert await given(pool, by, of("1", "100.00", version=2), first=2) == ["accepted"]
    assert await given(pool, by, of("1", "100.01", version=3), first=3) == ["order.credit_limit"]
    # The limit is lowered below what was accepted: a touch, a repetition and a cancellation go on all the same.
    lower = checking(CREDIT, "10.00")
    assert await given(pool, lower, of("1", "100.00", version=4, note="ring"), first=4) == ["accepted"]
    assert await given(pool, lower, of("1", "100.00", version=4), first=5) == ["duplicate"]
    assert await given(pool, lower, of("1", "99.00", version=5), first=6) == ["order.credit_limit"]
    assert await given(pool, lower, of("1", "99.00", version=6, status="cancelled"), first=7) == ["accepted"]


async def test_a_change_frees_nothing_for_those_after_it_in_its_batch(pool: asyncpg.Pool) -> None:
    """It may yet be stopped: goods of the order have left."""
    by = checking(CREDIT)
    assert await given(pool, by, of("1", "90.00")) == ["accepted"]
    await pool.execute("UPDATE fulfillment_order SET state = 'shipped'")
    batch = [of("1", "20.00", version=2), of("2", "80.00"), of("3", "10.00")]
    assert await given(pool, by, *batch, first=2) == ["fulfillment.not_shipped", "order.credit_limit", "accepted"]
    assert await pool.fetchval("SELECT sum(total) FROM sales_order") == Decimal("100.00")


async def test_a_change_that_grows_takes_only_what_it_grows_by(pool: asyncpg.Pool) -> None:
    by = checking(CREDIT)
    assert await given(pool, by, of("1", "50.00")) == ["accepted"]
    batch = [of("1", "70.00", version=2), of("2", "30.01"), of("3", "30.00")]
    assert await given(pool, by, *batch, first=2) == ["accepted", "order.credit_limit", "accepted"]


async def test_a_change_to_another_account_is_open_there_and_frees_nothing_yet(pool: asyncpg.Pool) -> None:
    by = checking(CREDIT)
    assert await given(pool, by, of("1", "60.00")) == ["accepted"]
    moved = of("1", "60.00", version=2, customer=Party(id="C-2"))
    batch = [moved, of("2", "41.00"), of("3", "41.00", customer=Party(id="C-2")), of("4", "40.00")]
    assert await given(pool, by, *batch, first=2) == [
        "accepted",
        "order.credit_limit",
        "order.credit_limit",
        "accepted",
    ]
    assert await given(pool, by, of("5", "60.00"), first=6) == ["accepted"]


async def test_two_workers_never_use_the_same_credit_twice(pool: asyncpg.Pool) -> None:
    by = checking(CREDIT)
    with set_clock(NOON):
        async with pool.acquire() as conn, conn.transaction():
            (first,) = await decided_by(conn, of("1", "60.00"), by=by)
            other = asyncio.create_task(decided(pool, of("2", "60.00"), by=by, first=2))
            while not await conn.fetchval(WAITS):  # noqa: ASYNC110 - the database is asked
                await asyncio.sleep(0.01)
            assert not other.done()
        (second,) = await other
    assert (_told(first), _told(second)) == ("accepted", "order.credit_limit")


async def test_an_order_that_says_the_same_is_told_with_the_others_number(pool: asyncpg.Pool) -> None:
    by = checking(DUPLICATES)
    assert await given(pool, by, of("1", "10.00", po_number="PO-1")) == ["accepted"]
    with set_clock(NOON):
        (again,) = await decided(pool, of("2", "10.00", po_number="PO-1"), by=by, first=2)
    assert again.error is not None
    assert (again.error.rule, again.error.value) == ("order.duplicate", "PO-1")
    assert "order #1 (shop/1)" in again.error.reason
    assert await given(pool, by, of("1", "10.00", po_number="PO-1", version=2), first=3) == ["accepted"]
    assert await given(pool, by, of("2", "10.00", po_number="PO-2"), first=4) == ["accepted"]


@pytest.mark.parametrize(
    "other",
    [
        of("2", "10.00"),  # no PO number
        of("2", "10.01", po_number="PO-1"),
        of("2", "10.00", po_number="PO-1", customer=Party(id="C-2")),
        of("2", "10.00", po_number="PO-1", customer=Party(id="C-1", email="ada@example.com")),
        order("2", line(quantity="2", price="5.00"), po_number="PO-1"),
        of("2", "10.00", po_number="PO-1", placed_at=NOON + timedelta(days=7, seconds=1)),
    ],
)
async def test_orders_that_differ_are_no_duplicates(pool: asyncpg.Pool, other: SalesOrder) -> None:
    assert await given(pool, checking(DUPLICATES), of("1", "10.00", po_number="PO-1")) == ["accepted"]
    assert await given(pool, checking(DUPLICATES), other, first=2) == ["accepted"]


async def test_duplicates_within_a_batch_and_of_a_cancelled_order(pool: asyncpg.Pool) -> None:
    by = checking(DUPLICATES)
    assert await given(pool, by, of("1", "10.00"), of("2", "10.00")) == ["accepted", "order.duplicate"]
    assert await given(pool, by, of("1", "10.00", version=2, status="cancelled"), first=3) == ["accepted"]
    assert await given(pool, by, of("2", "10.00"), first=4) == ["accepted"]


async def test_in_one_batch_too_only_orders_of_the_time_are_looked_at(pool: asyncpg.Pool) -> None:
    """Also where an order that is too old for one of them is the duplicate of another."""
    by = checking(DUPLICATES)
    late = NOON + timedelta(days=8)
    batch = [of("1", "10.00"), of("2", "10.00", placed_at=late), of("3", "10.00", placed_at=late)]
    with set_clock(NOON):
        decisions = await decided(pool, *batch, by=by)
    assert [_told(one) for one in decisions] == ["accepted", "accepted", "order.duplicate"]
    assert decisions[2].error is not None
    assert "order #2 (shop/2)" in decisions[2].error.reason


async def test_each_of_a_batch_is_told_of_another_order_than_itself(pool: asyncpg.Pool) -> None:
    """What is said of two orders that say the same is asked for each of them."""
    plain = rules(governed=False)
    assert await given(pool, plain, of("9", "5.00")) == ["accepted"]
    by = checking(DUPLICATES)
    early = of("1", "10.00", placed_at=NOON - timedelta(days=10))
    assert await given(pool, by, early, first=2) == ["accepted"]
    asking = [
        Asking(of("1", "10.00", version=2, placed_at=early.placed_at), DUPLICATES),
        Asking(of("2", "10.00", placed_at=early.placed_at + timedelta(days=7)), DUPLICATES),
        Asking(of("3", "10.00", placed_at=early.placed_at + timedelta(days=8)), DUPLICATES),
    ]
    async with pool.acquire() as conn:
        found = await read_others(conn, asking, lock=False)
    assert [found.of(one.order, one.checks).alike for one in asking] == [None, ("shop/1", "#1"), None]


async def test_what_an_order_says_is_digested_once(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    digested: list[tuple[str, int]] = []

    def counting(order: SalesOrder) -> int:
        digested.append((order.order_key, order.version))
        return likeness_of(order)

    monkeypatch.setattr(others, "likeness_of", counting)
    monkeypatch.setattr(accept, "likeness_of", counting)
    batch = [of(name, f"{name}0.00") for name in "123"]
    assert await given(pool, checking(DUPLICATES), *batch) == ["accepted"] * 3
    assert digested == [(order.order_key, order.version) for order in batch]


def test_what_two_versions_say_is_not_mixed_up() -> None:
    found = others.OtherOrders(NOON)
    one, two = of("1", "10.00"), of("1", "20.00", version=2)
    for asked in (one, two, of("1", "10.00", po_number="PO-2"), of("1", "10.00", customer=Party(id="C-2")), one):
        assert found.likeness(asked) == likeness_of(asked)


async def test_an_account_without_a_limit_waits_for_nobody(pool: asyncpg.Pool) -> None:
    by = checking(CREDIT)
    by.catalog.customers = {**by.catalog.customers, "C-2": CustomerFacts()}
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    free, limited = of("1", "10.00", customer=Party(id="C-2")), of("2", "10.00")
    with set_clock(NOON):
        async with pool.acquire() as conn, conn.transaction():
            others = await others_of(conn, by, [translated(free)])
            assert await conn.fetchval(locks) == 0
            assert others is not None
            assert others.of(free, CREDIT).open is None
            others = await others_of(conn, by, [translated(free), translated(limited)])
            assert await conn.fetchval(locks) == 1
            assert others is not None
            assert others.of(limited, CREDIT).open == 0


async def test_a_channel_that_does_not_look_may_have_duplicates(pool: asyncpg.Pool) -> None:
    assert await given(pool, rules(governed=False), of("1", "10.00"), of("2", "10.00")) == ["accepted", "accepted"]
    assert await pool.fetchval("SELECT count(likeness) FROM sales_order") == 0


async def test_the_same_in_another_order_of_lines_or_way_of_writing_is_the_same() -> None:
    one = order("1", line(1, "CD-1", "2", "5.00"), line(2, "CD-2"))
    other = order("2", line(7, "CD-2"), line(8, "CD-1", total=usd("10.0"), quantity="2", price="5.000"))
    assert likeness_of(one) == likeness_of(other)
    by_case = replace(one.lines[0], quantity=Quantity(Decimal(2), "CS"))
    assert likeness_of(replace(one, lines=(by_case, one.lines[1]))) != likeness_of(one)


async def test_the_question_of_the_api_is_answered_alike_and_locks_nothing(pool: asyncpg.Pool) -> None:
    by = checking(CREDIT)
    assert await given(pool, by, of("1", "60.00")) == ["accepted"]
    asked = of("2", "50.00")
    with set_clock(NOON):
        async with pool.acquire() as conn, conn.transaction():
            others = await others_of(conn, by, [translated(asked)], lock=False)
            assert await conn.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        limits = by.limits("shop", others)
        assert limits is not None
        (failure,) = examine(asked, by.catalog, limits, "shop").failures
        (worker,) = await decided(pool, asked, by=by, first=2)
    assert worker.error is not None
    assert (failure.rule, failure.reason, failure.fix) == (
        worker.error.rule,
        worker.error.reason,
        worker.error.fix,
    )
    assert by.limits("mars") is None


async def test_nobody_asks_nothing_is_read(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        assert await others_of(conn, rules(), [translated(order())]) is None
        assert await others_of(conn, checking(CREDIT), [translated(order(channel="mars"))]) is None
        found = await read_others(conn, [], lock=True)
        assert not found.settled(order())
        await read_others(conn, [Asking(order(), Checks(terms=True))], lock=True)
