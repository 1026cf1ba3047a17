# SPDX-License-Identifier: Apache-2.0
"""Growth: applying movements, reading levels, asking what was believed: on a large ledger and on a hundredth of it."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg

from bench.figures import Check, Figure, Finding, Plan, Say
from bench.stand import work_folder
from bench.warehouse import Size, Store, applied, batches, engines, sku, store
from crossdock.inventory.lock import SQL
from crossdock.inventory.past import past_levels

NAME = "growth"
LARGE = Size(skus=100_000, locations=20, rows=10_000_000)
SMALL = Size(skus=1_000, locations=20, rows=100_000)
QUICK = (Size(skus=4_000, locations=20, rows=160_000), Size(skus=1_000, locations=20, rows=40_000))
MOVEMENTS, READS, SKUS_A_READ, PASTS = 10_000, 100, 50, 20
KEPT = 0.85


async def run(plan: Plan, say: Say) -> Finding:
    """Both ledgers side by side in one server, asked in turns, so that whatever else the machine does hits both."""
    sizes = QUICK if plan.quick else (LARGE, SMALL)
    movements = 2_000 if plan.quick else MOVEMENTS
    rates: dict[str, list[float]] = {"apply large": [], "apply small": [], "read large": [], "read small": []}
    with work_folder() as folder:
        async with engines(folder) as url, AsyncExitStack() as stack:
            began = time.perf_counter()
            large = await stack.enter_async_context(store(url, "large", sizes[0]))
            small = await stack.enter_async_context(store(url, "small", sizes[1]))
            say(f"{sizes[0]} and {sizes[1]} made in {time.perf_counter() - began:,.0f} s")
            for number in range(2 * plan.rounds + 1):
                for name, one in (("large", large), ("small", small)):
                    rate = await applied(one, batches(one.size, movements, seed=100 + number))
                    reads = await _reads(one, seed=number)
                    # The first turn warms caches and plans.
                    if number:
                        rates[f"apply {name}"].append(rate)
                        rates[f"read {name}"].append(reads)
                if number:
                    say(f"turn {number}: " + ", ".join(f"{name} {rates[name][-1]:,.0f}/s" for name in rates))
            pasts = {count: await _pasts(large, count) for count in (1, 50, 500)}
    return _finding(sizes, movements, rates, pasts)


async def _timed(times: int, ask: Callable[[], Awaitable[object]]) -> list[float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await ask()
        taken.append(time.perf_counter() - began)
    return taken


async def _reads(one: Store, seed: int) -> float:
    """SKUs a second whose levels at every location are read, many SKUs a call."""
    rng = random.Random(seed)

    async def ask() -> None:
        skus = [sku(rng.randrange(one.size.skus)) for _ in range(SKUS_A_READ)]
        async with one.pool.acquire() as conn:
            rows = await conn.fetch(SQL.levels_of_skus, skus)
        if len(rows) != len(set(skus)) * one.size.locations:
            raise RuntimeError(f"{len(rows)} levels of {len(set(skus))} SKUs at {one.size.locations} locations")

    return READS * SKUS_A_READ / sum(await _timed(READS, ask))


async def _pasts(one: Store, count: int) -> float:
    """Seconds that the levels of `count` SKUs take, as they were believed to be in the middle of the ledger."""
    rng = random.Random(count)
    at = datetime.now(UTC) - timedelta(seconds=one.size.rows / 2)

    async def ask() -> None:
        async with one.pool.acquire() as conn:
            found = await _past(conn, [sku(rng.randrange(one.size.skus)) for _ in range(count)], at)
        if not found:
            raise RuntimeError("nothing was believed of these SKUs")

    return median(await _timed(PASTS, ask))


async def _past(conn: asyncpg.Connection, skus: list[str], at: datetime) -> int:
    return len(await past_levels(conn, skus, at))


def _finding(
    sizes: tuple[Size, Size], movements: int, rates: dict[str, list[float]], pasts: dict[int, float]
) -> Finding:
    middle = {name: median(one) for name, one in rates.items()}

    def kept(what: str) -> float:
        return middle[f"{what} large"] / middle[f"{what} small"]

    return Finding(
        name=NAME,
        title=f"{sizes[0]}, against {sizes[1]}; {movements:,} movements a turn",
        figures=(
            Figure("movements applied, large", middle["apply large"], "/s"),
            Figure("movements applied, small", middle["apply small"], "/s"),
            Figure("SKUs read, large", middle["read large"], "/s", f"{SKUS_A_READ} a call, every location"),
            Figure("SKUs read, small", middle["read small"], "/s"),
            Figure("what we believed of 500 SKUs", pasts[500], "s"),
        ),
        checks=(
            Check(label="applying keeps", value=kept("apply"), at_least=KEPT),
            Check(label="reading keeps", value=kept("read"), at_least=KEPT),
            Check(label="what we believed of one SKU", value=pasts[1], unit="s", at_most=1.0),
            Check(label="what we believed of 50 SKUs", value=pasts[50], unit="s", at_most=1.0),
        ),
    )
