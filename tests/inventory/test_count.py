# SPDX-License-Identifier: Apache-2.0
"""Counts become differences: they never overwrite what moved after them, and what came before them is late."""

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
from crossdock.canonical.stock import Counted, StockCount
from crossdock.errors import NeedsEdit
from crossdock.runtime.clock import set_clock
from tests.inventory.deciding import at, check_laws, counted, decided, moved, movements, on_hand, rules
from tests.orders.making import NOON

EAST = ("CD-1", "EAST")


async def ledger(pool: asyncpg.Pool) -> list[tuple[str, str, Decimal, Decimal, bool]]:
    rows = await pool.fetch(
        "SELECT kind, movement_id, quantity, on_hand, late FROM stock_movement ORDER BY recorded_at, occurred_at"
    )
    return [tuple(row) for row in rows]


async def test_a_count_becomes_the_difference_to_what_was_there_at_its_moment(pool: asyncpg.Pool) -> None:
    await decided(
        pool, movements(moved("m1", "10", minute=1), moved("m2", "-2", "ship", 5), moved("m3", "4", minute=9))
    )
    (decision,) = await decided(pool, counted("c1", 5, ("CD-1", "7")), first=2)
    assert (decision.accepted, decision.duplicate, decision.note) == (True, False, "1 of 1 SKUs differ")
    # 7 were there at minute 5, not 8; the 4 that came later stand.
    assert await on_hand(pool) == {EAST: 11}
    assert (await ledger(pool))[-1] == ("count", "c1/CD-1", -1, -1, False)
    row = await pool.fetchrow("SELECT occurred_at, source, reference FROM stock_movement WHERE kind = 'count'")
    assert tuple(row) == (at(5), "wms", "c1")
    assert await pool.fetchval("SELECT counted_at FROM stock_level") == at(5)
    (event,) = decision.events
    assert event.type == "stock.counted"
    assert msgspec.json.decode(event.data) == {
        "source": "wms",
        "count_id": "c1",
        "location": "EAST",
        "as_of": "2026-11-23T11:05:00Z",
        "counted": 1,
        "differing": 1,
        "stale": 0,
    }
    await check_laws(pool)


async def test_a_movement_from_before_the_count_is_late_and_one_after_it_counts(pool: asyncpg.Pool) -> None:
    await decided(pool, counted("c1", 5, ("CD-1", "7")))
    (late,) = await decided(pool, movements(moved("m1", "10", minute=5), moved("m2", "3", minute=6)), first=2)
    assert late.note == ""
    assert await on_hand(pool) == {EAST: 10}
    assert [(row[1], row[3], row[4]) for row in await ledger(pool)] == [
        ("c1/CD-1", 7, False),
        ("m1", 0, True),
        ("m2", 3, False),
    ]
    await check_laws(pool)


async def test_a_count_that_agrees_is_entered_as_nothing(pool: asyncpg.Pool) -> None:
    await decided(pool, movements(moved("m1", "7")))
    (decision,) = await decided(pool, counted("c1", 5, ("CD-1", "7")), first=2)
    assert decision.note == "0 of 1 SKUs differ"
    assert await on_hand(pool) == {EAST: 7}
    assert (await ledger(pool))[-1] == ("count", "c1/CD-1", 0, 0, False)
    assert await pool.fetchval("SELECT sequence FROM stock_level") == 1


async def test_a_repeated_count_is_a_duplicate(pool: asyncpg.Pool) -> None:
    again = counted("c1", 5, ("CD-1", "7"))
    first, second = await decided(pool, again, again)
    assert (first.duplicate, second.duplicate) == (False, True)
    await decided(pool, movements(moved("m1", "-3", "ship", 7)), first=3)
    (third,) = await decided(pool, again, first=4)
    assert (third.duplicate, third.note) == (True, "count c1 was taken before")
    assert await on_hand(pool) == {EAST: 4}
    await check_laws(pool)


