# SPDX-License-Identifier: Apache-2.0
"""When each interface was last used, for who wants to deprecate or retire one."""

from __future__ import annotations

from datetime import datetime

import asyncpg
from msgspec import Struct

from crossdock.journal.books import READ


class LastUse(Struct, frozen=True, kw_only=True):
    """When a message came last (one that came again counts), and how many were refused since the interface is retired.

    Times are UTC, None = never.
    """

    interface: str
    last_message: datetime | None
    refused: int
    last_refused: datetime | None


async def last_uses(conn: asyncpg.Connection) -> dict[str, LastUse]:
    """By interface; those that nothing ever came for are left out. Reads the time of every message."""
    return {row["interface"]: LastUse(**row) for row in await conn.fetch(READ.last_uses)}
