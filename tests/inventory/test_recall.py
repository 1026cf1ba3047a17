# SPDX-License-Identifier: Apache-2.0
"""What we believed of a SKU at a moment is told again as it was, whatever was heard of since."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
import typer
from typer.testing import CliRunner

from crossdock.cli.main import build
from crossdock.cli.moment import moment
from crossdock.errors import Refused
from crossdock.inventory.past import past_levels
from crossdock.inventory.recall import recall
from crossdock.journal.history import trace
from crossdock.runtime.clock import set_clock
from tests.inventory.deciding import check_laws, counted, decided, moved, movements
from tests.inventory.test_expect import notice
from tests.orders.making import NOON


async def moment_of(pool: asyncpg.Pool) -> datetime:
    """Now, by the clock that writes when something was entered."""
    found: datetime = await pool.fetchval("SELECT clock_timestamp()")
    return found


async def believed(pool: asyncpg.Pool, at: datetime) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    async with pool.acquire() as conn:
        levels = await past_levels(conn, ["CD-1", "CD-2"], at)
    return {
        (one.sku, one.location): (int(one.on_hand), int(one.quarantined), int(one.allocated), int(one.reserved))
        for one in levels
    }


async def test_levels_are_what_had_been_heard_by_then(pool: asyncpg.Pool) -> None:
    start = await moment_of(pool)
    await decided(pool, movements(moved("m1", "10"), moved("m2", "4", location="WEST", status="quarantined")))
    first = await moment_of(pool)
    await decided(pool, movements(moved("a1", "3", "allocation")), first=2)
    # Heard of last, happened first.
    await decided(pool, movements(moved("m0", "-2", "ship", -30)), first=3)
    second = await moment_of(pool)
    await decided(pool, counted("c1", 5, ("CD-1", "7")), first=4)
    third = await moment_of(pool)
    assert await believed(pool, start) == {}
    assert await believed(pool, first) == {("CD-1", "EAST"): (10, 0, 0, 0), ("CD-1", "WEST"): (4, 4, 0, 0)}
    assert (await believed(pool, second))["CD-1", "EAST"] == (8, 0, 3, 0)
    assert (await believed(pool, third))["CD-1", "EAST"] == (7, 0, 3, 0)
    await check_laws(pool, but=("what is allocated is what allocations hold",))


async def test_reservations_count_while_they_lived(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO reservation (id, channel, state, idempotency_key, digest, created_at, expires_at, ended_at, body)"
        " VALUES ('r1', 'shop', 'released', 'k1', 1, $1, $2, $3, ''),"
        " ('r2', 'shop', 'active', 'k2', 1, $2, $3, NULL, '')",
        NOON,
        NOON + timedelta(minutes=5),
        NOON + timedelta(minutes=9),
    )
    await pool.execute("INSERT INTO reservation_line VALUES ('r1','1','CD-1','EAST',2), ('r2','1','CD-1','EAST',5)")
    found = [await believed(pool, NOON + timedelta(minutes=minute)) for minute in (-1, 0, 5, 9)]
    assert [one.get(("CD-1", "EAST"), (0, 0, 0, 0))[3] for one in found] == [0, 2, 7, 5]


async def test_a_trace_at_a_moment_tells_levels_movements_and_what_channels_had_been_told(pool: asyncpg.Pool) -> None:
    await decided(pool, movements(moved("m1", "10", minute=-60)))
    then = await moment_of(pool)
    await decided(pool, movements(moved("m2", "-4", "ship")), first=2)
    await pool.execute(
        "INSERT INTO interface VALUES ('shop.stock', 'shop', 'out', 'stock_level', 'web', 'gold', '1 h', 1, 'active')"
    )
    await pool.execute("INSERT INTO channel_stock (system, sku, location, told) VALUES ('shop', 'CD-1', 'EAST', 6)")
    for quantity, sequence, at in ((9, 1, then - timedelta(hours=2)), (10, 2, then), (6, 3, then + timedelta(hours=1))):
        await pool.execute(
            "INSERT INTO told_stock VALUES ('shop', 'CD-1', 'EAST', $1, $2, $3, $3)", Decimal(quantity), sequence, at
        )
    async with pool.acquire() as conn:
        found = await recall(conn, "CD-1", then)
        now = await trace(conn, "CD-1")
    assert (found.at, found.title) == (then, "SKU CD-1 · 10 at EAST")
    assert [(one.location, one.on_hand, one.free) for one in found.levels] == [("EAST", 10, 10)]
    assert [(one.system, one.location, one.quantity, one.told_at) for one in found.told] == [("shop", "EAST", 10, then)]
    assert [entry.title for entry in found.timeline] == ["receipt +10 EA at EAST", "shop told 10 at EAST"]
    assert found.timeline[0].detail.startswith("wms m1 heard of ")
    assert now.title == "SKU CD-1 · 6 at EAST"
    assert len([entry for entry in now.timeline if entry.kind == "moved"]) == 2
    with pytest.raises(Refused) as nothing:
        async with pool.acquire() as conn:
            await recall(conn, "CD-1", then - timedelta(days=9))
    assert nothing.value.status == 404


async def test_a_trace_shows_lots_by_expiry_late_movements_and_what_is_to_come(pool: asyncpg.Pool) -> None:
    day = NOON.date()
    await decided(
        pool,
        notice(1, ("CD-1", "20")),
        movements(
            moved("m1", "10", lot="B", expires_on=day + timedelta(days=9)),
            moved("m2", "5", lot="A", expires_on=day),
            moved("m3", "-4", "ship", lot="B"),
            moved("m4", "6", lot="C"),
            moved("m5", "-6", "ship", lot="C"),
        ),
        counted("c1", 5, ("CD-1", "11")),
    )
    await decided(pool, movements(moved("m6", "3", minute=2)), first=5)
    async with pool.acquire() as conn:
        found = await trace(conn, "CD-1")
    assert [(one.lot, one.on_hand, one.expires_on) for one in found.lots] == [
        ("A", 5, day),
        ("B", 6, day + timedelta(days=9)),
    ]
    assert [(one.reference, one.quantity, one.received) for one in found.expected] == [("PO-7", 20, 0)]
    (level,) = found.levels
    assert (level.on_hand, level.free) == (11, 11)
    assert level.counted_at is not None
    assert [entry.detail.endswith("late: a count has it already") for entry in found.timeline][-2:] == [True, False]


def test_the_command_takes_a_time_and_says_what_is_wrong_with_it(database: str, tmp_path: Path) -> None:
    run, environment = CliRunner(), {"DATABASE_URL": database, "CROSSDOCK_DATA": str(tmp_path)}
    wrong = run.invoke(build(["trace"]), ["trace", "CD-1", "--at", "noonish"], env=environment)
    assert (wrong.exit_code, "is no time" in wrong.output) == (2, True)
    unknown = run.invoke(build(["trace"]), ["trace", "CD-1", "--at", "2026-01-01T00:00:00Z"], env=environment)
    assert (unknown.exit_code, "nothing was known of SKU 'CD-1' at 2026-01-01 00:00:00 UTC" in unknown.output) == (
        1,
        True,
    )


def test_moments_are_times_or_ages() -> None:
    with set_clock(NOON):
        assert moment("15min") == moment("15 m") == NOON - timedelta(minutes=15)
        assert moment("2d") == NOON - timedelta(days=2)
    assert (
        moment("2026-11-23T13:00:00+01:00") == moment("2026-11-23T12:00:00") == moment("2026-11-23T12:00:00Z") == NOON
    )
    for wrong in ("", "yesterday", "999999d999", "2026-13-01"):
        with pytest.raises(typer.BadParameter):
            moment(wrong)
