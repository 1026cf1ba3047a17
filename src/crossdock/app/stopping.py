# SPDX-License-Identifier: Apache-2.0
"""Run a role until it is told to stop: SIGTERM and SIGINT end it in order, and so does the end of its parent."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import uvloop

from crossdock.runtime.processes import parent_gone


def run_until_stopped(role: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `role(stop)` on uvloop; `stop` is set by a signal or when the process that started this one has gone."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(role))


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
