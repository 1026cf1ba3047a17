# SPDX-License-Identifier: Apache-2.0
"""A channel is told the newest level of each SKU, stock-outs at once, and again when it could not be told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from crossdock.delivery import stock
from crossdock.errors import NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.manifest import Sends
from tests.delivery.scripted import SALES_ORDER, Owed, Scripted, driven, failed, system, until
from tests.inventory.test_apply import entered, movement

LEVELS = Sends(operation="stock_levels", object="stock_level", batch=250, idempotency="absolute")


@pytest.fixture
def sender() -> Scripted:
    return Scripted()


def shop(sender: Scripted, *operations: Sends, **changes: Any) -> Any:
    return system(sender, *(operations or (LEVELS,)), name="shop", publishes_stock=True, **changes)


def told(sender: Scripted) -> list[dict[str, tuple[int, int]]]:
    """Per call: SKU → quantity and safety."""
    return [
        {item.document.sku: (int(item.document.on_hand), int(item.document.safety)) for item in batch}
        for batch in sender.batches
        if batch[0].operation == "stock_levels"
    ]


async def clean(pool: asyncpg.Pool) -> bool:
    return not await pool.fetchval("SELECT count(*) FROM channel_stock WHERE system = 'shop' AND dirty")


async def test_only_the_newest_level_travels_in_one_call(pool: asyncpg.Pool, sender: Scripted) -> None:
    for number in range(30):
        await entered(pool, [movement(f"a{number}", "1"), movement(f"b{number}", "2", sku="CD-2")])
    async with driven(pool, shop(sender, safety=3)):
        await until(lambda: clean(pool))
    assert told(sender) == [{"CD-1": (30, 3), "CD-2": (60, 3)}]
    rows = await pool.fetch("SELECT sku, told FROM channel_stock WHERE system = 'shop' ORDER BY sku")
    assert [tuple(row) for row in rows] == [("CD-1", Decimal(30)), ("CD-2", Decimal(60))]


async def test_a_stock_out_does_not_wait(pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "QUIET_SECONDS", 3600.0)
    monkeypatch.setattr(stock, "LONGEST_WAIT", 3600.0)
    await entered(
        pool, [movement("m1", "10"), movement("m2", "5", sku="CD-2"), movement("m3", "-5", "ship", sku="CD-2")]
    )
    await entered(pool, [movement("m4", "-10", "ship")])
    async with driven(pool, shop(sender)):
        await until(lambda: clean_of(pool, "CD-1"))
    assert told(sender) == [{"CD-1": (0, 0)}]


async def clean_of(pool: asyncpg.Pool, sku: str) -> bool:
    dirty = await pool.fetchval("SELECT dirty FROM channel_stock WHERE system = 'shop' AND sku = $1", sku)
    return dirty is False


async def test_a_level_that_moves_while_it_is_told_is_told_again(pool: asyncpg.Pool, sender: Scripted) -> None:
    await entered(pool, [movement("m1", "10")])
    moved = False

    async def move_once(operation: str, batch: Any) -> Any:
        nonlocal moved
        if not moved:
            moved = True
            await entered(pool, [movement("m2", "1")])
        return await answer(operation, batch)

    answer, sender.send = sender.send, move_once  # type: ignore[method-assign]  # the script for this one test
    async with driven(pool, shop(sender)):
        await until(lambda: clean(pool))
    assert told(sender) == [{"CD-1": (10, 0)}, {"CD-1": (11, 0)}]


@pytest.mark.parametrize("error", [RetryLater("429", throttled=True, after=0.1), RetryLater("503", after=0.1)])
async def test_a_failed_call_is_made_again_with_what_is_true_then(
    pool: asyncpg.Pool, sender: Scripted, error: RetryLater
) -> None:
    sender.script["CD-1@EAST"] = [failed(error)]
    await entered(pool, [movement("m1", "10")])
    async with driven(pool, shop(sender)):
        await until(lambda: len(sender.batches) >= 2)
        await entered(pool, [movement("m2", "1")])
        sender.script.clear()
        await until(lambda: clean(pool))
    assert told(sender)[0] == {"CD-1": (10, 0)}
    assert told(sender)[-1] == {"CD-1": (11, 0)}


@pytest.mark.parametrize("error", [NeedsEdit("no such item"), OutcomeUnknown("cut"), ValueError("a bug")])
async def test_one_level_that_cannot_be_told_keeps_its_reason_and_stops_no_other(
    pool: asyncpg.Pool, sender: Scripted, error: Exception
) -> None:
    one_a_call = Sends(operation="stock_levels", object="stock_level", batch=1, idempotency="absolute")
    sender.script["CD-1@EAST"] = [error if isinstance(error, ValueError) else failed(error)]
    await entered(pool, [movement("m1", "10"), movement("m2", "5", sku="CD-2")])
    async with driven(pool, shop(sender, one_a_call)):
        await until(lambda: clean_of(pool, "CD-2"))
        await until(lambda: problem(pool, "CD-1"))
    row = await pool.fetchrow(
        "SELECT problem, dirty, not_before > now() FROM channel_stock WHERE sku = 'CD-1' AND system = 'shop'"
    )
    assert str(getattr(error, "reason", error)) in row["problem"]
    assert tuple(row)[1:] == (True, True)


async def problem(pool: asyncpg.Pool, sku: str) -> bool:
    return bool(await pool.fetchval("SELECT problem FROM channel_stock WHERE system = 'shop' AND sku = $1", sku))


async def test_deliveries_and_levels_go_on_after_the_breaker_was_open(pool: asyncpg.Pool, sender: Scripted) -> None:
    """A breaker whose probe finds nothing to send but levels must not stay half-open for good."""
    owed = Owed(pool)
    for number in range(5):
        sender.script[f"F{number}"] = [failed(RetryLater("503", after=2.0))]
        await owed.order(f"F{number}", {"system": "shop"})
    async with driven(pool, shop(sender, LEVELS, SALES_ORDER)):
        await until(lambda: breaker(pool, "open"))
        sender.script.clear()
        for number in range(10):
            await entered(pool, [movement(f"m{number}", "1")])
        await until(lambda: clean(pool))
        await entered(pool, [movement("last", "1")])
        await until(lambda: clean(pool))
        await until(owed.at_rest)
    assert set((await owed.states()).values()) == {"delivered"}
    assert told(sender)[-1] == {"CD-1": (11, 0)}


async def breaker(pool: asyncpg.Pool, state: str) -> bool:
    return bool(await pool.fetchval("SELECT breaker = $1 FROM system_lease WHERE system = 'shop'", state))
