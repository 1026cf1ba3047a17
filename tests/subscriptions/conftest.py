# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio

from crossdock.runtime.clock import SetClock, set_clock
from tests.subscriptions.receiving import House, Receiver, receiving

BEGIN = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[SetClock]:
    """A clock that stands still until it is moved."""
    with set_clock(BEGIN) as moved:
        yield moved


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest_asyncio.fixture
async def house(pool: asyncpg.Pool, receiver: Receiver, clock: SetClock) -> AsyncIterator[House]:
    made = House(pool, receiver)
    yield made
    await made.driver.close()
