# SPDX-License-Identifier: Apache-2.0
"""Reservations: whole or not at all, once per key, never more than the channel may sell."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from crossdock.errors import Refused
from crossdock.inventory.reservation import MOST_LINES, NotEnough, ReservationLine, Shortage, Substitute
from crossdock.inventory.rules import SkuRule
from tests.inventory.holding import (
    body,
    channel,
    events,
    goods,
    overdue,
    reserved,
    reserving,
    rules,
    stocked,
    want,
)


def line(sku: str, quantity: str, **how: Any) -> ReservationLine:
    return ReservationLine(sku=sku, quantity=Decimal(quantity), **how)


async def test_a_reservation_holds_goods_and_says_where(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5), ("CD-2", "WEST", 4))
    (outcome,) = await reserving(pool).reserve([want("k", ("CD-1", 2), ("CD-2", 3))])
    told = body(outcome)
    assert re.fullmatch(r"rsv_[0-9a-f]{28}", told["id"])
    assert told["lines"] == [
        {
            "line": "1",
            "sku": "CD-1",
            "quantity": "2",
            "unit": "EA",
            "taken": [{"sku": "CD-1", "location": "EAST", "quantity": "2"}],
        },
        {
            "line": "2",
            "sku": "CD-2",
            "quantity": "3",
            "unit": "EA",
            "taken": [{"sku": "CD-2", "location": "WEST", "quantity": "3"}],
        },
    ]
    assert (told["channel"], told["state"], told["reference"]) == ("shop", "active", "cart k")
    assert await pool.fetchval("SELECT expires_at - created_at = interval '600 s' FROM reservation") is True
    assert await reserved(pool) == {("CD-1", "EAST"): 2, ("CD-2", "WEST"): 3}
    assert await events(pool) == [("created", 1)]
    assert await pool.fetchval("SELECT sequence FROM stock_level WHERE sku = 'CD-1'") == 2


async def test_all_lines_or_none_and_every_shortage_is_told(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5), ("CD-2", "WEST", 4))
    (outcome,) = await reserving(pool).reserve([want("k", ("CD-1", 6), ("CD-2", 3), ("CD-2", 2))])
    assert isinstance(outcome, NotEnough)
    assert (outcome.status, outcome.rule) == (409, "stock.not_enough")
    assert outcome.shortages == (
        Shortage(
            line="1",
            sku="CD-1",
            wanted=Decimal(6),
            available=Decimal(5),
            unit="EA",
            substitutes=(Substitute("CD-2", Decimal(4)),),
        ),
        Shortage(line="3", sku="CD-2", wanted=Decimal(2), available=Decimal(1), unit="EA"),
    )
    assert outcome.reason == "line 1: 6 EA of CD-1 wanted, 5 available; 2 lines are short"
    assert await reserved(pool) == {}
    assert await pool.fetchval("SELECT count(*) FROM reservation") == 0
    assert await pool.fetchval("SELECT count(*) FROM event") == 0


async def test_requests_of_a_batch_are_decided_in_order(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    first, second, third = await reserving(pool).reserve(
        [want("a", ("CD-1", 3)), want("b", ("CD-1", 3)), want("c", ("CD-1", 2))]
    )
    assert goods(first) == [("1", "CD-1", "EAST", "3")]
    assert isinstance(second, NotEnough)
    assert second.shortages[0].available == 2
    assert goods(third) == [("1", "CD-1", "EAST", "2")]


async def test_a_key_that_came_before_is_answered_with_what_it_made(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    desk = reserving(pool)
    (first,) = await desk.reserve([want("k", ("CD-1", 2))])
    (again,) = await desk.reserve([want("k", ("CD-1", 2))])
    assert body(again) == body(first)
    assert (first.repeated, again.repeated) == (False, True)
    (other,) = await desk.reserve([want("k", ("CD-1", 3))])
    assert isinstance(other, Refused)
    assert (other.status, other.rule, other.field) == (422, "idempotency_key.reused", "Idempotency-Key")
    assert await reserved(pool) == {("CD-1", "EAST"): 2}


async def test_a_key_twice_in_one_batch_is_one_reservation(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    first, again, other = await reserving(pool).reserve(
        [want("k", ("CD-1", 2)), want("k", ("CD-1", 2)), want("k", ("CD-1", 1))]
    )
    assert body(first) == body(again)
    assert isinstance(other, Refused)
    assert other.rule == "idempotency_key.reused"
    assert await reserved(pool) == {("CD-1", "EAST"): 2}


async def test_the_same_key_on_another_channel_is_another_reservation(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    desk = reserving(pool, rules(channel("shop"), channel("portal")))
    first, second = await desk.reserve([want("k", ("CD-1", 2)), want("k", ("CD-1", 2), channel="portal")])
    assert body(first)["id"] != body(second)["id"]
    assert await reserved(pool) == {("CD-1", "EAST"): 4}


async def test_a_repeated_key_tells_the_state_of_now_even_for_a_product_that_is_gone(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    desk = reserving(pool)
    (first,) = await desk.reserve([want("k", ("CD-1", 2))])
    await overdue(pool, body(first)["id"])
    await pool.execute("DELETE FROM product WHERE sku = 'CD-1'")
    await pool.execute("UPDATE catalog_version SET value = value + 1")
    (again,) = await desk.reserve([want("k", ("CD-1", 2))])
    assert (body(again)["id"], body(again)["state"]) == (body(first)["id"], "expired")


async def test_a_case_of_twelve_holds_twelve(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 30))
    one, short = await reserving(pool).reserve(
        [want("a", line("CD-1", "1", unit="CS")), want("b", line("CD-1", "2", unit="CS"))]
    )
    assert goods(one) == [("1", "CD-1", "EAST", "12")]
    assert (body(one)["lines"][0]["quantity"], body(one)["lines"][0]["unit"]) == ("1", "CS")
    assert isinstance(short, NotEnough)
    assert (short.shortages[0].wanted, short.shortages[0].available, short.shortages[0].unit) == (2, 1, "CS")


async def test_a_bundle_holds_its_components_at_one_location(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 3), ("CD-2", "EAST", 9), ("CD-1", "WEST", 4), ("CD-2", "WEST", 2))
    desk = reserving(pool)
    (two,) = await desk.reserve([want("a", ("KIT", 2))])
    assert goods(two) == [("1", "CD-1", "WEST", "4"), ("1", "CD-2", "WEST", "2")]
    (short,) = await desk.reserve([want("b", ("KIT", 2))])
    assert isinstance(short, NotEnough)
    assert short.shortages[0].available == 1
    assert await reserved(pool) == {("CD-1", "WEST"): 4, ("CD-2", "WEST"): 2}


async def test_bundles_of_one_line_may_come_from_two_locations_but_no_bundle_does(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 3), ("CD-2", "EAST", 9), ("CD-1", "WEST", 4), ("CD-2", "WEST", 2))
    (three,) = await reserving(pool).reserve([want("a", ("KIT", 3))])
    assert sorted(goods(three)) == [
        ("1", "CD-1", "EAST", "2"),
        ("1", "CD-1", "WEST", "4"),
        ("1", "CD-2", "EAST", "1"),
        ("1", "CD-2", "WEST", "2"),
    ]


async def test_alternative_locations_in_order_of_preference(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5), ("CD-1", "WEST", 5))
    desk = reserving(pool)
    first, second, third = await desk.reserve(
        [
            want("a", line("CD-1", "2", locations=("WEST", "EAST"))),
            want("b", line("CD-1", "4", locations=("WEST",))),
            want("c", line("CD-1", "4", locations=("WEST", "EAST"))),
        ]
    )
    assert goods(first) == [("1", "CD-1", "WEST", "2")]
    assert isinstance(second, NotEnough)
    assert second.shortages[0].available == 3
    assert goods(third) == [("1", "CD-1", "EAST", "4")]


async def test_a_line_is_split_only_when_no_location_has_all_of_it(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 2), ("CD-1", "WEST", 3))
    (outcome,) = await reserving(pool).reserve([want("a", ("CD-1", 4))])
    assert goods(outcome) == [("1", "CD-1", "WEST", "3"), ("1", "CD-1", "EAST", "1")]


async def test_what_is_measured_may_be_divided(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("ROPE", "EAST", 3))
    (outcome,) = await reserving(pool).reserve([want("a", line("ROPE", "2.50"))])
    assert goods(outcome) == [("1", "ROPE", "EAST", "2.5")]


async def test_a_service_takes_nothing(pool: asyncpg.Pool) -> None:
    await stocked(pool)
    (outcome,) = await reserving(pool).reserve([want("a", ("FEE", 1))])
    assert (goods(outcome), len(body(outcome)["lines"])) == ([], 1)


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        ({"safety": 2}, 6),
        ({"percent": 50.0}, 5),
        ({"cap": 3}, 3),
        ({}, 10),
    ],
)
async def test_no_more_than_the_channel_may_sell(pool: asyncpg.Pool, rule: dict[str, Any], most: int) -> None:
    await stocked(pool, ("CD-1", "EAST", 5), ("CD-1", "WEST", 5))
    desk = reserving(pool, rules(channel("shop", **rule)))
    (short,) = await desk.reserve([want("a", ("CD-1", most + 1))])
    assert isinstance(short, NotEnough)
    assert short.shortages[0].available == most
    (all_of_it,) = await desk.reserve([want("b", ("CD-1", most))])
    assert sum(int(quantity) for *_, quantity in goods(all_of_it)) == most


async def test_what_a_preferred_channel_keeps_and_a_rule_for_some_skus(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 10), ("CD-2", "EAST", 10))
    by = rules(
        channel("shop"),
        channel("portal", keep=4, priority=1),
        overrides=(SkuRule(sku_prefix="CD-2", channel="shop", cap=1),),
    )
    desk = reserving(pool, by)
    a, b, c = await desk.reserve(
        [want("a", ("CD-1", 7)), want("b", ("CD-2", 2)), want("c", ("CD-1", 10), channel="portal")]
    )
    assert isinstance(a, NotEnough)
    assert isinstance(b, NotEnough)
    assert (a.shortages[0].available, b.shortages[0].available) == (6, 1)
    assert len(goods(c)) == 1


async def test_goods_within_the_horizon_may_be_promised_and_no_more_of_them(pool: asyncpg.Pool) -> None:
    await stocked(pool)
    statement = (
        "INSERT INTO expected_stock (reference, sku, location, source, quantity, received, due_at, version, status, "
        "document_id) VALUES ($1, 'CD-1', 'EAST', 'erp', 10, 4, now() + $2::int * interval '1 day', 1, $3, 1)"
    )
    await pool.execute(statement, "PO-1", 2, "open")
    await pool.execute(statement, "PO-2", 30, "open")
    await pool.execute(statement, "PO-3", 1, "cancelled")
    by = rules(channel("shop", horizon=timedelta(days=7)), channel("till"))
    desk = reserving(pool, by)
    a, b, c = await desk.reserve(
        [want("a", ("CD-1", 4)), want("b", ("CD-1", 3)), want("c", ("CD-1", 1), channel="till")]
    )
    assert goods(a) == [("1", "CD-1", "EAST", "4")]
    assert isinstance(b, NotEnough)
    assert isinstance(c, NotEnough)
    assert (b.shortages[0].available, c.shortages[0].available) == (2, 0)


async def test_a_derived_buffer_is_held_back(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 10))
    await pool.execute("INSERT INTO sales_rate (channel, sku, rate, at) VALUES ('portal', 'CD-1', 1.0, now())")
    await pool.execute("INSERT INTO publication (system, lag_p95) VALUES ('shop', 1.0)")
    desk = reserving(pool, rules(channel("shop", derived_buffer=True), channel("portal")))
    (short,) = await desk.reserve([want("a", ("CD-1", 8))])
    assert isinstance(short, NotEnough)
    # ceil(1 × 1 + 2 × sqrt(1 × 1)) = 3 are held back.
    assert short.shortages[0].available == 7


async def test_goods_of_a_reservation_that_is_over_are_given_to_the_next_without_a_scheduler(
    pool: asyncpg.Pool,
) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    desk = reserving(pool)
    (first,) = await desk.reserve([want("a", ("CD-1", 5))])
    await overdue(pool, body(first)["id"])
    second, third = await desk.reserve([want("b", ("CD-1", 3)), want("c", ("CD-1", 3))])
    assert goods(second) == [("1", "CD-1", "EAST", "3")]
    assert isinstance(third, NotEnough)
    assert third.shortages[0].available == 2
    assert await reserved(pool) == {("CD-1", "EAST"): 3}
    assert await events(pool) == [("created", 1), ("expired", 1), ("created", 1)]


async def test_an_estate_without_inventory_takes_none(pool: asyncpg.Pool) -> None:
    (outcome,) = await reserving(pool, replace(rules(), channels={})).reserve([want("a", ("CD-1", 1))])
    assert isinstance(outcome, Refused)
    assert "no `inventory` section" in outcome.fix


async def test_a_thousand_lines(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 1000), ("CD-2", "EAST", 999))
    many = tuple(line("CD-1", "1") for _ in range(MOST_LINES))
    (outcome,) = await reserving(pool).reserve([want("a", *many)])
    assert len(goods(outcome)) == MOST_LINES
    (short,) = await reserving(pool).reserve([want("b", *(line("CD-2", "1") for _ in range(MOST_LINES)))])
    assert isinstance(short, NotEnough)
    assert [one.line for one in short.shortages] == ["1000"]
    assert await reserved(pool) == {("CD-1", "EAST"): 1000}


async def test_a_batch_with_very_many_lines_is_taken_in_parts_with_one_answer_each(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 10_000))
    batch = [want(str(number), *(line("CD-1", "1") for _ in range(700))) for number in range(5)]
    outcomes = await reserving(pool).reserve(batch)
    assert [len(goods(outcome)) for outcome in outcomes] == [700] * 5
    assert await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM reservation") == 3


async def test_many_at_once_get_what_there_is_and_no_more(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 20), ("CD-2", "EAST", 20))
    desks = [reserving(pool) for _ in range(4)]
    batches = [
        desks[number % 4].reserve(
            [want(f"{number}-{each}", *[("CD-1", 1), ("CD-2", 1)][:: 1 if each % 2 else -1]) for each in range(4)]
        )
        for number in range(16)
    ]
    outcomes = [outcome for batch in await asyncio.gather(*batches) for outcome in batch]
    assert sum(not isinstance(outcome, NotEnough) for outcome in outcomes) == 20
    assert await reserved(pool) == {("CD-1", "EAST"): 20, ("CD-2", "EAST"): 20}


async def test_the_same_key_at_two_gateways_at_once_is_one_reservation(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 20), ("CD-2", "EAST", 20))
    batches = [
        reserving(pool).reserve([want(f"k{each}", ("CD-1" if each % 2 else "CD-2", 1)) for each in range(6)][::turn])
        for turn in (1, -1, 1, -1)
    ]
    made: dict[str, set[str]] = {}
    for batch in await asyncio.gather(*batches):
        for outcome in batch:
            told = body(outcome)
            made.setdefault(told["reference"], set()).add(told["id"])
    assert {key: len(ids) for key, ids in made.items()} == {f"cart k{each}": 1 for each in range(6)}
    assert await reserved(pool) == {("CD-1", "EAST"): 3, ("CD-2", "EAST"): 3}


async def test_the_same_key_with_other_content_at_two_gateways_at_once(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 20), ("CD-2", "EAST", 20))
    outcomes = await asyncio.gather(
        *(reserving(pool).reserve([want("k", (sku, 1))]) for sku in ("CD-1", "CD-2", "CD-1", "CD-2"))
    )
    kept = {body(one)["id"] for (one,) in outcomes if not isinstance(one, Refused)}
    assert len(kept) == 1
    refused = [one for (one,) in outcomes if isinstance(one, Refused)]
    assert {one.rule for one in refused} == {"idempotency_key.reused"}
    assert sum((await reserved(pool)).values()) == 1
