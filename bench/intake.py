# SPDX-License-Identifier: Apache-2.0
"""Intake: signed orders acknowledged a second by the real gateway, each committed with fsync before its answer, against
the same server that decodes the same bodies and stores nothing."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import asyncpg
from msgspec import Struct

from bench.decoding_server import __name__ as LIMIT
from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.orders import bodies, requests, store
from bench.pour import Poured, pour_apart
from bench.stand import LOOPBACK, answering, process, work_folder
from bench.usage import MemoryPeak, Used, cpu_by_part, spent
from crossdock.app.demo.stage import Stage, staged
from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.runtime.embedded import Engines
from crossdock.runtime.processes import step_port
from crossdock.settings import Settings

NAME = "intake"
CONNECTIONS = 64
SLICES = 4
"""Both doors take turns within a round: what else the machine does then disturbs both alike."""
WARM = 500
PRODUCTS = 200
COUNT = "SELECT count(*) FROM message m JOIN document d ON d.message_id = m.id"


async def run(plan: Plan, say: Say) -> Finding:
    """Measure both in turns, so that a busy machine disturbs both alike."""
    count = 4_000 if plan.quick else 12_000
    with work_folder() as folder:
        async with staged(folder / "estate", seed=1, products=PRODUCTS) as stage:
            settings = Settings(data=folder / "data")
            async with Engines.start(settings) as engines:
                await prepare(engines.database_url, wire(stage.estate))
                assert engines.postgres is not None
                rounds, memory = await _rounds(plan, say, count, folder, stage, engines, engines.postgres.pid)
    return _finding(count, medians(rounds), memory)


async def _rounds(
    plan: Plan, say: Say, count: int, folder: Path, stage: Stage, engines: Engines, postgres: int
) -> tuple[list[dict[str, float]], MemoryPeak]:
    ours, theirs = step_port(LOOPBACK, 18480), step_port(LOOPBACK, 18580)
    environment = {
        **stage.environment,
        "DATABASE_URL": engines.database_url,
        "NATS_URL": engines.nats_url,
        "CROSSDOCK_LOG_LEVEL": "warning",
    }
    gateway = ("crossdock", "gateway", "--estate", str(stage.estate), "--host", LOOPBACK, "--port", str(ours))
    found = []
    async with (
        process(*gateway, log=folder / "gateway.log", environment=environment) as child,
        process(LIMIT, str(theirs), log=folder / "limit.log") as limit,
    ):
        await answering(f"http://{LOOPBACK}:{ours}/healthz", child, folder / "gateway.log")
        await answering(f"http://{LOOPBACK}:{theirs}/", limit, folder / "limit.log")
        door = _Door(
            folder, stage, f"http://{LOOPBACK}:{ours}", f"http://{LOOPBACK}:{theirs}", limit.pid, child.pid, postgres
        )
        await door.slice(WARM, first=900_000_000)
        with MemoryPeak(child.pid, postgres) as memory:
            for number in range(1, plan.rounds + 1):
                starts = range(number * count, (number + 1) * count, count // SLICES)
                found.append(_round(count, [await door.slice(count // SLICES, first=first) for first in starts]))
                say(f"round {number}: {found[-1]['kept']:,.0f}/s kept, {found[-1]['plain']:,.0f}/s only decoded")
    await _all_there(engines.database_url, WARM + count * plan.rounds)
    return found, memory


class _Slice(Struct, frozen=True):
    """One pour at each door, and the CPU seconds that ours took."""

    plain: Poured
    kept: Poured
    cpu: Used


class _Door(Struct, frozen=True):
    """The gateway and the server that only decodes."""

    folder: Path
    stage: Stage
    ours: str
    theirs: str
    limit: int
    gateway: int
    postgres: int

    async def slice(self, count: int, *, first: int) -> _Slice:
        """Pour the same `count` orders at both."""
        made = bodies(self.stage.catalog, count, first=first, lines=1)
        secret = self.stage.environment["DEMO_SHOPIFY_SECRET"]
        file = store(self.folder / "requests", requests(made, secret, first=first))
        before = self._cpu()
        plain = await pour_apart(self.theirs, file, CONNECTIONS)
        kept = await pour_apart(self.ours, file, CONNECTIONS)
        return _Slice(plain, kept, spent(before, self._cpu()))

    def _cpu(self) -> Used:
        plain = {"decoding": sum(cpu_by_part(self.limit).values())}
        return {**plain, **cpu_by_part(self.gateway), **cpu_by_part(self.postgres)}


def _round(count: int, slices: list[_Slice]) -> dict[str, float]:
    plain, kept = sum(one.plain.seconds for one in slices), sum(one.kept.seconds for one in slices)
    return {
        "kept": count / kept,
        "plain": count / plain,
        "ratio": plain / kept,
        "p50": median(one.kept.p50 for one in slices) * 1000,
        "p99": max(one.kept.p99 for one in slices) * 1000,
        "gateway": sum(one.cpu["gateway"] for one in slices) * 1000 / count,
        "postgres": sum(one.cpu["postgres"] for one in slices) * 1000 / count,
        "decoding": sum(one.cpu["decoding"] for one in slices) * 1000 / count,
        "generator": sum(one.kept.cpu for one in slices) / kept * 100,
        "generator_plain": sum(one.plain.cpu for one in slices) / plain * 100,
    }


async def _all_there(url: str, expected: int) -> None:
    conn = await asyncpg.connect(url)
    try:
        found = await conn.fetchval(COUNT)
    finally:
        await conn.close()
    if found != expected:
        raise RuntimeError(f"{expected} orders were acknowledged, {found} are in the journal")


def _finding(count: int, mid: dict[str, float], memory: MemoryPeak) -> Finding:
    return Finding(
        name=NAME,
        title=f"{count:,} signed orders of 3.7 KB a round, {CONNECTIONS} connections, committed before the answer",
        figures=(
            Figure("acknowledged", mid["kept"], "orders/s"),
            Figure("the same server decoding only", mid["plain"], "orders/s", "no signature check, nothing stored"),
            Figure("answer p50", mid["p50"], "ms"),
            Figure("answer p99", mid["p99"], "ms"),
            Figure("CPU of the gateway", mid["gateway"], "s per 1,000"),
            Figure("CPU of the server decoding only", mid["decoding"], "s per 1,000"),
            Figure("CPU of PostgreSQL", mid["postgres"], "s per 1,000"),
            Figure("peak memory of gateway and PostgreSQL", memory.megabytes, "MB", str(memory)),
            Figure("load generator", mid["generator"], "% of a core", f"decoding only: {mid['generator_plain']:.0f} %"),
        ),
        checks=(Check(label="acknowledged / decoding only", value=mid["ratio"], at_least=0.5),),
    )
