# SPDX-License-Identifier: Apache-2.0
"""Movements enter the ledger once; levels are what they add up to, however they come."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.objects import decode
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import StockMovement, StockMovements
from crossdock.errors import NeedsEdit
from crossdock.inventory.apply import apply, pairs_of
from crossdock.inventory.lock import lock_levels, write_levels
from crossdock.journal.decided import Decided
from tests.orders.making import NOON, catalog, translated

LOCATIONS = {"EAST": None, "WEST": None}


def movement(movement_id: str, quantity: str = "5", kind: str = "receipt", **changes: Any) -> StockMovement:
    values: dict[str, Any] = {
        "movement_id": movement_id,
        "kind": kind,
        "sku": "CD-1",
        "location": "EAST",
        "quantity": Quantity(Decimal(quantity)),
        "occurred_at": NOON,
    }
    return StockMovement(**{**values, **changes})


async def enter(conn: asyncpg.Connection, *documents: list[StockMovement], source: str = "warehouse") -> list[Decided]:
    batch = [
        translated(StockMovements(source=source, movements=tuple(moves)), "stock_movements", number)
        for number, moves in enumerate(documents, 1)
    ]
    products = catalog("CD-1", "CD-2")
    locked = await lock_levels(conn, (), pairs_of(batch, products, LOCATIONS))
    decided = await apply(conn, batch, products, LOCATIONS, locked)
    await write_levels(conn, locked)
    return decided


async def entered(pool: asyncpg.Pool, *documents: list[StockMovement], source: str = "warehouse") -> list[Decided]:
    async with pool.acquire() as conn, conn.transaction():
        return await enter(conn, *documents, source=source)


async def levels(conn: Any) -> dict[tuple[str, str], int]:
    rows = await conn.fetch("SELECT sku, location, on_hand FROM stock_level WHERE sequence > 0")
    return {(row["sku"], row["location"]): int(row["on_hand"]) for row in rows}


async def test_movements_add_up(pool: asyncpg.Pool) -> None:
    (decided,) = await entered(
        pool,
        [
            movement("m1", "10"),
            movement("m2", "-3", "ship"),
            movement("m3", "4", location="WEST"),
            movement("m4", "-4", "pick"),
            movement("m5", "-1", "adjustment", sku="CD-2"),
        ],
    )
    assert (decided.accepted, decided.note, decided.parts) == (True, "", ())
    assert await levels(pool) == {("CD-1", "EAST"): 7, ("CD-1", "WEST"): 4, ("CD-2", "EAST"): -1}
    assert await pool.fetchval("SELECT count(*) FROM stock_movement") == 5


async def test_a_pick_alone_moves_no_level_and_tells_nobody(pool: asyncpg.Pool) -> None:
    await entered(pool, [movement("m1", "-4", "pick")])
    assert await levels(pool) == {}
    assert await pool.fetchval("SELECT count(*) FROM event WHERE type = 'inventory.level.changed'") == 0
    assert await pool.fetchval("SELECT count(*) FROM stock_movement") == 1


async def test_movements_that_cancel_out_leave_the_level_as_it_was(pool: asyncpg.Pool) -> None:
    await entered(pool, [movement("m1", "10")])
    before = await pool.fetchrow("SELECT * FROM stock_level")
    await entered(pool, [movement("m2", "4"), movement("m3", "-4", "ship")])
    assert await levels(pool) == {("CD-1", "EAST"): 10}
    assert await pool.fetchrow("SELECT * FROM stock_level") == before


async def test_a_known_movement_is_entered_once(pool: asyncpg.Pool) -> None:
    await entered(pool, [movement("m1", "10")])
    again, mixed, twice = await entered(
        pool,
        [movement("m1", "10")],
        [movement("m1", "10"), movement("m2", "1")],
        [movement("m3", "2"), movement("m3", "2")],
    )
    assert (again.duplicate, again.note) == (True, "all 1 movements are in the ledger already")
    assert (mixed.duplicate, mixed.note) == (False, "1 of 2 movements entered")
    assert (twice.duplicate, twice.note) == (False, "1 of 2 movements entered")
    assert await levels(pool) == {("CD-1", "EAST"): 13}


async def test_the_same_id_of_another_source_is_another_movement(pool: asyncpg.Pool) -> None:
    await entered(pool, [movement("m1", "10")])
    (other,) = await entered(pool, [movement("m1", "10")], source="3pl")
    assert not other.duplicate
    assert await levels(pool) == {("CD-1", "EAST"): 20}


@pytest.mark.parametrize(
    ("bad", "rule", "field"),
    [
        (movement("b", sku="XX"), "stock.sku_known", "movements[0].sku"),
        (movement("b", location="MOON"), "stock.location_known", "movements[0].location"),
        (replace(movement("b"), quantity=Quantity(Decimal(1), "CS")), "stock.unit", "movements[0].quantity.unit"),
        (movement("b", "-1", "receipt"), "stock.sign", "movements[0].quantity.value"),
        (movement("b", "1", "ship"), "stock.sign", "movements[0].quantity.value"),
        (movement("b", "1", "transfer_out"), "stock.sign", "movements[0].quantity.value"),
        (movement("b", "0", "adjustment"), "stock.sign", "movements[0].quantity.value"),
    ],
)
async def test_a_bad_movement_is_a_part_of_its_own_and_the_good_ones_enter(
    pool: asyncpg.Pool, bad: StockMovement, rule: str, field: str
) -> None:
    (decided,) = await entered(pool, [movement("m1"), bad, movement("m2")])
    (part,) = decided.parts
    assert isinstance(part.error, NeedsEdit)
    assert (part.ordinal, part.stage, part.error.rule, part.error.field) == (2, "canonical", rule, field)
    assert decode("stock_movements", part.body) == StockMovements(source="warehouse", movements=(bad,))
    assert (decided.duplicate, decided.note) == (False, "2 of 3 movements entered")
    assert await levels(pool) == {("CD-1", "EAST"): 10}


async def test_a_number_no_stock_has_is_a_part_of_its_own(pool: asyncpg.Pool) -> None:
    (decided,) = await entered(pool, [movement("b", "1E+200000"), movement("m1")])
    assert [part.error.rule for part in decided.parts] == ["stock.quantity"]
    assert await levels(pool) == {("CD-1", "EAST"): 5}


async def test_nothing_good_is_no_duplicate(pool: asyncpg.Pool) -> None:
    (decided,) = await entered(pool, [movement("b", sku="XX")])
    assert (decided.duplicate, len(decided.parts)) == (False, 1)


_MOVES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["CD-1", "CD-2"]), st.sampled_from(["EAST", "WEST"])),
    min_size=1,
    max_size=6,
)
# What movement number n is: a quantity of its own, some of them picks, which move nothing.
_QUANTITY = [7, -2, 3, -5, 11, -1, 4, -9, 2, -3]
_PICKS = {3, 7}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_MOVES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_any_interleaving_and_repetition_ends_in_the_sum_of_the_ledger(
    database: str, documents: list[list[tuple[int, str, str]]], rng: Any
) -> None:
    """Several transactions at once, every document twice, in any order: levels are the sum of what is in the ledger."""

    def made(number: int, sku: str, location: str) -> StockMovement:
        kind = "pick" if number in _PICKS else "adjustment"
        # The id says all there is to say of a movement: an id stands for one movement only.
        name = f"{number}-{sku}-{location}"
        return movement(name, str(_QUANTITY[number]), kind, sku=sku, location=location)

    batches = [[made(*one) for one in document] for document in documents] * 2
    rng.shuffle(batches)

    async def run() -> None:
        pool = await asyncpg.create_pool(database, min_size=1, max_size=4)
        try:
            await pool.execute("TRUNCATE stock_movement, stock_level")
            await asyncio.gather(*(entered(pool, batch) for batch in batches))
            expected: dict[tuple[str, str], int] = defaultdict(int)
            for number, sku, location in {one for document in documents for one in document}:
                expected[sku, location] += 0 if number in _PICKS else _QUANTITY[number]
            have = await levels(pool)
            assert {place: level for place, level in have.items() if level} == {p: n for p, n in expected.items() if n}
        finally:
            await pool.close()

    asyncio.run(run())
