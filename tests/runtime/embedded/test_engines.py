# SPDX-License-Identifier: Apache-2.0
"""Each test runs engines of its own and kills them as it likes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from crossdock.errors import EngineAway, NeedsConfig
from crossdock.runtime.bus_messages import Publication
from crossdock.runtime.embedded import Endpoints, Engines, discover, erase
from crossdock.runtime.embedded.postgres_server import buffers_for
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import connect, retrying
from crossdock.settings import Settings

_SUPERVISOR = Path(__file__).with_name("supervisor.py")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    erase(folder)


def _settings(data: Path) -> Settings:
    return Settings.from_environment({}, data=data)


async def _write(endpoints: Endpoints | Engines, number: int) -> None:
    async def insert() -> None:
        connection = await connect(endpoints.database_url)
        try:
            await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int PRIMARY KEY)")
            await connection.execute("INSERT INTO kept VALUES ($1) ON CONFLICT DO NOTHING", number)
        finally:
            await connection.close()

    await retrying(insert, patience=20)
    bus = await Bus.connect(endpoints.nats_url, patience=20)
    await bus.ensure_stream("KEPT", ["kept.>"])
    await bus.publish_batch([Publication("kept.x", str(number).encode(), f"kept-{number}")])
    await bus.close()


async def _read(endpoints: Endpoints | Engines) -> tuple[list[int], list[int]]:
    async def select() -> list[int]:
        connection = await connect(endpoints.database_url)
        try:
            return [row["n"] for row in await connection.fetch("SELECT n FROM kept ORDER BY n")]
        finally:
            await connection.close()

    rows = await retrying(select, patience=20)
    bus = await Bus.connect(endpoints.nats_url, patience=20)
    subscription = await bus.subscribe("KEPT", f"reader-{os.urandom(4).hex()}")
    messages = [int(message.payload) for message in await subscription.fetch(within=1)]
    await subscription.close()
    await bus.close()
    return rows, messages


async def test_data_is_kept_from_one_start_to_the_next(data: Path) -> None:
    async with Engines.start(_settings(data)) as engines:
        await _write(engines, 1)
        before = (engines.database_url, engines.nats_url)
        assert discover(_settings(data)) == engines.endpoints
    assert discover(_settings(data)) is None
    async with Engines.start(_settings(data)) as engines:
        assert (engines.database_url, engines.nats_url) == before
        await _write(engines, 2)
        assert await _read(engines) == ([1, 2], [1, 2])


async def test_nothing_private_is_readable_or_shown(data: Path) -> None:
    async with Engines.start(_settings(data)) as engines:
        password = engines.database_url.split(":")[2].split("@")[0]
        token = engines.nats_url.split("//")[1].split("@")[0]
        assert min(len(password), len(token)) >= 40
        shown = f"{engines.endpoints} {_settings(data)} {engines}"
        assert engines.postgres
        for process in (psutil.Process(engines.postgres.pid), psutil.Process(engines.nats.pid if engines.nats else 0)):
            shown += " ".join(process.cmdline()) + str(process.environ())
        for log in data.glob("*.log"):
            shown += log.read_text("utf-8")
        assert password not in shown
        assert token not in shown
        for file in ("engines.json", "postgres.password", "nats/token", "nats/nats.conf"):
            assert stat.S_IMODE((data / file).stat().st_mode) == 0o600
        sockets = engines.postgres.sockets.stat()
        assert stat.S_IMODE(sockets.st_mode) == 0o700
        connection = await connect(engines.database_url)
        assert await connection.fetchval("SHOW listen_addresses") == ""
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.close()


async def test_a_killed_engine_is_started_again(data: Path) -> None:
    async with Engines.start(_settings(data)) as engines:
        await _write(engines, 1)
        for number, server in enumerate((engines.postgres, engines.nats), start=2):
            assert server
            before = server.pid
            os.kill(before, signal.SIGKILL)
            await _write(engines, number)
            assert await _read(engines) == (list(range(1, number + 1)), list(range(1, number + 1)))
            assert server.pid != before


async def test_an_engine_that_cannot_be_started_again_is_given_up(data: Path) -> None:
    async with Engines.start(_settings(data)) as engines:
        assert engines.nats
        (data / "nats" / "nats.conf").write_text("nonsense {", "utf-8")
        os.kill(engines.nats.pid, signal.SIGKILL)
        reason = await asyncio.wait_for(engines.failure(), 60)
        assert "NATS ended while starting" in str(reason)


class Supervised:
    """A supervisor in a process of its own, and what it told about its engines."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, _SUPERVISOR, data],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        told = json.loads(line)
        self.pids: list[int] = told["pids"]
        self.endpoints = Endpoints(database_url=told["database_url"], nats_url=told["nats_url"])


