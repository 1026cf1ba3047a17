# SPDX-License-Identifier: Apache-2.0
"""A simulated environment whose time stands until a test moves it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.business_central import BusinessCentralSim
from tests.sandbox.business_central.trading import Clock, Trader, sign_in


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def erp(http: aiohttp.ClientSession, clock: Clock) -> AsyncIterator[Trader]:
    async with BusinessCentralSim(clock=clock) as sim:
        yield await sign_in(http, sim)
