# SPDX-License-Identifier: Apache-2.0
"""Start: seconds from `crossdock up` to the first accepted order, and what everything holds in memory when idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp

from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.orders import PATH, bodies, signed
from bench.stand import LOOPBACK, process, tail, work_folder
from bench.usage import cpu_by_part, memory_by_part
from crossdock.app.demo.stage import Stage, staged
from crossdock.runtime.processes import step_port
from crossdock.runtime.spawn import Child

NAME = "start"
PRODUCTS = 200
PATIENCE = 60.0
PARTS = ("up", "gateway", "worker", "scheduler", "postgres", "nats")


async def run(plan: Plan, say: Say) -> Finding:
    """One cold start that makes the data folder, then warm ones; the last is left idle and looked at."""
    idle = 5.0 if plan.quick else 30.0
    rounds: list[dict[str, float]] = []
    memory: Mapping[str, float] = {}
    busy = 0.0
    with work_folder() as folder:
        async with staged(folder / "estate", seed=1, products=PRODUCTS) as stage:
            for number in range(plan.rounds + 1):
                port = step_port(LOOPBACK, 18480)
                words = ("crossdock", "up", "--estate", str(stage.estate), "--data", str(folder / "data"))
                quiet = {**stage.environment, "CROSSDOCK_LOG_LEVEL": "warning"}
                log = folder / "up.log"
                began = time.perf_counter()
                async with process(*words, "--port", str(port), log=log, environment=quiet, patience=40.0) as child:
                    await _first_order(child, stage, f"http://{LOOPBACK}:{port}", number, log)
                    seconds = time.perf_counter() - began
                    rounds.append({"seconds": seconds, "cpu": sum(cpu_by_part(child.pid).values())})
                    say(f"{'warm' if number else 'cold'} start: {seconds:.2f} s")
                    if number == plan.rounds:
                        before = sum(cpu_by_part(child.pid).values())
                        await asyncio.sleep(idle)
                        busy = (sum(cpu_by_part(child.pid).values()) - before) / idle * 100
                        memory = memory_by_part(child.pid)
    return _finding(rounds, memory, busy, idle)


async def _first_order(child: Child, stage: Stage, url: str, number: int, log: Path) -> None:
    """Send one signed order until it is accepted."""
    (body,) = bodies(stage.catalog, 1, first=number + 1)
    headers = signed(body, stage.environment["DEMO_SHOPIFY_SECRET"], number + 1)
    until = time.monotonic() + PATIENCE
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while time.monotonic() < until and child.running:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(url + PATH, data=body, headers=headers) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.01)
    raise RuntimeError(f"no order was accepted:\n{tail(log)}")


def _finding(rounds: list[dict[str, float]], memory: Mapping[str, float], busy: float, idle: float) -> Finding:
    parts = [*PARTS, *sorted(set(memory) - set(PARTS))]
    return Finding(
        name=NAME,
        title="`crossdock up` on the demo's estate, embedded PostgreSQL and NATS",
        figures=(
            Figure("cold start to the first accepted order", rounds[0]["seconds"], "s", "makes the data folder"),
            Figure("CPU used until a warm start's first order", medians(rounds[1:])["cpu"], "s"),
            *(Figure(f"memory of {part}", memory.get(part, 0.0), "MB") for part in parts),
            Figure("CPU of everything when idle", busy, "% of a core", f"over {idle:g} s"),
        ),
        checks=(
            Check(
                label="warm start to the first accepted order",
                value=medians(rounds[1:])["seconds"],
                unit="s",
                at_most=5.0,
            ),
            Check(label="memory of everything when idle", value=sum(memory.values()), unit="MB", at_most=400.0),
        ),
    )
