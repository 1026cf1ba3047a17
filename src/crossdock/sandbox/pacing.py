# SPDX-License-Identifier: Apache-2.0
"""Even pacing of a stream of work, and the progress of runs that the control surface starts."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec


class Run(msgspec.Struct):
    """A stream that was started by the control surface. `state` is running, done or failed."""

    id: str
    kind: str
    wanted: int
    made: int = 0
    state: str = "running"
    error: str | None = None


class Pace:
    """Lets through at most `rate` items a second, evenly; no limit without a rate."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._next = time.monotonic()

    async def wait(self) -> None:
        if not self._gap:
            await asyncio.sleep(0)
            return
        self._next += self._gap
        pause = self._next - time.monotonic()
        # Sleeps under a few milliseconds are not kept by the event loop: let a burst through, then rest.
        if pause > 0.004:
            await asyncio.sleep(pause)


class Runs:
    """The runs of one simulator."""

    def __init__(self) -> None:
        self.all: dict[str, Run] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, kind: str, wanted: int, work: Callable[[Run], Awaitable[None]]) -> Run:
        run = Run(f"{kind}-{next(self._numbers)}", kind, wanted)
        self.all[run.id] = run
        task = asyncio.create_task(self._guard(run, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    def find(self, run_id: str) -> dict[str, Any] | None:
        run = self.all.get(run_id)
        return None if run is None else msgspec.to_builtins(run)

    async def finished(self) -> None:
        """Wait until no run is going on."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @staticmethod
    async def _guard(run: Run, work: Callable[[Run], Awaitable[None]]) -> None:
        try:
            await work(run)
        except Exception as error:  # the edge of a run: the caller polls for the outcome
            run.state, run.error = "failed", f"{type(error).__name__}: {error}"
        else:
            run.state = "done"
