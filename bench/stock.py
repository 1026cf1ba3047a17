# SPDX-License-Identifier: Apache-2.0
"""Stock: signed movements into gateway and worker, how fast they are in ledger and levels, and whether a store with a
rate limit ends up with the newest level of every SKU in as few calls as can be."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Any

import asyncpg

from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.movements import Levels, Movement, by_chance, effect, events, opening, requests
from bench.orders import store
from bench.pour import pour_apart
from bench.stand import LOOPBACK, crossdock_up, work_folder
from bench.usage import OWN, MemoryPeak, cpu_by_part, spent, total
from crossdock.app.demo.control import Control
from crossdock.app.demo.stage import Stage, staged
from crossdock.runtime.embedded.state import discover
from crossdock.runtime.processes import step_port
from crossdock.settings import Settings

NAME = "stock"
# The smallest plan: 2,000 cost points, 100 of them back each second.
STANDARD = {"shopify": {"bucket": 2_000.0, "restore": 100.0}}
COUNT, SKUS = 20_000, 2_000
LEVELS_PER_CALL = 250
"""Shopify: at most 250 quantities per call."""
PATIENCE = 180.0
UNDECIDED = "SELECT EXISTS (SELECT FROM document WHERE state IN ('received', 'retry'))"
UNTOLD = """
SELECT EXISTS (
    SELECT FROM publication p WHERE p.waiting > 0 OR EXISTS (
        SELECT FROM event e
        WHERE e.type = 'inventory.level.changed' AND (e.xid, e.id) > (p.followed_xid, p.followed_id)
    )
)
"""
LEVELS = "SELECT sku, location, on_hand::bigint AS on_hand FROM stock_level"
LAG = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM told_at - changed_at))::float8 AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM told_at - changed_at))::float8 AS p99
FROM told_stock WHERE told_at >= to_timestamp($1)
"""


async def run(plan: Plan, say: Say) -> Finding:
    """A few rounds of movements over the same SKUs."""
    count, skus = (5_000, 500) if plan.quick else (COUNT, SKUS)
    rounds = []
    with work_folder() as folder:
        async with staged(folder / "estate", seed=1, products=skus, tune=STANDARD) as stage:
            port = step_port(LOOPBACK, 18480)
            async with crossdock_up(stage.estate, folder / "data", port, stage.environment) as (child, url):
                endpoints = discover(Settings(data=folder / "data"))
                assert endpoints is not None
                conn = await asyncpg.connect(endpoints.database_url)
                control = Control(stage.urls)
                yard = Yard(folder, stage, child.pid, url, conn, control)
                try:
                    await yard.open()
                    say("opening stock is told")
                    with MemoryPeak(child.pid) as memory:
                        for number in range(1, plan.rounds + 1):
                            rounds.append(await yard.round(count, first=number * count))
                            last = rounds[-1]
                            say(f"round {number}: {last['applied']:,.0f} movements/s, {last['calls']:.0f} calls")
                finally:
                    await control.close()
                    await conn.close()
    return _finding(count, skus, medians(rounds), memory)


class Yard:
    """The stock under measurement: what it must be by our own count, and what Crossdock and the store say it is."""

    def __init__(
        self, folder: Path, stage: Stage, root: int, url: str, conn: asyncpg.Connection, control: Control
    ) -> None:
        self._folder, self._stage, self._root, self._url = folder, stage, root, url
        self._conn, self._control = conn, control
        self._levels: Levels = Levels()

    async def open(self) -> None:
        """Receive the opening stock of every SKU everywhere, so that levels are above zero, where a shop's are."""
        await self._pour(opening(self._stage.catalog, first=900_000_000), first=900_000_000)

    async def round(self, count: int, *, first: int) -> dict[str, float]:
        """Pour `count` movements by chance in."""
        return await self._pour(by_chance(self._stage.catalog, count, first=first), first=first)

    async def _pour(self, movements: list[Movement], *, first: int) -> dict[str, float]:
        """Pour `movements` in, wait for the ledger, then for the store; check every level."""
        changed, count = effect(movements), len(movements)
        self._levels.update(changed)
        bodies = events(movements)
        secret = self._stage.environment["DEMO_WAREHOUSE_SECRET"]
        file = store(self._folder / "requests", requests(bodies, secret, first=first))
        calls, before = await self._calls(), cpu_by_part(self._root)
        poured = await pour_apart(self._url, file, connections=8)
        await self._until_not(UNDECIDED, 0.01)
        applied = time.time() - poured.began
        await self._until_not(UNTOLD, 0.1)
        told = time.time() - poured.began
        after = cpu_by_part(self._root)
        used = spent(before, after, count)
        lag = await self._conn.fetchrow(LAG, poured.began)
        made = {name: value - calls[name] for name, value in (await self._calls()).items()}
        fewest = math.ceil(len(changed) / LEVELS_PER_CALL)
        return {
            **used,
            "cpu": total(used),
            "applied": count / applied,
            "told": told,
            "calls": made["set"],
            "lookups": made["all"] - made["set"],
            "fewest": fewest,
            "ratio": made["set"] / fewest,
            "p50": lag["p50"],
            "p99": lag["p99"],
            "wrong": await self._wrong(),
            "changed": len(changed),
        }

    async def _until_not(self, sql: str, pause: float) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self._conn.fetchval(sql):  # noqa: ASYNC110 - a table tells nobody
                await asyncio.sleep(pause)

    async def _calls(self) -> dict[str, int]:
        counts: dict[str, Any] = await self._control.get("shopify", "counts")
        counters = counts["counters"]
        names = ("inventory.sets", "inventory.replays", "inventory.refused", "throttled")
        return {"all": counts["requests"], "set": sum(counters.get(name, 0) for name in names)}

    async def _wrong(self) -> int:
        """Levels that are not what was counted here, in the ledger or at the store, which takes none below 0."""
        ours = {(row["sku"], row["location"]): row["on_hand"] for row in await self._conn.fetch(LEVELS)}
        shown = (await self._control.get("shopify", "levels"))["levels"]
        theirs = {(row["sku"], row["location"]): row["set_to"] for row in shown if row["set_to"] is not None}
        return sum(
            1
            for key, level in self._levels.items()
            if ours.get(key, 0) != level or int(theirs.get(key, 0)) != max(level, 0)
        )


def _finding(count: int, skus: int, mid: dict[str, float], memory: MemoryPeak) -> Finding:
    return Finding(
        name=NAME,
        title=f"{count:,} signed stock movements over {skus:,} SKUs at two locations, 500 an event",
        figures=(
            Figure("levels changed", mid["changed"], "", "SKU at a location"),
            Figure("everything told to the store after", mid["told"], "s"),
            Figure("a level's change to the store's answer p50", mid["p50"], "s", "levels come to rest before they go"),
            Figure("a level's change to the store's answer p99", mid["p99"], "s"),
            Figure("calls that set levels, refused ones too", mid["calls"], "", f"fewest {mid['fewest']:.0f}"),
            Figure("other calls", mid["lookups"], "", "SKUs are looked up once"),
            *(Figure(f"CPU of {part}", mid[part], "s per 1,000") for part in OWN),
            Figure("CPU of Crossdock and PostgreSQL", mid["cpu"], "s per 1,000"),
            Figure("peak memory of everything", memory.megabytes, "MB", str(memory)),
        ),
        checks=(
            Check(label="applied to ledger and levels", value=mid["applied"], unit="/s", at_least=10_000),
            Check(label="calls / fewest possible", value=mid["ratio"], at_most=1.2),
            Check(label="levels lost or not the newest", value=mid["wrong"], at_most=0),
        ),
    )
