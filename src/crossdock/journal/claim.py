# SPDX-License-Identifier: Apache-2.0
"""Claim documents that are due (Competing Consumers): order per key, independence between keys.

The claim is a row lock held by the caller's transaction: a worker that dies gives its documents back at once, and
nothing outside PostgreSQL decides who works on what.
"""

from __future__ import annotations

from datetime import datetime

import asyncpg
from msgspec import Struct

from crossdock.journal.keep import SQL


class Claimed(Struct, frozen=True, kw_only=True):
    """A document under our lock. `body` is its newest form: the raw message, an edit of it, or a canonical edit.

    `stage`: "source" or "canonical", which of them `body` is; `number`: the newest version's number, 0 = none yet;
    `made_by`: contract and mapping that made it, or who edited it;
    `same_bytes`: an earlier document of this interface and key had the very same bytes.
    """

    id: int
    message_id: int
    parent_id: int | None
    interface: str
    topic: str
    kind: str
    key: str
    version: int
    digest: int
    step: str
    items: int
    attempts: int
    received_at: datetime
    note: str
    overtakes: bool
    body: bytes
    stage: str
    number: int
    made_by: str
    same_bytes: bool


async def claim(conn: asyncpg.Connection, limit: int) -> list[Claimed]:
    """At most `limit` due documents, oldest first, at most one per key, locked until the transaction ends."""
    return [Claimed(**row) for row in await conn.fetch(SQL.claim, limit)]
