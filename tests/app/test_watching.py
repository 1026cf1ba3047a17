# SPDX-License-Identifier: Apache-2.0
"""What the scheduler does of itself: it compares stock and writes planning files as often as the estate says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from crossdock.app.planning import watch_planning
from crossdock.app.prepare import prepare
from crossdock.app.reconciling import watch_stock
from crossdock.app.reconciling_prices import watch_prices
from crossdock.app.wiring import Wired, wire
from crossdock.runtime.postgres import open_pool
from tests.app.estates import idle_estate

Watch = Callable[[asyncio.Event, asyncpg.Pool, Wired], Awaitable[None]]


@asynccontextmanager
async def watched(watch: Watch, pool: asyncpg.Pool, wired: Wired) -> AsyncIterator[asyncio.Task[None]]:
    """`watch` runs during the block, and ends when it is told to."""
    stop = asyncio.Event()
    task = asyncio.ensure_future(watch(stop, pool, wired))
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


async def until(held: Callable[[], Awaitable[Any]]) -> None:
    """Return when `held()` is true; TimeoutError after a minute."""
    async with asyncio.timeout(60):
        while True:
            if await held():
                return
            await asyncio.sleep(0.05)


async def _estate(folder: Path, database: str, text: str) -> Wired:
    file = idle_estate(folder)
    for name in ("shop", "warehouse"):
        for what in ("secret", "token"):
            (folder / f"{name}.{what}").write_text("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "utf-8")
    file.write_text(file.read_text("utf-8") + text, "utf-8")
    wired = wire(file)
    await prepare(database, wired)
    return wired


async def test_stock_is_compared_when_it_is_due_and_not_before(
    pool: asyncpg.Pool, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody answers at the addresses of this estate, and nobody waits for them.
    monkeypatch.setattr("crossdock.sdk.listing.TRIES", 1)
    wired = await _estate(tmp_path, database, "inventory: {reconcile: {every: 1h}}\n")

    async def runs() -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await pool.fetch(
            "SELECT asked_by, problems FROM reconciliation WHERE finished_at IS NOT NULL ORDER BY id"
        )
        return found

    async def two() -> bool:
        return len(await runs()) == 2

    async with watched(watch_stock, pool, wired):
        await until(runs)
        await pool.execute("UPDATE reconciliation SET started_at = started_at - interval '59 minutes 59 seconds'")
        await until(two)
    assert {row["asked_by"] for row in await runs()} == {"schedule"}
    assert all(
        f"{name}: could not be asked" in row["problems"] for row in await runs() for name in ("netsuite", "warehouse")
    )


async def test_prices_are_compared_when_it_is_due(
    pool: asyncpg.Pool, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.sdk.listing.TRIES", 1)
    said = "price_publication: {shopify-us: {}}\npricing: {reconcile: {every: 1h}}\n"
    wired = await _estate(tmp_path, database, said)

    async def runs() -> Any:
        return await pool.fetch("SELECT kind, problems FROM reconciliation WHERE finished_at IS NOT NULL")

    async with watched(watch_prices, pool, wired):
        await until(runs)
    ((kind, problems),) = await runs()
    assert kind == "prices"
    assert problems.startswith("shopify-us: could not be asked")


async def test_an_absent_database_ends_no_watch(database: str, tmp_path: Path) -> None:
    wired = await _estate(
        tmp_path,
        database,
        "inventory: {reconcile: {every: 1h}}\nplanning: {folder: out, every: 1h}\npricing: {reconcile: {every: 1h}}\n",
    )
    closed = await open_pool(database, max_size=1)
    await closed.close()
    watches = (
        (watch_stock, "reconcile.later"),
        (watch_planning, "planning.engine_away"),
        (watch_prices, "prices.compared_later"),
    )
    for watch, event in watches:
        with capture_logs() as logs:

            async def told(event: str = event) -> bool:
                return any(one["event"] == event for one in logs)

            async with watched(watch, closed, wired) as task:
                await until(told)
                assert not task.done()


@pytest.mark.parametrize("text", ["", "inventory: {}\n"])
async def test_what_the_estate_does_not_ask_for_is_not_watched(
    pool: asyncpg.Pool, database: str, tmp_path: Path, text: str
) -> None:
    wired = await _estate(tmp_path, database, text)
    for watch in (watch_stock, watch_planning, watch_prices):
        await watch(asyncio.Event(), pool, wired)


async def test_planning_files_are_written_again_and_a_disk_that_refuses_is_said(
    pool: asyncpg.Pool, database: str, tmp_path: Path
) -> None:
    text = "inventory: {}\nplanning: {folder: out, every: 1s}\n"
    wired = await _estate(tmp_path, database, text)
    out = tmp_path / "out"
    out.write_text("in the way", "utf-8")
    file = out / "availability.csv"

    async def there() -> bool:
        return file.exists()

    with capture_logs() as logs:

        async def told() -> bool:
            return any(one["event"] == "planning.not_written" for one in logs)

        async with watched(watch_planning, pool, wired):
            await until(told)
            out.unlink()
            await until(there)
            file.unlink()
            await until(there)
    reasons = {one["reason"] for one in logs if one["event"] == "planning.not_written"}
    assert reasons == {f"{file} cannot be written: File exists"}
    assert not [one for one in logs if one["event"] == "planning.engine_away"]
