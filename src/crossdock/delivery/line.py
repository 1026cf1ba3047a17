# SPDX-License-Identifier: Apache-2.0
"""What the driver of a system grants to those who call it beside its deliveries: its lease, its limits, its rest."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Line(Protocol):
    """What the driver of a system grants to those who call it beside its deliveries."""

    @property
    def fence(self) -> int:
        """The fence of the system's lease while it is ours, else 0."""
        ...

    @property
    def open(self) -> bool:
        """Whether the system may be called now."""
        ...

    async def slot(self) -> asyncio.Semaphore:
        """A slot for one call within the system's limits; the caller releases it."""
        ...

    def rest(self, seconds: float) -> None:
        """Leave the system alone: it asked for that."""
        ...
