# SPDX-License-Identifier: Apache-2.0
"""Forecasts replace each other whole; how fast SKUs sell is measured from orders, each counted once."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.canonical.stock import DemandForecast, ForecastPeriod
from crossdock.inventory.forecast import take_forecasts
from crossdock.inventory.measure_pace import FADES_IN, measure_pace
from crossdock.inventory.pace import read_paces
from crossdock.journal.decided import Decided
from crossdock.journal.record import Event, record_events
from tests.orders.making import catalog, translated

TODAY = datetime.now(UTC).date()
CHANNELS = ("shop", "portal")


def period(quantity: str = "70", **changes: Any) -> ForecastPeriod:
    given: dict[str, Any] = {"sku": "CD-1", "starts_on": TODAY, "days": 7, "quantity": Decimal(quantity)}
    return ForecastPeriod(**{**given, **changes})


async def taken(
    pool: asyncpg.Pool, *documents: tuple[int, list[ForecastPeriod]], first: int = 1, **claimed: Any
) -> list[Decided]:
    """Decide on versions of one forecast, in the order given; their documents are numbered from `first` on."""
    batch = [
        translated(
            DemandForecast(forecast_id="plan", source="planner", version=version, periods=tuple(periods)),
            "demand_forecast",
            number,
            **claimed,
        )
        for number, (version, periods) in enumerate(documents, first)
    ]
    async with pool.acquire() as conn, conn.transaction():
        return await take_forecasts(conn, batch, catalog("CD-1", "CD-2"), CHANNELS)


async def stands(pool: asyncpg.Pool) -> set[tuple[str, str, date, int, Decimal]]:
    rows = await pool.fetch("SELECT sku, channel, starts_on, days, quantity FROM demand_forecast")
    return {tuple(row) for row in rows}


async def test_a_later_version_replaces_the_forecast_whole_and_an_older_one_changes_nothing(pool: asyncpg.Pool) -> None:
    first, second = [period("70"), period("9", sku="CD-2", channel="shop")], [period("80", days=14)]
    assert [one.accepted for one in await taken(pool, (1, first))] == [True]
    assert await stands(pool) == {("CD-1", "", TODAY, 7, Decimal(70)), ("CD-2", "shop", TODAY, 7, Decimal(9))}
    assert [one.accepted for one in await taken(pool, (2, second))] == [True]
    old, same = await taken(pool, (1, first), (2, first))
    assert (old.duplicate, same.duplicate) == (True, True)
    assert old.note == "version 1 of forecast plan is not newer than 2"
    assert await stands(pool) == {("CD-1", "", TODAY, 14, Decimal(80))}


async def test_a_source_that_counts_no_versions_always_says_the_newest(pool: asyncpg.Pool) -> None:
    await taken(pool, (0, [period("1")]), (0, [period("2")]))
    assert {row[4] for row in await stands(pool)} == {Decimal(2)}


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (period(sku="NONE"), "forecast.sku_known"),
        (period(channel="mars"), "forecast.channel_known"),
        (period("-1"), "forecast.quantity"),
        (period(days=0), "forecast.days"),
        (period(days=367), "forecast.days"),
        (period("NaN"), "forecast.quantity"),
        (period("71"), "forecast.twice"),
    ],
)
async def test_a_bad_period_becomes_a_part_and_the_others_stand(
    pool: asyncpg.Pool, bad: ForecastPeriod, rule: str
) -> None:
    (decided,) = await taken(pool, (1, [period(), bad]))
    assert [(part.ordinal, part.error.rule) for part in decided.parts] == [(2, rule)]
    assert decided.note == "1 of 2 periods taken"
    assert await stands(pool) == {("CD-1", "", TODAY, 7, Decimal(70))}


async def test_a_part_that_was_mended_adds_to_what_stands_unless_that_is_newer(pool: asyncpg.Pool) -> None:
    await taken(pool, (1, [period("1")]))
    await taken(pool, (2, [period()]), first=2)
    (mended,) = await taken(pool, (2, [period("5", sku="CD-2")]), first=3, parent_id=2)
    assert (mended.accepted, mended.duplicate) == (False, False)
    (late,) = await taken(pool, (1, [period("6", sku="CD-2", channel="shop")]), first=4, parent_id=1)
    assert late.duplicate
    assert await stands(pool) == {("CD-1", "", TODAY, 7, Decimal(70)), ("CD-2", "", TODAY, 7, Decimal(5))}


async def test_a_mended_part_of_a_plan_without_versions_does_not_add_to_the_plan_that_replaced_it(
    pool: asyncpg.Pool,
) -> None:
    await taken(pool, (0, [period("1")]), (0, [period("2")]))
    (late,) = await taken(pool, (0, [period("9", sku="CD-2")]), first=7, parent_id=1)
    assert (late.duplicate, late.note) == (
        True, "forecast plan as document 1 brought it does not stand any more"
    )  # fmt: skip
    for number, sku in enumerate(("CD-2", "CD-1"), 8):
        (mended,) = await taken(pool, (0, [period("5", sku=sku, channel="shop")]), first=number, parent_id=2)
        assert not mended.duplicate, "every part of the plan that stands adds to it"
    assert {(row[0], row[4]) for row in await stands(pool)} == {
        ("CD-1", Decimal(2)),
        ("CD-2", Decimal(5)),
        ("CD-1", Decimal(5)),
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
async def test_in_any_order_the_highest_version_stands(pool: asyncpg.Pool, versions: list[int]) -> None:
    await pool.execute("TRUNCATE forecast, demand_forecast")
    for version in versions:
        await taken(pool, (version, [period(str(version))]))
    assert {row[4] for row in await stands(pool)} == {Decimal(max(versions))}


async def test_todays_forecast_is_a_pace(pool: asyncpg.Pool) -> None:
    ended = period("700", starts_on=TODAY - timedelta(days=7))
    later = period("700", starts_on=TODAY + timedelta(days=1), sku="CD-2")
    await taken(pool, (1, [period("70"), period("35", channel="shop", days=7), ended, later]))
    async with pool.acquire() as conn:
        paces, _ = await read_paces(conn)
    assert {sku: pace.forecast for sku, pace in paces.items()} == {"CD-1": pytest.approx(15 / 86400)}


async def _sell(pool: asyncpg.Pool, number: int, quantity: int, seconds_ago: float, channel: str = "shop") -> None:
    key = f"{channel}/{number}"
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(
            "INSERT INTO sales_order (order_key, number, channel, entity, customer_id, status, version, currency,"
            " total, document_id, content, erp, placed_at, decision)"
            " VALUES ($1, $1, $2, 'us', 'C', 'open', 1, 'USD', 1, 1, 1, 'erp', $3, '')",
            key,
            channel,
            at,
        )
        await conn.execute(
            "INSERT INTO allocation (reference, line, sku, location, order_key, quantity)"
            " VALUES ($1, '1', 'CD-1', 'EAST', $1, $2)",
            key,
            quantity,
        )
        event = Event(type="sales_order.accepted", key=f"order/{key}", document_id=1, data=b"{}")
        await record_events(conn, [event])
        await conn.execute("UPDATE event SET at = $2 WHERE key = $1", f"order/{key}", at)


async def _measured(pool: asyncpg.Pool) -> dict[tuple[str, str], float]:
    while await measure_pace(pool):
        pass
    rows = await pool.fetch("SELECT channel, sku, rate FROM sales_rate")
    return {(row["channel"], row["sku"]): row["rate"] for row in rows}


async def test_sales_fade_by_their_age_and_count_once(pool: asyncpg.Pool) -> None:
    assert await _measured(pool) == {}
    await _sell(pool, 1, 10, 0)
    await _sell(pool, 2, 20, FADES_IN)
    await _sell(pool, 3, 5, 0, channel="portal")
    await _sell(pool, 4, 5, 100 * FADES_IN, channel="old")
    found = await _measured(pool)
    assert found["shop", "CD-1"] == pytest.approx((10 + 20 / math.e) / FADES_IN, rel=0.01)
    assert found["portal", "CD-1"] == pytest.approx(5 / FADES_IN, rel=0.01)
    assert ("old", "CD-1") not in found, "sold days ago while nobody measured"
    assert await _measured(pool) == found, "nothing is counted twice"
    await pool.execute("UPDATE sales_rate SET at = at - $1 * interval '1 second'", FADES_IN)
    faded = await _measured(pool)
    assert faded["portal", "CD-1"] == pytest.approx(5 / FADES_IN / math.e, rel=0.01)


async def test_a_backlog_is_worked_off_page_by_page(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossdock.inventory.measure_pace.PAGE", 3)
    for number in range(8):
        await _sell(pool, number, 1, 0)
    found = await _measured(pool)
    assert found == {("shop", "CD-1"): pytest.approx(8 / FADES_IN, rel=0.01)}
