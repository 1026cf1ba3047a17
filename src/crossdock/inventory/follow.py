# SPDX-License-Identifier: Apache-2.0
"""Follow the levels that change, in commit order, straight from the outbox: what is published needs no bus.

Start with `begin`, load the levels, then ask `next` again and again: every change committed after `begin` comes, and
each at least once.
"""

from __future__ import annotations

import asyncpg

from crossdock.inventory.level import Level, levels_of_row
from crossdock.inventory.lock import LEVEL_CHANGED, SQL

# A row may hold the levels of a whole batch, and whoever follows has other work to do in between.
PAGE = 50
_LAST = (1 << 63) - 1


class LevelFollower:
    """A place in the outbox. Reading moves it; nothing is written."""

    def __init__(self, xid: int, number: int) -> None:
        self._xid = xid
        self._number = number

    @classmethod
    async def begin(cls, conn: asyncpg.Connection) -> LevelFollower:
        """A follower that sees every change that is not committed yet; read the levels after this, not before."""
        return cls(await conn.fetchval(SQL.oldest_running) - 1, _LAST)

    @property
    def place(self) -> tuple[int, int]:
        """The place (transaction, row): everything up to it was read."""
        return self._xid, self._number

    async def next(self, conn: asyncpg.Connection) -> tuple[list[Level], bool]:
        """Levels that changed since, oldest first, and whether there are more at once."""
        rows = await conn.fetch(SQL.follow, self._xid, self._number, LEVEL_CHANGED, PAGE)
        found: list[Level] = []
        for row in rows:
            if row["data"] is not None:
                found += levels_of_row(row["data"])
        self._xid, self._number = rows[-1]["xid"], rows[-1]["id"]
        # A page that is not full ends with a row without data: the border behind which nothing is final yet.
        return found, rows[-1]["data"] is not None
