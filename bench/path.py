# SPDX-License-Identifier: Apache-2.0
"""The whole path: CPU seconds of Crossdock and its PostgreSQL per 1,000 orders settled in the simulated ERP and
warehouse, against a bare script that decodes, inserts and posts the same bodies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from bench.bare_script import Spent
from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.orders import bodies, requests, store
from bench.pour import pour_apart
from bench.stand import LOOPBACK, answering, apart, crossdock_up, process, work_folder
from bench.usage import OWN, MemoryPeak, cpu_by_part, spent, total
from crossdock.app.demo.control import Control
from crossdock.app.demo.stage import Stage, staged
from crossdock.runtime.embedded import Engines
from crossdock.runtime.embedded.state import discover
from crossdock.runtime.processes import step_port
from crossdock.settings import Settings

NAME = "path"
PRODUCTS = 200
PATIENCE = 300.0
TUNE: Mapping[str, Mapping[str, Any]] = {"warehouse": {"rate": 100_000.0, "burst": 100_000.0}}
"""The simulated warehouse does not throttle; the ERP keeps its 15 calls at once."""
SETTLED = "SELECT count(*) FROM document WHERE kind = 'sales_order' AND state = 'settled'"
LAG = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM settled_at - received_at))::float8 AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM settled_at - received_at))::float8 AS p99
FROM document WHERE kind = 'sales_order' AND state = 'settled' AND received_at >= to_timestamp($1)
"""


async def run(plan: Plan, say: Say) -> Finding:
    """Crossdock and the bare script in turns, each with a PostgreSQL of its own with equal settings."""
    count = 1_000 if plan.quick else 4_000
    rounds: list[dict[str, float]] = []
    with work_folder() as folder:
        async with staged(folder / "estate", seed=1, products=PRODUCTS, locations=1, tune=TUNE) as stage:
            port = step_port(LOOPBACK, 18480)
            async with (
                crossdock_up(stage.estate, folder / "data", port, stage.environment) as (child, url),
                Stretch(folder, stage, child.pid, url) as path,
            ):
                await path.settle(200, first=900_000_000)
                say("warm")
                with MemoryPeak(child.pid) as memory:
                    for number in range(1, plan.rounds + 1):
                        ours = await path.settle(count, first=number * count)
                        bare = await _bare(folder, stage, count, first=number * count)
                        rounds.append({**ours, **bare, "ratio": ours["cpu"] / bare["bare"]})
                        say(f"round {number}: {ours['cpu']:.2f} CPU s per 1,000, bare {bare['bare']:.2f}")
    return _finding(count, medians(rounds), memory)


class Stretch:
    """The path under measurement."""

    def __init__(self, folder: Path, stage: Stage, root: int, url: str) -> None:
        self._folder, self._stage, self._root, self._url = folder, stage, root, url
        self._control = Control(stage.urls)
        self._settled = 0

    async def __aenter__(self) -> Stretch:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._control.close()

    async def settle(self, count: int, *, first: int) -> dict[str, float]:
        """Pour `count` orders in and wait until ERP, warehouse and journal all say that they are settled."""
        made = bodies(self._stage.catalog, count, first=first)
        secret = self._stage.environment["DEMO_SHOPIFY_SECRET"]
        file = store(self._folder / "requests", requests(made, secret, first=first))
        before, began, at = cpu_by_part(self._root), time.perf_counter(), time.time()
        poured = await pour_apart(self._url, file)
        self._settled += count
        await self._until_settled()
        seconds, after = time.perf_counter() - began, cpu_by_part(self._root)
        used = spent(before, after, count)
        p50, p99 = await self._fetch(LAG, at)
        return {
            **used,
            "cpu": total(used),
            "rate": count / seconds,
            "taken": count / poured.seconds,
            "p50": p50,
            "p99": p99,
        }

    async def _until_settled(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await self._all_settled():  # noqa: ASYNC110 - the simulators tell nobody
                await asyncio.sleep(0.2)

    async def _all_settled(self) -> bool:
        erp = (await self._control.get("netsuite", "counts"))["sales_orders"]
        orders = (await self._control.get("warehouse", "counts"))["fulfillment_orders"]
        if erp < self._settled or orders < self._settled:
            return False
        (settled,) = await self._fetch(SETTLED)
        return settled >= self._settled

    async def _fetch(self, sql: str, *given: object) -> tuple[float, ...]:
        endpoints = discover(Settings(data=self._folder / "data"))
        assert endpoints is not None
        conn = await asyncpg.connect(endpoints.database_url)
        try:
            return tuple(await conn.fetchrow(sql, *given))
        finally:
            await conn.close()


async def _bare(folder: Path, stage: Stage, count: int, *, first: int) -> dict[str, float]:
    """The bare script's CPU seconds per 1,000, its PostgreSQL's among them."""
    file = store(folder / "bodies", bodies(stage.catalog, count, first=first))
    port = step_port(LOOPBACK, 18680)
    sink = f"http://{LOOPBACK}:{port}/"
    # A NATS URL that nobody uses: only PostgreSQL is started.
    settings = Settings(data=folder / "bare", nats_url=f"nats://{LOOPBACK}:1")
    async with (
        Engines.start(settings, watch=False) as engines,
        process("bench.sink", str(port), log=folder / "sink.log") as server,
    ):
        await answering(sink, server, folder / "sink.log")
        assert engines.postgres is not None
        words = (engines.database_url, str(engines.postgres.pid), sink, str(file))
        spent = await apart("bench.bare_script", *words, told=Spent)
    return {
        "bare": (spent.script + spent.postgres) * 1000 / count,
        "bare_postgres": spent.postgres * 1000 / count,
        "bare_rate": count / spent.seconds,
    }


def _finding(count: int, mid: dict[str, float], memory: MemoryPeak) -> Finding:
    return Finding(
        name=NAME,
        title=f"{count:,} orders a round from the webhook until settled in the simulated ERP and warehouse",
        figures=(
            Figure("settled", mid["rate"], "orders/s", f"taken in at {mid['taken']:,.0f}/s"),
            Figure("receipt to settlement p50", mid["p50"], "s", "all orders at once: mostly waiting"),
            Figure("receipt to settlement p99", mid["p99"], "s"),
            *(Figure(f"CPU of {part}", mid[part], "s per 1,000") for part in OWN),
            Figure("CPU of NATS", mid["nats"], "s per 1,000", "not in the sum"),
            Figure("CPU of Crossdock and PostgreSQL", mid["cpu"], "s per 1,000"),
            Figure("CPU of the bare script", mid["bare"], "s per 1,000", f"PostgreSQL {mid['bare_postgres']:.3f}"),
            Figure("the bare script", mid["bare_rate"], "orders/s"),
            Figure("peak memory of everything", memory.megabytes, "MB", str(memory)),
        ),
        checks=(Check(label="CPU, Crossdock / bare script", value=mid["ratio"], at_most=4.0),),
    )
