# SPDX-License-Identifier: Apache-2.0
"""Run a role until it is told to stop: SIGTERM and SIGINT end it in order, and so does the end of its parent."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable

import uvloop

from crossdock.runtime.processes import parent_gone


def run_until_stopped(role: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `role(stop)` on uvloop; `stop` is set by a signal or when the process that started this one has gone."""
    _calm_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(role))


def _calm_collector() -> None:
    """Collect garbage five hundred times less often: documents are trees, freed by counting, and a batch of them makes
    the collector walk everything again and again (measured: 13 % of a worker's time)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(400_000, 20, 20)


async def _run(role: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    orphan = asyncio.create_task(parent_gone())
    orphan.add_done_callback(lambda _: stop.set())
    try:
        await role(stop)
    finally:
        orphan.cancel()
