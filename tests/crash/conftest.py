# SPDX-License-Identifier: Apache-2.0
"""One stack per module of crash tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from crossdock.errors import NeedsConfig
from crossdock.runtime.embedded.binaries import find_nats, find_postgres
from crossdock.runtime.embedded.places import postgres_account
from tests.crash.rest import at_rest
from tests.crash.stack import Stack, Supply, stack_in


@pytest.fixture(scope="session")
def programs() -> None:
    """Skips where the engines' programs are not installed."""
    try:
        find_postgres(None, postgres_account())
        find_nats()
    except NeedsConfig as error:
        pytest.skip(f"no engines on this machine: {error.reason}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(programs: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A running Crossdock with simulated systems, its opening stock counted and told."""
    async with stack_in(tmp_path_factory.mktemp("crash")) as running:
        await at_rest(running)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def supply(programs: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Supply]:
    """The same, for a module whose tests are to be judged one by one."""
    supplying = Supply(lambda: tmp_path_factory.mktemp("crash"))
    yield supplying
    await supplying.close()
