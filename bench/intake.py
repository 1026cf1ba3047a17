# SPDX-License-Identifier: Apache-2.0
"""Intake: signed orders acknowledged a second by the real gateway, each committed with fsync before its answer, against
the same server that decodes the same bodies and stores nothing."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from bench.decoding_server import __name__ as LIMIT
from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.orders import bodies, requests, store
from bench.pour import Poured, pour_apart
from bench.stand import LOOPBACK, answering, process, work_folder
from bench.usage import MemoryPeak, cpu_by_part
from crossdock.app.demo.stage import Stage, staged
from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.runtime.embedded import Engines
from crossdock.runtime.processes import step_port
from crossdock.settings import Settings

NAME = "intake"
CONNECTIONS = 64
PRODUCTS = 200
COUNT = "SELECT count(*) FROM message m JOIN document d ON d.message_id = m.id"


async def run(plan: Plan, say: Say) -> Finding:
    """Measure both in turns, so that a busy machine disturbs both alike."""
    count = 3_000 if plan.quick else 12_000
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
) -> tuple[list[dict[str, float]], float]:
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
        secret = stage.environment["DEMO_SHOPIFY_SECRET"]
        with MemoryPeak(child.pid, postgres) as memory:
            for number in range(plan.rounds + 1):
                # Round 0 warms both up and is not counted.
                size, first = (count, number * count) if number else (500, 900_000_000)
                made = requests(bodies(stage.catalog, size, first=first, lines=1), secret, first=first)
                file = store(folder / "requests", made)
                plain = await pour_apart(f"http://{LOOPBACK}:{theirs}", file, CONNECTIONS)
                before = cpu_by_part(child.pid) + cpu_by_part(postgres)
                kept = await pour_apart(f"http://{LOOPBACK}:{ours}", file, CONNECTIONS)
                after = cpu_by_part(child.pid) + cpu_by_part(postgres)
                if number:
                    found.append(_round(size, plain, kept, {k: after[k] - before[k] for k in after}))
                    say(f"round {number}: {found[-1]['kept']:,.0f}/s kept, {found[-1]['plain']:,.0f}/s only decoded")
    await _all_there(engines.database_url, 500 + count * plan.rounds)
    return found, memory.megabytes


def _round(count: int, plain: Poured, kept: Poured, cpu: dict[str, float]) -> dict[str, float]:
    return {
        "kept": count / kept.seconds,
        "plain": count / plain.seconds,
        "ratio": plain.seconds / kept.seconds,
        "p50": kept.p50 * 1000,
        "p99": kept.p99 * 1000,
        "gateway": cpu.get("gateway", 0.0) * 1000 / count,
        "postgres": cpu.get("postgres", 0.0) * 1000 / count,
        "generator": kept.cpu / kept.seconds * 100,
        "generator_plain": plain.cpu / plain.seconds * 100,
    }


async def _all_there(url: str, expected: int) -> None:
    conn = await asyncpg.connect(url)
    try:
        found = await conn.fetchval(COUNT)
    finally:
        await conn.close()
    if found != expected:
        raise RuntimeError(f"{expected} orders were acknowledged, {found} are in the journal")


def _finding(count: int, mid: dict[str, float], memory: float) -> Finding:
    return Finding(
        name=NAME,
        title=f"{count:,} signed orders of 3.7 KB a round, {CONNECTIONS} connections, committed before the answer",
        figures=(
            Figure("acknowledged", mid["kept"], "orders/s"),
            Figure("the same server decoding only", mid["plain"], "orders/s", "no signature check, nothing stored"),
            Figure("answer p50", mid["p50"], "ms"),
            Figure("answer p99", mid["p99"], "ms"),
            Figure("CPU of the gateway", mid["gateway"], "s per 1,000"),
            Figure("CPU of PostgreSQL", mid["postgres"], "s per 1,000"),
            Figure("peak memory of gateway and PostgreSQL", memory, "MB"),
            Figure("load generator", mid["generator"], "% of a core", f"decoding only: {mid['generator_plain']:.0f} %"),
        ),
        checks=(Check(label="acknowledged / decoding only", value=mid["ratio"], at_least=0.5),),
    )