async def test_an_older_count_is_stale_and_changes_nothing(pool: asyncpg.Pool) -> None:
    await decided(pool, counted("c2", 8, ("CD-1", "7")))
    (old,) = await decided(pool, counted("c1", 5, ("CD-1", "90")), first=2)
    assert (old.duplicate, old.note) == (True, "stale: every SKU of it was counted later")
    (mixed,) = await decided(pool, counted("c3", 6, ("CD-1", "80"), ("CD-2", "4")), first=3)
    assert (mixed.duplicate, mixed.note) == (
        False,
        "1 of 2 SKUs differ; 1 were counted later and stay as they are",
    )
    assert await on_hand(pool) == {EAST: 7, ("CD-2", "EAST"): 4}
    assert len(await ledger(pool)) == 2
    await check_laws(pool)


async def test_lots_and_cases_of_a_sku_add_up(pool: asyncpg.Pool) -> None:
    lots = counted("c1", 5, ("CD-1", "3"), ("CD-1", "2 CS"))
    lots = replace(lots, entries=(*lots.entries, Counted(sku="CD-1", quantity=Quantity(Decimal(1)), lot="L9")))
    await decided(pool, lots)
    assert await on_hand(pool) == {EAST: 28}


async def test_a_complete_count_takes_what_it_does_not_name_for_missing(pool: asyncpg.Pool) -> None:
    await decided(
        pool,
        movements(
            moved("m1", "5"), moved("m2", "3", sku="CD-2"), moved("m3", "4", sku="CD-2", minute=9),
            moved("m4", "6", location="WEST"),
        ),
    )  # fmt: skip
    (decision,) = await decided(pool, counted("c1", 5, ("CD-1", "5"), complete=True), first=2)
    assert decision.note == "1 of 2 SKUs differ"
    assert await on_hand(pool) == {EAST: 5, ("CD-2", "EAST"): 4, ("CD-1", "WEST"): 6}
    assert {row[:3] for row in await ledger(pool) if row[0] == "count"} == {
        ("count", "c1/CD-1", 0),
        ("count", "c1%absent/CD-2", -3),
    }
    # Of a SKU that nobody knew there the count said that there is none.
    await decided(pool, movements(moved("m5", "2", sku="OIL", unit="LTR", minute=4)), first=3)
    await decided(pool, movements(moved("m6", "1", sku="OIL", unit="LTR", minute=6)), first=4)
    assert (await on_hand(pool))["OIL", "EAST"] == 1
    await check_laws(pool)


async def test_bad_entries_are_parts_of_their_own_and_the_others_count(pool: asyncpg.Pool) -> None:
    await decided(pool, movements(moved("m1", "5", sku="CD-2")))
    document = counted(
        "c1", 5, ("CD-1", "7"), ("XX", "1"), ("CD-2", "1 CS"), ("OIL", "-1 LTR"), ("OIL", "3 LTR"), complete=True
    )
    (decision,) = await decided(pool, document, first=2)
    errors = [(part.ordinal, part.error) for part in decision.parts]
    assert [(ordinal, error.rule, getattr(error, "field", "")) for ordinal, error in errors] == [
        (1, "stock.sku_known", "entries[0].sku"),
        (2, "stock.unit", "entries[0].quantity.unit"),
        (3, "stock.sign", "entries[0].quantity.value"),
    ]
    part = decode("stock_count", decision.parts[2].body)
    assert isinstance(part, StockCount)
    assert (part.complete, part.count_id) == (False, "c1")
    assert [str(entry.quantity.value) for entry in part.entries] == ["-1", "3"]
    assert "nothing was taken for missing" in decision.note
    assert await on_hand(pool) == {EAST: 7, ("CD-2", "EAST"): 5}
    # The mended part is taken in, as the same count.
    mended = replace(part, entries=(replace(part.entries[0], quantity=Quantity(Decimal(2), "LTR")), part.entries[1]))
    (decision,) = await decided(pool, mended, first=3)
    assert (decision.duplicate, decision.accepted) == (False, True)
    assert await on_hand(pool) == {EAST: 7, ("CD-2", "EAST"): 5, ("OIL", "EAST"): 5}
    await check_laws(pool)


