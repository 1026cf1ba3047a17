# SPDX-License-Identifier: Apache-2.0
"""A whole Crossdock to be shot at: simulators in a process of their own, `crossdock up` in another, doors open."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil

from crossdock.app.demo.control import Control
from crossdock.app.demo.play import open_doors
from crossdock.app.demo.stage import Stage, staged
from crossdock.runtime.embedded import Endpoints, discover, erase
from crossdock.runtime.postgres import open_pool, retrying
from crossdock.runtime.processes import step_port
from crossdock.runtime.spawn import Child
from crossdock.settings import Settings

PATIENT = (str(Path(__file__).with_name("patient_up.py")),)
PLAIN = ("-m", "crossdock")
PRODUCTS = 40
ROLES = ("gateway", "worker", "scheduler")
VICTIMS = (*ROLES, "postgres", "backend", "nats")
# The vendors wait minutes and hours before they send a webhook again: here it comes again every quarter of a second.
RETRIES = {"retries": [0.25] * 240, "time_scale": 1.0}
TUNE: dict[str, dict[str, Any]] = {
    "shopify": {**RETRIES, "bucket": 20_000.0, "restore": 2_000.0},
    "warehouse": RETRIES,
}
READY_SECONDS = 60.0


class Stack:
    """Crossdock on a data folder of its own, run by `crossdock up` as a child of the test."""

    def __init__(self, folder: Path, stage: Stage, control: Control, program: Sequence[str] = PATIENT) -> None:
        self.folder = folder
        self.stage = stage
        self.control = control
        self.settings = Settings.from_environment({}, data=folder / "data")
        # Each stack looks from a place of its own, so that stacks of parallel workers do not meet.
        self.port = step_port("127.0.0.1", 31_000 + secrets.randbelow(1_000) * 20)
        self.log = folder / "crossdock.log"
        self._pool: asyncpg.Pool | None = None
        self._child = Child(
            [
                *(sys.executable, *program, "up", "--port", str(self.port)),
                *("--estate", str(stage.estate), "--data", str(self.settings.data)),
            ],
            stop=((signal.SIGTERM, 40.0),),
            environment={**os.environ, **stage.environment},
            output=self.log,
        )

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def endpoints(self) -> Endpoints:
        """Where the engines answer."""
        found = discover(self.settings)
        assert found is not None, self.tail()
        return found

    async def start(self) -> None:
        """Start `crossdock up`; returns when the gateway answers."""
        self._child.start()
        await self.answering()

    async def answering(self) -> None:
        """Return when the gateway answers."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(READY_SECONDS):
            while True:
                assert self._child.running, self.tail()
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{self.url}/healthz", timeout=aiohttp.ClientTimeout(total=2)) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop everything in order."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None
        await self._child.stop()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of a reading query, asked again while PostgreSQL is away."""
        return await retrying(lambda: self._fetch(query, arguments), patience=READY_SECONDS)

    async def pool(self) -> asyncpg.Pool:
        """A pool on Crossdock's database, opened on first use."""
        if self._pool is None:
            url = self.endpoints.database_url
            self._pool = await open_pool(url, min_size=1, max_size=2, name="crash-test")
        return self._pool

    async def _fetch(self, query: str, arguments: tuple[object, ...]) -> list[asyncpg.Record]:
        return await (await self.pool()).fetch(query, *arguments)

    async def kill(self, victim: str, rng: random.Random, *, within: float = 5.0) -> str:
        """kill -9 a process of this kind, waiting for one to be there; which one it was."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while loop.time() < until:
            found = self.living(victim)
            if found:
                process = rng.choice(found)
                with suppress(psutil.NoSuchProcess):
                    shown = " ".join(process.cmdline())[:60]
                    process.send_signal(signal.SIGKILL)
                    return f"{victim} {process.pid} ({shown})"
            await asyncio.sleep(0.02)
        return f"{victim}: none was there"

    async def kill_supervisor(self) -> None:
        """kill -9 `crossdock up` itself, and return when its roles have ended by themselves."""
        roles = [process for role in ROLES for process in self.living(role)]
        self._child.signal(signal.SIGKILL)
        assert await self._child.ended(10.0)
        _, alive = await asyncio.to_thread(psutil.wait_procs, roles, 30.0)
        assert not alive, f"roles outlive the supervisor: {alive}"

    async def ended(self, within: float) -> int | None:
        """How `crossdock up` ended by itself; None when it did not `within` so many seconds."""
        await self._child.ended(within)
        return self._child.exit_code

    async def logged(self, *words: str, times: int, within: float = 30.0) -> None:
        """Return when so many lines of the log hold all `words`."""
        async with asyncio.timeout(within):
            while self.count_logged(*words) < times:  # noqa: ASYNC110 - a file gives no event
                await asyncio.sleep(0.05)

    def count_logged(self, *words: str) -> int:
        """How many lines of the log hold all `words`."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return sum(all(word in line for word in words) for line in lines)

    def living(self, victim: str) -> list[psutil.Process]:
        """Processes of this kind, sorted by number."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._child.pid).children(recursive=True)
            return sorted((one for one in children if self._is(one, victim)), key=lambda one: one.pid)
        return []

    def _is(self, process: psutil.Process, victim: str) -> bool:
        try:
            if victim in ROLES:
                return process.cmdline()[1:4] == ["-m", "crossdock", victim]
            own_child = process.ppid() == self._child.pid
            if victim == "nats":
                return process.name() == "nats-server" and own_child
            return process.name() == "postgres" and own_child == (victim == "postgres")
        except psutil.NoSuchProcess:
            return False

    def tail(self) -> str:
        """The end of Crossdock's log."""
        return self.log.read_text("utf-8", "replace")[-4000:] if self.log.exists() else "(no log)"


@asynccontextmanager
async def stack_in(folder: Path, program: Sequence[str] = PATIENT) -> AsyncIterator[Stack]:
    """A running stack in `folder`, its opening stock on the way."""
    async with staged(folder / "estate", seed=1, products=PRODUCTS, tune=TUNE) as stage:
        control = Control(stage.urls)
        stack = Stack(folder, stage, control, program)
        try:
            await stack.start()
            await open_doors(control, stack.url)
            yield stack
        finally:
            await stack.stop()
            await control.close()
            erase(stack.settings.data)


class Supply:
    """A stack for one test after the other; one that a test has found spoiled is replaced by a new one."""

    def __init__(self, folders: Callable[[], Path]) -> None:
        self._folders = folders
        self._held = AsyncExitStack()
        self._stack: Stack | None = None

    @asynccontextmanager
    async def sound(self) -> AsyncIterator[Stack]:
        """A stack without a fault in its past; thrown away when the block fails."""
        if self._stack is None:
            self._stack = await self._held.enter_async_context(stack_in(self._folders()))
        try:
            yield self._stack
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop the stack there is."""
        self._stack = None
        await self._held.aclose()


async def emitters_idle(control: Control) -> bool:
    """Whether every webhook of the simulators has been acknowledged."""
    for system, what in (("shopify", "webhooks"), ("warehouse", "events")):
        counted = (await control.get(system, "counts"))[what]
        if counted["waiting"] or counted["pending"]:
            return False
    return True
