# SPDX-License-Identifier: Apache-2.0
"""When each interface was last used, for who wants to deprecate or retire one."""

from __future__ import annotations

from datetime import datetime

import asyncpg
from msgspec import Struct

from crossdock.journal.books import READ
from crossdock.journal.keep import SQL

NOTE_SECONDS = 60.0
"""Longer than any statement that keeps messages may take."""


class LastUse(Struct, frozen=True, kw_only=True):
    """When a message came last (one that came again counts), and how many were refused since the interface is retired.

    Times are UTC, None = never.
    """

    interface: str
    last_message: datetime | None
    refused: int
    last_refused: datetime | None


async def last_uses(conn: asyncpg.Connection) -> dict[str, LastUse]:
    """By interface; those that nothing ever came for are left out. Reads what came since `note_uses` was run last."""
    seen = await conn.fetchrow(READ.uses_seen)
    rows = await conn.fetch(READ.last_uses, seen["earlier_document_id"], seen["earlier_duplicate_id"])
    return {row["interface"]: LastUse(**row) for row in rows}


async def note_uses(conn: asyncpg.Connection, apart: float = NOTE_SECONDS) -> bool:
    """Take note when messages came last; False when nothing came, or another does it or did less than `apart` seconds
    ago; then nothing is written.

    A number may be drawn long before its transaction commits, but not as long as that: what came is looked at twice,
    and none is missed.
    """
    async with conn.transaction():
        # The newest first: what is committed between the two is looked at again.
        newest = await conn.fetchrow(SQL.newest_numbers)
        seen = await conn.fetchrow(SQL.lock_uses_seen, apart)
        if seen is None:
            return False
        up_to, documents, duplicates = seen["document_id"], seen["earlier_document_id"], seen["earlier_duplicate_id"]
        now = (max(newest["document_id"], up_to), max(newest["duplicate_id"], seen["duplicate_id"]))
        if now == (documents, duplicates):
            return False
        await conn.execute(SQL.note_uses, documents, duplicates)
        await conn.execute(SQL.set_uses_seen, *now)
        return True
