# SPDX-License-Identifier: Apache-2.0
"""A return passes when goods of the order have left and the policy allows it; ERP and warehouse are told once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from crossdock.canonical.objects import decode
from crossdock.canonical.quantity import Quantity
from crossdock.errors import CrossdockError, NeedsEdit, RetryLater
from crossdock.journal.decided import Decided
from crossdock.returns.accept import WAIT_FOR_ORDER, write_returns
from crossdock.returns.policy import ReturnPolicy
from crossdock.returns.sold import known_return
from tests.inventory.deciding import decided
from tests.orders.making import NOON
from tests.returns.returning import back, by, came, have, kept, sold

STRICT = ReturnPolicy(
    window=timedelta(days=30),
    reasons=frozenset({"damaged", "not_wanted"}),
    not_returnable=("CD-2",),
    approve_up_to=Decimal("20.00"),
    location="WEST",
)


def told(one: Decided) -> list[tuple[str, str]]:
    return [(delivery.system, delivery.operation) for delivery in one.deliveries]


def asked_of(one: Decided) -> dict[str, list[tuple[str, Decimal, str]]]:
    """What each is told to take back: line, how many, unit."""
    return {
        delivery.operation: [
            (line.line, line.quantity.value, line.quantity.unit)
            for line in decode("goods_return", delivery.body or one.body).lines
        ]
        for delivery in one.deliveries
    }


def events(one: Decided) -> list[str]:
    return [event.type for event in one.events]


def failures(error: CrossdockError | None) -> dict[str, str]:
    assert isinstance(error, NeedsEdit)
    return {one.field: one.rule for one in error.failures or (error,)}


async def test_a_return_that_passes_is_owed_to_erp_and_warehouse(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    (one,) = await decided(pool, back(), by=by())
    assert one.error is None
    assert told(one) == [("erp", "return_authorization"), ("wms-east", "expected_return")]
    assert events(one) == ["goods_return.approved"]
    assert decode("goods_return", one.body).location == "EAST"
    state, refund, fee, lines = await kept(pool)
    assert (state, refund, fee) == ("approved", 0, 0)
    assert {name: (line.requested, line.approved, line.received) for name, line in lines.items()} == {
        "1": (3, 3, 0),
        "2": (1, 1, 0),
    }
    assert one.money == Decimal("39.00")


async def test_only_those_are_told_whom_the_estate_tells(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    (one,) = await decided(pool, back(), by=by(outgoing={}))
    assert (one.error, told(one)) == (None, [])


async def test_an_older_or_equal_version_is_a_duplicate_and_a_newer_one_without_news_is_taken(
    pool: asyncpg.Pool,
) -> None:
    await have(pool, sold())
    await decided(pool, back(version=5), by=by())
    (older,) = await decided(pool, back(version=4), by=by())
    (equal,) = await decided(pool, back(version=5), by=by())
    assert (older.duplicate, equal.duplicate) == (True, True)
    (newer,) = await decided(pool, back(version=6, note="call first"), by=by())
    assert (newer.error, told(newer), newer.accepted) == (None, [], True)
    (other,) = await decided(pool, back(lines={"1": "2"}, version=7), by=by())
    assert failures(other.error) == {"lines": "return.changed"}


async def test_everything_that_cannot_be_is_told_at_once(pool: asyncpg.Pool) -> None:
    await have(pool, sold(), left={"1": "2"})
    asked = back(lines={"1": "3", "9": "1", "2": "1"})
    wrong = replace(asked, lines=(*asked.lines[:2], replace(asked.lines[2], sku="CD-1")))
    (one,) = await decided(pool, wrong, by=by(), attempts=WAIT_FOR_ORDER)
    assert failures(one.error) == {
        "lines[0].quantity": "return.quantity",
        "lines[1].line": "return.line",
        "lines[2].sku": "return.sku",
    }
    assert isinstance(one.error, NeedsEdit)
    assert [failure.fix for failure in one.error.failures][:2] == ["lower the quantity to 2 EA", "put one of 1, 2"]
    assert await pool.fetchval("SELECT count(*) FROM goods_return") == 0


@pytest.mark.parametrize("lines", [{"1": "0"}, {"1": "-1"}, {"1": "1 CS"}, {}, {"1": "3 KGM"}])
async def test_no_goods_cannot_come_back(pool: asyncpg.Pool, lines: dict[str, str]) -> None:
    await have(pool, sold())
    (one,) = await decided(pool, back(lines=lines), by=by(), attempts=WAIT_FOR_ORDER)
    assert isinstance(one.error, NeedsEdit)


async def test_a_case_is_twelve_and_comes_back_as_so_many(pool: asyncpg.Pool) -> None:
    made = sold(lines=(replace(sold().lines[0], quantity=replace(sold().lines[0].quantity, value=Decimal(24))),))
    await have(pool, made)
    (one,) = await decided(pool, back(lines={"1": "2 CS"}), by=by())
    assert one.error is None
    assert asked_of(one) == {
        "return_authorization": [("1", 24, "EA")],
        "expected_return": [("1", 24, "EA")],
    }


async def test_the_erp_is_told_whole_units_of_the_orders_line_and_of_all_returns_together_as_many_as_come_whole(
    pool: asyncpg.Pool,
) -> None:
    cases = replace(sold().lines[0], quantity=Quantity(Decimal(10), "CS"))
    await have(pool, sold(lines=(cases, sold().lines[1])))
    asked = [back("a", {"1": "6"}), back("b", {"1": "2 CS", "2": "1"}), back("c", {"1": "18"})]
    first, second, third = await decided(pool, *asked, by=by())
    assert [one.error for one in (first, second, third)] == [None, None, None]
    assert asked_of(first) == {"expected_return": [("1", 6, "EA")]}
    assert asked_of(second) == {
        "return_authorization": [("1", 2, "CS"), ("2", 1, "EA")],
        "expected_return": [("1", 24, "EA"), ("2", 1, "EA")],
    }
    assert asked_of(third)["return_authorization"] == [("1", 2, "CS")]


async def test_a_line_that_is_named_twice_is_authorized_once(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    one = back(lines={"1": "1"})
    (twice,) = await decided(pool, replace(one, lines=(*one.lines, *one.lines)), by=by())
    assert asked_of(twice)["return_authorization"] == [("1", 2, "EA")]


async def test_two_returns_never_take_the_same_goods(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    first, second, third = await decided(
        pool, back("a", {"1": "2"}), back("b", {"1": "2"}), back("c", {"1": "1"}), by=by(), attempts=WAIT_FOR_ORDER
    )
    assert (first.error, third.error) == (None, None)
    assert failures(second.error) == {"lines[0].quantity": "return.quantity"}


async def test_two_workers_never_take_the_same_goods_and_never_wait_crosswise(pool: asyncpg.Pool) -> None:
    for number in range(6):
        await have(pool, sold(str(number)), number=900 + number)
    asked = [
        (
            back(f"a{number}", {"1": "2"}, order_key=f"shop/{number}"),
            back(f"b{number}", {"1": "2"}, order_key=f"shop/{number}"),
        )
        for number in range(6)
    ]
    first = [one for one, _ in asked]
    second = [one for _, one in reversed(asked)]
    done = await asyncio.gather(
        decided(pool, *first, by=by(), attempts=WAIT_FOR_ORDER),
        decided(pool, *second, by=by(), attempts=WAIT_FOR_ORDER),
    )
    approved = [one for batch in done for one in batch if one.error is None]
    assert len(approved) == 6
    rows = await pool.fetch("SELECT order_key FROM goods_return WHERE state = 'approved' ORDER BY order_key")
    assert [row["order_key"] for row in rows] == [f"shop/{number}" for number in range(6)]


async def test_goods_of_a_return_that_came_to_nothing_may_come_back_by_another(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    await decided(pool, back("a"), by=by())
    (gone,) = await decided(pool, back("a", version=2, status="cancelled"), by=by())
    assert told(gone) == [("erp", "return_cancel"), ("wms-east", "return_cancel")]
    assert events(gone) == ["goods_return.cancelled"]
    (again,) = await decided(pool, back("b"), by=by())
    assert again.error is None
    (late,) = await decided(pool, back("a", version=1), by=by())
    assert late.duplicate


async def test_cancelled_before_it_came_it_is_known_as_such(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    (gone,) = await decided(pool, back(version=2, status="cancelled"), by=by())
    assert (told(gone), (await kept(pool))[0]) == ([], "cancelled")
    (older,) = await decided(pool, back(version=1), by=by())
    assert older.duplicate


async def test_after_goods_came_back_it_cannot_be_taken_back(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    await decided(pool, back(), by=by())
    await decided(pool, came("x", ("1", "1", "restock")), by=by())
    (late,) = await decided(pool, back(version=2, status="cancelled"), by=by())
    assert failures(late.error) == {"status": "return.received"}


async def test_everything_the_policy_does_not_let_pass_is_a_case_with_what_would(pool: asyncpg.Pool) -> None:
    await have(pool, sold(), days=40)
    (one,) = await decided(pool, back(), by=by(STRICT))
    assert failures(one.error) == {
        "requested_at": "return.window",
        "lines[0].reason": "return.reason",
        "lines[1].reason": "return.reason",
        "lines[1].sku": "return.not_returnable",
        "lines": "return.amount",
    }
    assert isinstance(one.error, NeedsEdit)
    fixes = {failure.rule: failure.fix for failure in one.error.failures}
    assert fixes["return.window"].startswith("11 days earlier would have passed")
    assert fixes["return.amount"].startswith("take 19.00 USD of goods out")
    assert (one.money, await pool.fetchval("SELECT count(*) FROM goods_return")) == (Decimal("39.00"), 0)


@pytest.mark.parametrize("days", [0, 30])
async def test_within_the_policy_it_passes(pool: asyncpg.Pool, days: int) -> None:
    await have(pool, sold(), days=days)
    asked = back(lines={"1": "1"})
    asked = replace(asked, lines=(replace(asked.lines[0], reason="damaged"),))
    (one,) = await decided(pool, asked, by=by(STRICT))
    assert one.error is None
    assert (decode("goods_return", one.body).location, f"{days} of 30 days" in one.note) == ("WEST", True)


async def test_a_person_lets_it_pass_or_declines_it(pool: asyncpg.Pool) -> None:
    await have(pool, sold(), days=40)
    (passed,) = await decided(pool, back("a", {"1": "1"}, override="a good customer"), by=by(STRICT))
    assert (passed.error, passed.note) == (None, "let pass by a person: a good customer")
    (declined,) = await decided(pool, back("b", {"1": "1"}, status="declined"), by=by(STRICT))
    assert (told(declined), events(declined)) == ([], ["goods_return.declined"])
    # What nobody could let pass, a person cannot either.
    (too_much,) = await decided(pool, back("c", {"1": "3"}, override="please"), by=by(STRICT), attempts=WAIT_FOR_ORDER)
    assert failures(too_much.error) == {"lines[0].quantity": "return.quantity"}


async def test_a_policy_may_decline_by_itself(pool: asyncpg.Pool) -> None:
    await have(pool, sold(), days=40)
    (one,) = await decided(pool, back(), by=by(msgspec.structs.replace(STRICT, declines=True)))
    assert (one.error, told(one), events(one)) == (None, [], ["goods_return.declined"])
    assert "40 days after the goods left" in msgspec.json.decode(one.events[0].data)["reason"]
    assert (await kept(pool))[0] == "declined"


async def test_without_a_policy_every_return_needs_a_person(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    rules = by()
    rules = replace(rules, returns=replace(rules.returns, others=None))
    (one,) = await decided(pool, back(), by=rules)
    assert failures(one.error) == {"channel": "return.policy"}


@pytest.mark.parametrize(("left", "rule"), [(None, "return.order_known"), ({"1": "1"}, "return.quantity")])
async def test_what_may_only_be_late_is_waited_for(pool: asyncpg.Pool, left: Any, rule: str) -> None:
    if left is not None:
        await have(pool, sold(), left=left)
    (early,) = await decided(pool, back(), by=by(), attempts=WAIT_FOR_ORDER - 1)
    assert isinstance(early.error, RetryLater)
    assert early.error.rule == rule
    (late,) = await decided(pool, back(), by=by(), attempts=WAIT_FOR_ORDER)
    assert isinstance(late.error, NeedsEdit)
    assert late.error.rule == rule


async def test_a_return_of_another_channel_or_to_nowhere_is_a_case(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    (foreign,) = await decided(pool, back(channel="till"), by=by())
    assert failures(foreign.error) == {"channel": "return.channel"}
    (nowhere,) = await decided(pool, back(location="MOON"), by=by())
    assert failures(nowhere.error) == {"location": "return.location"}


async def test_where_nobody_ships_goods_are_gone_when_they_are_sold(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    await pool.execute("DELETE FROM fulfillment_order")
    await pool.execute("DELETE FROM shipment")
    (one,) = await decided(pool, back(requested_at=NOON + timedelta(days=31), location="EAST"), by=by(STRICT))
    assert failures(one.error)["requested_at"] == "return.window"
    (one,) = await decided(pool, back(location="EAST"), by=by())
    assert one.error is None


async def _never_asked(pool: asyncpg.Pool, waits: str = "") -> None:
    """No warehouse was asked to ship the order; line `waits` waits for goods."""
    await pool.execute("DELETE FROM fulfillment_order")
    await pool.execute("DELETE FROM shipment")
    if waits:
        await pool.execute(
            "INSERT INTO back_order (order_key, line, sku, quantity, line_quantity, places, since) "
            "VALUES ('shop/1', $1, 'CD-1', 3, 3, '{EAST}', $2)",
            waits,
            NOON,
        )


async def test_what_waits_for_goods_has_not_left(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    await _never_asked(pool, waits="1")
    both, other = await decided(
        pool, back("a"), back("b", {"2": "1"}, location="EAST"), by=by(), attempts=WAIT_FOR_ORDER
    )
    assert failures(both.error) == {"lines[0].quantity": "return.quantity"}
    assert other.error is None


async def test_of_an_order_that_came_cancelled_nothing_has_left(pool: asyncpg.Pool) -> None:
    await have(pool, sold(status="cancelled"))
    await _never_asked(pool)
    (one,) = await decided(pool, back(), by=by(), attempts=WAIT_FOR_ORDER)
    assert failures(one.error) == {"lines[0].quantity": "return.quantity", "lines[1].quantity": "return.quantity"}


async def test_a_line_that_nobody_ships_is_gone_when_it_is_sold_whatever_becomes_of_the_others(
    pool: asyncpg.Pool,
) -> None:
    await have(pool, sold(), left={})
    await pool.execute("UPDATE fulfillment_order SET lines = lines - '1'")
    gone, asked = await decided(
        pool,
        back("a", {"1": "3"}, location="EAST", requested_at=NOON + timedelta(days=31)),
        back("b", {"2": "1"}, location="EAST"),
        by=by(STRICT),
        attempts=WAIT_FOR_ORDER,
    )
    # It is counted from when it was sold.
    assert failures(gone.error)["requested_at"] == "return.window"
    assert failures(asked.error) == {"lines[0].quantity": "return.quantity"}
    (gone,) = await decided(pool, back("a", {"1": "3"}, location="EAST"), by=by())
    assert gone.error is None


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_return_stays_one_of_the_order_it_was_first_of(pool: asyncpg.Pool, at_once: bool) -> None:
    await have(pool, sold())
    await have(pool, sold("2"), number=901)
    first, moved = back(version=2), back(version=3, order_key="shop/2")
    if at_once:
        (_, other) = await decided(pool, first, moved, by=by())
    else:
        await decided(pool, first, by=by())
        await decided(pool, came("x", ("1", "2", "restock")), by=by())
        (other,) = await decided(pool, moved, by=by())
        assert (await kept(pool))[1:3] == (Decimal("22.29"), 0)
    assert failures(other.error) == {"order_key": "return.order_changed"}
    rows = await pool.fetch("SELECT order_key, version FROM goods_return")
    assert [tuple(row) for row in rows] == [("shop/1", 2)]
    (older,) = await decided(pool, back(version=1, order_key="shop/2"), by=by())
    assert older.duplicate


async def test_a_return_is_never_written_over_one_of_another_order(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    await decided(pool, back(), by=by())
    async with pool.acquire() as conn:
        row = known_return(await conn.fetchrow("SELECT * FROM goods_return"))
        row.order_key, row.version = "shop/2", 9
        with pytest.raises(RuntimeError, match="shop/r1"):
            await write_returns(conn, [row])
    assert await pool.fetchval("SELECT version FROM goods_return") == 1
