# SPDX-License-Identifier: Apache-2.0
"""The test stand: a work folder, processes started as they are in use, and all of it ended again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from crossdock.runtime.spawn import Child

LOOPBACK = "127.0.0.1"
READY_SECONDS = 60.0
Told = TypeVar("Told")


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder on a real disk (fsync is part of what is measured), removed at the end. CROSSDOCK_BENCH names another
    place for it than the system's temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="crossdock-bench-", dir=os.environ.get("CROSSDOCK_BENCH")))
    # PostgreSQL may run as another account and must pass through; nothing inside is readable for it but its own.
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def process(
    *words: str, log: Path, environment: Mapping[str, str] | None = None, patience: float = 20.0
) -> AsyncIterator[Child]:
    """`python -m WORDS` as long as the block; what it prints goes to `log`."""
    child = Child(
        [sys.executable, "-m", *words],
        stop=((signal.SIGTERM, patience),),
        environment={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})},
        output=log,
    )
    child.start()
    try:
        yield child
    finally:
        await child.stop()


@asynccontextmanager
async def crossdock_up(
    estate: Path, data: Path, port: int, environment: Mapping[str, str]
) -> AsyncIterator[tuple[Child, str]]:
    """`crossdock up` as a user starts it; the process and its address once it answers."""
    words = ("crossdock", "up", "--estate", str(estate), "--data", str(data), "--port", str(port))
    quiet = {**environment, "CROSSDOCK_LOG_LEVEL": "warning"}
    async with process(*words, log=data.parent / "up.log", environment=quiet, patience=40.0) as child:
        url = f"http://{LOOPBACK}:{port}"
        await answering(f"{url}/healthz", child, data.parent / "up.log")
        yield child, url


async def apart(module: str, *words: str, told: type[Told]) -> Told:
    """What `python -m MODULE WORDS` prints as JSON, read as `told`. RuntimeError when it fails; it has said why."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *words),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    output, _ = await child.communicate()
    if child.returncode != 0:
        raise RuntimeError(f"{module} failed, see above")
    return msgspec.json.decode(output, type=told)


async def answering(url: str, child: Child, log: Path) -> None:
    """Return when `url` answers with 200. RuntimeError with the end of the log when it does not in a minute."""
    loop = asyncio.get_running_loop()
    until = loop.time() + READY_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while loop.time() < until and child.running:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)
    raise RuntimeError(f"{url} did not answer:\n{tail(log)}")


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:]) if log.exists() else "(no log)"