@pytest.fixture
def supervised(data: Path) -> Iterator[Callable[..., Awaitable[Supervised]]]:
    """Starts supervisors, and ends those that the test has not ended."""
    started: list[Supervised] = []

    async def start(**environment: str) -> Supervised:
        started.append(await asyncio.to_thread(Supervised, data, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.communicate()


@pytest.mark.parametrize("search_path", [os.environ["PATH"], "/nowhere"], ids=["engines end", "engines live on"])
async def test_a_killed_supervisor_leaves_data_that_the_next_takes_over(
    data: Path, supervised: Callable[..., Awaitable[Supervised]], search_path: str
) -> None:
    # Without setpriv on its path the supervisor's engines live on, and the next start has to end them.
    first = await supervised(PATH=search_path)
    await _write(first.endpoints, 1)
    first.process.kill()
    first.process.communicate()
    if search_path == "/nowhere":
        assert all(psutil.pid_exists(pid) for pid in first.pids)
    async with Engines.start(_settings(data)) as engines:
        assert engines.postgres
        assert engines.postgres.pid not in first.pids
        await _write(engines, 2)
        assert await _read(engines) == ([1, 2], [1, 2])
        assert not any(psutil.pid_exists(pid) for pid in first.pids)


async def test_all_killed_at_once_loses_nothing(data: Path, supervised: Callable[..., Awaitable[Supervised]]) -> None:
    first = await supervised()
    await _write(first.endpoints, 1)
    for pid in (first.process.pid, *first.pids):
        os.kill(pid, signal.SIGKILL)
    first.process.communicate()
    async with Engines.start(_settings(data)) as engines:
        assert await _read(engines) == ([1], [1])


async def test_the_second_starter_is_told_who_was_first(
    data: Path, supervised: Callable[..., Awaitable[Supervised]]
) -> None:
    first = await supervised()
    assert discover(_settings(data)) == first.endpoints
    with pytest.raises(NeedsConfig, match=f"already run by process {first.process.pid}"):
        async with Engines.start(_settings(data)):
            pass
    await _write(first.endpoints, 1)
    await asyncio.to_thread(first.process.communicate)
    assert first.process.returncode == 0
    assert discover(_settings(data)) is None
    async with Engines.start(_settings(data)) as engines:
        assert await _read(engines) == ([1], [1])


async def test_a_number_given_again_to_a_stranger_does_not_stop_a_start(data: Path) -> None:
    async with Engines.start(_settings(data)) as engines:
        assert engines.postgres
        cluster = Path(psutil.Process(engines.postgres.pid).cmdline()[-1])
        lines = (cluster / "postmaster.pid").read_text("ascii").splitlines()
    (cluster / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", "ascii")
    async with Engines.start(_settings(data)) as engines:
        await _write(engines, 1)


async def test_engines_given_by_url_are_not_started(data: Path) -> None:
    given = Settings.from_environment({}, data=data, database_url="postgresql://a@b/c", nats_url="nats://d")
    async with Engines.start(given) as engines:
        assert (engines.database_url, engines.nats_url) == ("postgresql://a@b/c", "nats://d")
        assert (engines.postgres, engines.nats) == (None, None)
    assert not data.exists()
    assert discover(given) == Endpoints(database_url="postgresql://a@b/c", nats_url="nats://d")


async def test_one_given_and_one_embedded(data: Path) -> None:
    mixed = Settings.from_environment({}, data=data, database_url="postgresql://a@b/c")
    async with Engines.start(mixed) as engines:
        assert engines.database_url == "postgresql://a@b/c"
        assert discover(mixed) == engines.endpoints
        bus = await Bus.connect(engines.nats_url)
        assert await bus.streams() == []
        await bus.close()
    assert not (data / "postgres").exists()


async def test_a_failing_start_leaves_nothing_running_and_the_folder_free(data: Path) -> None:
    settings = Settings.from_environment({}, data=data, postgres_bin=data / "nowhere")
    with pytest.raises(NeedsConfig, match="there is no `postgres` in"):
        async with Engines.start(settings):
            pass
    conf = str(data / "nats" / "nats.conf")
    assert not any(conf in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    async with Engines.start(_settings(data)) as engines:
        await _write(engines, 1)


async def test_a_database_made_by_another_version_is_not_touched(data: Path) -> None:
    async with Engines.start(_settings(data)) as engines:
        assert engines.postgres
        cluster = Path(psutil.Process(engines.postgres.pid).cmdline()[-1])
    (cluster / "PG_VERSION").write_text("14\n", "ascii")
    with pytest.raises(NeedsConfig, match="was made by PostgreSQL 14") as caught:
        async with Engines.start(_settings(data)):
            pass
    assert "CROSSDOCK_POSTGRES_BIN" in caught.value.fix


async def test_starting_without_prepared_programs_says_away(data: Path) -> None:
    with pytest.raises(RuntimeError, match="prepare"):
        _ = Engines(_settings(data)).database_url
    with pytest.raises(EngineAway):
        await Bus.connect("nats://127.0.0.1:1", patience=0.1)


@pytest.mark.parametrize(("gigabytes", "megabytes"), [(1, 96), (2, 128), (4, 256), (64, 256)])
def test_buffers_grow_with_the_machine_within_bounds(gigabytes: int, megabytes: int) -> None:
    assert buffers_for(gigabytes * 1024**3) == megabytes
