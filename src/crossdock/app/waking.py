# SPDX-License-Identifier: Apache-2.0
"""Tell workers that there is work, a few times a second at most: a hint per commit would cost more than the commit."""

from __future__ import annotations

import asyncio

from crossdock.runtime.nats import Bus

GATHER_SECONDS = 0.03


class Waker:
    """Wakes `role` soon after `soon` was called, once for all calls of a moment."""

    def __init__(self, bus: Bus, role: str) -> None:
        self._bus = bus
        self._role = role
        self._pending: asyncio.Task[None] | None = None

    def soon(self) -> None:
        """There is work; costs next to nothing while a wake-up is on its way."""
        if self._pending is None:
            self._pending = asyncio.create_task(self._wake())

    async def _wake(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        self._pending = None
        await self._bus.wake(self._role)
