# SPDX-License-Identifier: Apache-2.0
"""Real engines for every test that wants them: one pair per test process, a fresh migrated database per test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import pytest_asyncio

from crossdock.errors import NeedsConfig
from crossdock.runtime.embedded import Engines, erase
from crossdock.runtime.embedded.binaries import find_nats, find_postgres
from crossdock.runtime.embedded.places import postgres_account
from crossdock.runtime.migrate import migrate
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import connect, open_pool
from crossdock.settings import Settings
from tests.databases import Tested

_TEMPLATE = "migrated"
_TESTED = "tested"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """PostgreSQL and NATS, started once per test process. Do not kill these; tests that kill start their own."""
    data = tmp_path_factory.mktemp("engines")
    settings = Settings.from_environment({}, data=data)
    try:
        find_postgres(None, postgres_account())
        find_nats()
    except NeedsConfig as error:
        pytest.skip(f"no engines on this machine: {error.reason}")
    # Unwatched: there is no event loop that lives as long as this fixture.
    running = Engines(settings, watch=False)
    asyncio.run(running.open())
    try:
        yield running
    finally:
        asyncio.run(running.stop())
        erase(data)


@pytest.fixture(scope="session")
def tested(engines: Engines) -> Iterator[tuple[Tested, asyncio.Runner]]:
    """The database that tests get one after the other, migrated, with a loop of its own; and a template of it."""
    found = Tested(_TESTED, named_database(engines, _TESTED))

    async def make() -> None:
        await _admin(engines, f"CREATE DATABASE {_TEMPLATE}")
        await migrate(named_database(engines, _TEMPLATE))
        await _admin(engines, f"CREATE DATABASE {_TESTED} TEMPLATE {_TEMPLATE}")
        await found.look()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(make())
        yield found, runner
        runner.run(found.close())


@pytest_asyncio.fixture
async def empty_database(engines: Engines) -> AsyncIterator[str]:
    """The URL of a fresh database without any table; it is gone after the test."""
    name = f"empty_{next(_numbers)}"
    await _admin(engines, f"CREATE DATABASE {name}")
    yield named_database(engines, name)
    await _admin(engines, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(engines: Engines, tested: tuple[Tested, asyncio.Runner]) -> Iterator[str]:
    """The URL of a database as migrations left it; whoever is still connected after the test is cut off."""
    found, runner = tested

    async def anew() -> None:
        await found.close()
        await _admin(engines, f"DROP DATABASE {_TESTED} WITH (FORCE)")
        await _admin(engines, f"CREATE DATABASE {_TESTED} TEMPLATE {_TEMPLATE}")

    if not runner.run(found.put_back()):
        runner.run(anew())
    yield found.url
    runner.run(found.end_others())


@pytest_asyncio.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a fresh, migrated database."""
    opened = await open_pool(database, min_size=1, max_size=8, name="test")
    yield opened
    opened.terminate()


@pytest.fixture
def nats_url(engines: Engines) -> str:
    """The URL of NATS; streams of earlier tests may still be there, so `bus` is the better choice."""
    return engines.nats_url


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """A bus on NATS without any stream."""
    connected = await Bus.connect(nats_url, name="test")
    for name in await connected.streams():
        await connected.drop_stream(name)
    yield connected
    await connected.close()


def named_database(engines: Engines, name: str) -> str:
    """The URL of another database of the same server."""
    before, _, after = engines.database_url.partition("/crossdock?")
    return f"{before}/{name}?{after}"


async def _admin(engines: Engines, statement: str) -> None:
    connection = await connect(engines.database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
