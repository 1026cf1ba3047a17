# SPDX-License-Identifier: Apache-2.0
"""The whole path, running."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest_asyncio

from crossdock.runtime.nats import Bus
from tests.flow.staging import Stage, staged


@pytest_asyncio.fixture
async def stage(pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """Crossdock and three simulated systems, everything connected; nothing has happened yet."""
    async with staged(pool, database, nats_url, tmp_path) as running:
        yield running
