# SPDX-License-Identifier: Apache-2.0
"""Stock is compared with three simulated systems that lose, double, mistake and delay what they tell."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from crossdock.app.reconciling import compared_systems, reconcile_rules
from crossdock.app.wiring import wire
from crossdock.canonical.master_data import Product, UnitConversion
from crossdock.canonical.money import Money
from crossdock.catalog.accept import accept_products
from crossdock.errors import Busy
from crossdock.inventory.compared import Difference, ReconcileRules
from crossdock.inventory.reconcile import ACCURACY, KIND, Asked, Report, reconcile
from crossdock.inventory.reconciled import comparisons, differences_of, kpi_history
from crossdock.journal.comparing import SQL
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.warehouse.opening import OpeningRequest, receive_opening
from crossdock.sandbox.warehouse.ship import MoveRequest, move_once, random_movements
from crossdock.triage.edit import edit, editable
from tests.flow.staging import Stage, staged

EAST, WEST = "DC-EAST", "DC-WEST"
RECONCILE = """\
inventory:
  reconcile: {heal_up_to: 5, truth: {DC-EAST: warehouse, DC-WEST: warehouse}, look_again_after: 1s}
"""


@pytest_asyncio.fixture
async def stage(pool: asyncpg.Pool, database: str, bus: Any, nats_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(pool, database, nats_url, tmp_path, lambda text: text + RECONCILE) as running:
        receive_opening(running.warehouse.warehouse, OpeningRequest(quantity=50, skus=6))
        for product in running.warehouse.catalog.products[:6]:
            for place in (EAST, WEST):
                running.erp.account.adjust(product.sku, place, 50)
        await running.rest()
        yield running


def sku(number: int) -> str:
    return f"CD-{number:05d}"


def move(stage: Stage, kind: str, number: int, quantity: int, tell: int = 1, **more: str) -> None:
    """Move goods in the warehouse, at EAST unless said otherwise, and tell of it `tell` times."""
    fields = {"type": kind, "sku": sku(number), "location": EAST, "quantity": quantity, "tell": tell, **more}
    request = msgspec.convert(fields, MoveRequest)
    move_once(stage.warehouse.warehouse, request)


async def compared(stage: Stage, only: str = "", **changes: Any) -> Report:
    """Compare at once, and call nothing late because it is of this minute."""
    wired = wire(stage.estate)
    said = reconcile_rules(wired.estate)
    rules = ReconcileRules(
        heal_units=said.heal_units,
        truth=said.truth,
        late_within=changes.pop("late_within", timedelta(0)),
        look_again_after=timedelta(0),
    )
    async with compared_systems(wired, only) as systems:
        report = await reconcile(stage.pool, systems, rules, Asked(by="test", **changes))
    await stage.rest()
    return report


def found(report: Report) -> dict[tuple[str, str, str], Difference]:
    return {(one.system, one.sku, one.location): one for result in report.systems for one in result.differences}


def told(report: Report) -> dict[tuple[str, str, str], tuple[str, str, int]]:
    """Class, action and amount of every difference."""
    return {key: (one.kind, one.action, int(one.amount)) for key, one in found(report).items()}


async def ours(stage: Stage, number: int, place: str = EAST) -> int:
    return int(
        await stage.pool.fetchval(
            "SELECT on_hand FROM stock_level WHERE sku = $1 AND location = $2", sku(number), place
        )
    )


async def test_equal_systems_are_accurate(stage: Stage) -> None:
    report = await compared(stage)
    assert told(report) == {}
    assert {one.system: (one.compared, one.equal) for one in report.systems} == {
        "warehouse": ({EAST: 40, WEST: 40}, {EAST: 40, WEST: 40}),
        "netsuite": ({EAST: 40, WEST: 40}, {EAST: 40, WEST: 40}),
        "shopify-us": ({EAST: 40, WEST: 40}, {EAST: 40, WEST: 40}),
    }
    async with stage.pool.acquire() as conn:
        points = await kpi_history(conn, ACCURACY, 100)
        (row,) = await comparisons(conn, 10)
    names = ("warehouse", "netsuite", "shopify-us")
    dimensions = ["", *names, *(f"{system}/{place}" for system in names for place in (EAST, WEST))]
    assert {point.dimension: point.value for point in points} == dict.fromkeys(dimensions, 1.0)
    assert (row.compared, row.equal, row.healed, row.cases, row.problems) == (240, 240, 0, 0, "")


async def test_every_fault_has_its_class_and_what_is_done_about_it(stage: Stage) -> None:
    async with stage.pool.acquire() as conn:
        product = Product(sku=sku(3), units=(UnitConversion(unit="CS", factor=Decimal(12)),))
        await accept_products(conn, [(None, product)])
        price = Product(sku=sku(6), price=Money(Decimal("2.50"), "USD"))
        await accept_products(conn, [(None, price)])
    move(stage, "adjustment", 1, -3, tell=0)
    move(stage, "receipt", 2, 4, tell=2, reference="ASN-2")
    stage.erp.account.adjust(sku(2), EAST, 8)
    stage.erp.account.adjust(sku(3), WEST, 550)
    move(stage, "receipt", 4, 25, reference="ASN-4")
    move(stage, "adjustment", 6, -20, tell=0, location=WEST)
    stage.erp.account.adjust(sku(6), WEST, -20)
    await stage.rest()
    report = await compared(stage)
    assert told(report) == {
        ("warehouse", sku(1), EAST): ("phantom", "counted", -3),
        ("warehouse", sku(2), EAST): ("missed_movement", "counted", -4),
        ("warehouse", sku(6), WEST): ("phantom", "case", -20),
        ("netsuite", sku(3), WEST): ("unit_mismatch", "case", 550),
        ("netsuite", sku(4), EAST): ("missed_movement", "case", -25),
        ("netsuite", sku(6), WEST): ("phantom", "case", -20),
    }
    reasons = {key: one.reason for key, one in found(report).items()}
    assert "twice" in reasons["warehouse", sku(2), EAST]
    assert "lack the receipt of +25" in reasons["netsuite", sku(4), EAST]
    assert [await ours(stage, 1), await ours(stage, 2), await ours(stage, 6, WEST)] == [47, 54, 50]
    cases = {(case["system"], case["rule"], case["owner"], case["money"]) for case in await stage.cases()}
    assert cases == {
        ("warehouse", "stock.difference.phantom", "wh", Decimal(50)),
        ("netsuite", "stock.difference.unit_mismatch", "erp", None),
        ("netsuite", "stock.difference.missed_movement", "erp", report_money(report, sku(4))),
        ("netsuite", "stock.difference.phantom", "erp", Decimal(50)),
    }
    assert await stage.balanced()


def report_money(report: Report, wanted: str) -> Decimal | None:
    return next(one.money for key, one in found(report).items() if key[1] == wanted)


async def test_what_was_counted_is_counted_once_and_the_lost_message_that_comes_at_last_changes_nothing(
    stage: Stage,
) -> None:
    move(stage, "adjustment", 1, -3, tell=0)
    lost = move_once(
        stage.warehouse.warehouse, MoveRequest(type="adjustment", sku=sku(2), location=EAST, quantity=-2, tell=0)
    )
    first, second = await compared(stage, "warehouse"), await compared(stage, "warehouse")
    assert {one.action for one in found(first).values()} == {"counted"}
    assert told(second) == {}
    assert [await ours(stage, 1), await ours(stage, 2)] == [47, 48]
    stage.warehouse.warehouse.tell_movements([lost])
    await stage.rest()
    assert await ours(stage, 2) == 48
    assert told(await compared(stage, "warehouse")) == {}
    counts = await stage.pool.fetch("SELECT source, quantity FROM stock_movement WHERE source = 'reconcile'")
    assert sorted(int(row["quantity"]) for row in counts) == [-3, -2]


async def test_a_store_that_shows_another_number_is_told_again(stage: Stage) -> None:
    stage.shop.store.set_by_hand(f"{sku(1)}@{EAST}", 99)
    await stage.pool.execute("UPDATE channel_stock SET told_at = told_at - interval '1 hour'")
    report = await compared(stage, "shopify-us")
    assert told(report) == {("shopify-us", sku(1), EAST): ("phantom", "told_again", 49)}
    await stage.until(lambda: stage.shop.store.levels[f"{sku(1)}@{EAST}"]["available"] == 50)
    assert await stage.cases() == []


async def test_a_late_event_settles_and_is_not_counted(stage: Stage) -> None:
    stage.warehouse.faults.add(Fault("late", count=1, seconds=1.5, match="stock"))
    move(stage, "adjustment", 1, -3)
    report = await compared(stage, "warehouse", late_within=timedelta(minutes=10))
    assert told(report) in ({("warehouse", sku(1), EAST): ("late_message", "", -3)}, {})
    assert told(await compared(stage, "warehouse")) == {}
    assert await stage.pool.fetchval("SELECT count(*) FROM stock_movement WHERE source = 'reconcile'") == 0


async def test_a_difference_that_is_gone_closes_its_case_and_one_that_stays_opens_no_second(stage: Stage) -> None:
    stage.erp.account.adjust(sku(1), EAST, -9)
    stage.erp.account.adjust(sku(2), EAST, 9)
    for _ in range(2):
        await compared(stage, "netsuite")
    assert [case["key"] for case in await stage.cases()] == [
        f"difference/netsuite/{sku(1)}@{EAST}",
        f"difference/netsuite/{sku(2)}@{EAST}",
    ]
    stage.erp.account.adjust(sku(1), EAST, 9)
    last = await compared(stage, "netsuite")
    assert told(last) == {("netsuite", sku(2), EAST): ("phantom", "case_open", 9)}
    assert [case["key"] for case in await stage.cases()] == [f"difference/netsuite/{sku(2)}@{EAST}"]
    async with stage.pool.acquire() as conn:
        (shown,) = await differences_of(conn, last.id, 10)
    assert (shown.ours, shown.theirs, shown.action) == (50, 59, "case_open")
    assert await stage.balanced()


async def test_a_person_takes_their_figure_over(stage: Stage) -> None:
    move(stage, "adjustment", 1, -30, tell=0)
    await compared(stage, "warehouse")
    (case,) = await stage.cases()
    assert (case["field"], case["value"]) == ("take", "-30")
    async with stage.pool.acquire() as conn:
        body = (await editable(conn, case["id"])).body
        edited = body.decode()[:-1] + ', "take": "theirs"}'
        async with conn.transaction():
            await edit(conn, case["id"], edited.encode(), by="ada", origin="cli", reason="counted by hand")
    await stage.rest()
    assert await ours(stage, 1) == 20
    assert await stage.cases() == []
    assert told(await compared(stage, "warehouse")) == {}


async def test_a_dry_run_changes_nothing_and_one_system_or_sku_can_be_asked(stage: Stage) -> None:
    move(stage, "adjustment", 1, -3, tell=0)
    move(stage, "adjustment", 2, -3, tell=0)
    report = await compared(stage, "warehouse", dry_run=True, skus=[sku(2)])
    assert told(report) == {("warehouse", sku(2), EAST): ("phantom", "counted", -3)}
    assert report.id == 0
    assert await stage.pool.fetchval("SELECT count(*) FROM reconciliation") == 0
    assert [await ours(stage, 1), await ours(stage, 2)] == [50, 50]
    only = await compared(stage, "warehouse", skus=[sku(1)])
    assert told(only) == {("warehouse", sku(1), EAST): ("phantom", "counted", -3)}
    assert [await ours(stage, 1), await ours(stage, 2)] == [47, 50]
    assert await stage.pool.fetchval("SELECT count(*) FROM kpi") == 0, "a part says nothing of the whole"


async def test_a_system_that_is_away_is_a_problem_and_the_others_are_compared(stage: Stage) -> None:
    stage.erp.faults.add(Fault("throttled"))
    report = await compared(stage, skus=[sku(1)])
    stage.erp.faults.faults.clear()
    by_system = {one.system: one for one in report.systems}
    assert not by_system["netsuite"].answered
    assert by_system["netsuite"].compared == {}
    assert by_system["warehouse"].equal == {EAST: 1, WEST: 1}


async def test_one_comparison_at_a_time(stage: Stage) -> None:
    async with stage.pool.acquire() as conn:
        assert await conn.fetchval(SQL.try_lock, KIND)
        with pytest.raises(Busy):
            await compared(stage)
        await conn.execute(SQL.unlock, KIND)


async def test_after_mending_nothing_is_left_whatever_was_lost(stage: Stage) -> None:
    rng = random.Random(7)
    for number in range(60):
        moved = random_movements(stage.warehouse.warehouse, rng, 6, 2)
        if number % 3:
            stage.warehouse.warehouse.tell_movements(moved)
    await stage.rest()
    rules = ReconcileRules(
        heal_units=Decimal(10_000),
        truth={EAST: "warehouse", WEST: "warehouse"},
        late_within=timedelta(0),
        look_again_after=timedelta(0),
    )
    async with compared_systems(wire(stage.estate), "warehouse") as systems:
        first = await reconcile(stage.pool, systems, rules, Asked(by="test"))
        await stage.rest()
        second = await reconcile(stage.pool, systems, rules, Asked(by="test"))
    assert first.equal < first.compared
    assert {one.action for one in found(first).values()} == {"counted"}
    assert (told(second), second.equal) == ({}, second.compared)
    levels = await stage.pool.fetch("SELECT sku, location, on_hand FROM stock_level")
    theirs = stage.stock()
    assert all(theirs[row["sku"], row["location"]] == row["on_hand"] for row in levels)
    wrong = await stage.pool.fetch(
        "SELECT sku, location FROM stock_level l WHERE on_hand <> (SELECT sum(on_hand) FROM stock_movement m"
        " WHERE m.sku = l.sku AND m.location = l.location)"
    )
    assert wrong == []
