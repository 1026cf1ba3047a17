# SPDX-License-Identifier: Apache-2.0
"""Find what parts were split off: what a mended part adds to is the statement it came with, and no other of it."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.inventory.lock import SQL
from crossdock.journal.decided import Translated


async def wholes(conn: asyncpg.Connection, batch: Sequence[Translated]) -> dict[int, int]:
    """Parent of a part → what both were split off in the end: a part that is mended wrong is split once more."""
    parents = sorted({item.claimed.parent_id for item in batch if item.claimed.parent_id is not None})
    found = dict(zip(parents, parents, strict=True))
    if parents:
        found.update({row["part"]: row["whole"] for row in await conn.fetch(SQL.whole_documents, parents)})
    return found
