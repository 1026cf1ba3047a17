# SPDX-License-Identifier: Apache-2.0
"""Look at held orders again by themselves: credit may have been freed, an account unblocked, goods come in."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from crossdock.journal.keep import SQL as JOURNAL
from crossdock.runtime.postgres import away
from crossdock.triage.act import act
from crossdock.triage.open import SQL

PAGE = 200
"""Orders that are looked at again in one go."""


async def look_again(pool: asyncpg.Pool, every: timedelta, limit: int = PAGE) -> int:
    """Make held orders due that nobody has looked at for `every`, the longest first; how many, at most `limit`.

    Only orders that nothing but holds keep back. Their tries are not used up by it, and as long as the same holds them
    nothing new is told. Raises EngineAway, and RetryLater when workers are in the way.
    """
    with away():
        async with pool.acquire() as conn:
            return await act(conn, lambda c: _look(c, every, limit))


async def _look(conn: asyncpg.Connection, every: timedelta, limit: int) -> int:
    rows = await conn.fetch(SQL.long_held, every, limit)
    if not rows:
        return 0
    # Documents before cases, as everybody locks them.
    await conn.execute(JOURNAL.lock_documents, sorted(row["document_id"] for row in rows))
    looked = await conn.fetch(SQL.mark_looked_at, [row["id"] for row in rows], every)
    due = await conn.fetch(SQL.look_at_documents, [row["document_id"] for row in looked])
    return len(due)