async def test_a_mended_part_outdoes_that_its_sku_was_not_named(pool: asyncpg.Pool) -> None:
    """A wrong unit is a known SKU: what it does not name is missing all the same, and the part comes later."""
    await decided(pool, movements(moved("m1", "5", sku="CD-2")))
    (decision,) = await decided(pool, counted("c1", 5, ("CD-1", "1 BX"), complete=True), first=2)
    assert await on_hand(pool) == {}
    part = decode("stock_count", decision.parts[0].body)
    as_meant = replace(part, entries=(Counted(sku="CD-2", quantity=Quantity(Decimal(4))),))
    await decided(pool, as_meant, first=3)
    assert await on_hand(pool) == {("CD-2", "EAST"): 4}
    await check_laws(pool)


@pytest.mark.parametrize(
    ("document", "rule", "field"),
    [
        (counted("c1", 5, ("CD-1", "7"), location="MOON"), "stock.location_known", "location"),
        (counted("c1", 62, ("CD-1", "7")), "stock.as_of", "as_of"),
    ],
)
async def test_a_count_of_nowhere_or_of_tomorrow_is_a_case(
    pool: asyncpg.Pool, document: StockCount, rule: str, field: str
) -> None:
    with set_clock(NOON):
        (decision,) = await decided(pool, document)
    assert isinstance(decision.error, NeedsEdit)
    assert (decision.error.rule, decision.error.field) == (rule, field)
    assert await pool.fetchval("SELECT count(*) FROM stock_count") == 0


async def test_promised_goods_that_a_count_misses_are_told(pool: asyncpg.Pool) -> None:
    await decided(pool, movements(moved("m1", "5"), moved("a1", "4", "allocation")))
    (decision,) = await decided(pool, counted("c1", 5, ("CD-1", "1")), first=2)
    assert decision.note == "1 of 1 SKUs differ; goods that were promised are missing: 3 of CD-1 at EAST"
    told = {event.type: msgspec.json.decode(event.data) for event in decision.events}
    assert told["stock.promised_missing"] == {
        "source": "wms",
        "count_id": "c1",
        "location": "EAST",
        "skus": 1,
        "lines": [{"sku": "CD-1", "on_hand": "1", "promised": "4", "short": "3"}],
    }


async def test_levels_and_channels_hear_of_a_counted_difference(pool: asyncpg.Pool) -> None:
    await decided(pool, counted("c1", 5, ("CD-1", "7")))
    (data,) = [row["data"] for row in await pool.fetch("SELECT data FROM event WHERE type = 'inventory.level.changed'")]
    (element,) = msgspec.json.decode(data)
    assert (element["key"], element["data"]["on_hand"]) == ("stock/CD-1@EAST", "7")


async def test_of_two_counts_of_one_moment_the_same_one_holds_in_either_order(pool: asyncpg.Pool) -> None:
    one, other = counted("c1", 5, ("CD-1", "7")), counted("c2", 5, ("CD-1", "9"))
    await decided(pool, one)
    await decided(pool, other, first=2)
    assert await on_hand(pool) == {EAST: 9}
    await pool.execute("TRUNCATE stock_movement, stock_level, stock_count, counted_stock")
    await decided(pool, other)
    await decided(pool, one, first=2)
    assert await on_hand(pool) == {EAST: 9}
    await check_laws(pool)


async def test_a_level_made_beside_a_complete_count_knows_of_it(pool: asyncpg.Pool) -> None:
    """However a complete count and the first movement of a SKU meet, one of them waits for the other."""
    for number in range(12):
        await pool.execute("TRUNCATE stock_movement, stock_level, stock_count, counted_stock")
        first: tuple[Any, Any] = (
            counted(f"c{number}", 5, complete=True),
            movements(moved(f"m{number}", "3", minute=4)),
        )
        order = first if number % 2 else first[::-1]
        await asyncio.gather(*(decided(pool, one, first=place, by=rules()) for place, one in enumerate(order, 1)))
        assert await on_hand(pool) == {}
        assert await pool.fetchval("SELECT counted_at FROM stock_level") == at(5)
        await check_laws(pool)


async def test_a_clock_a_little_ahead_is_forgiven(pool: asyncpg.Pool) -> None:
    with set_clock(NOON):
        (decision,) = await decided(pool, counted("c1", 60, ("CD-1", "7"), as_of=NOON + timedelta(seconds=59)))
    assert decision.accepted
