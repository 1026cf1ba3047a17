# SPDX-License-Identifier: Apache-2.0
"""Extend reservations: hold them longer, while they are active and never beyond the longest hold from their making."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.inventory.again import transaction
from crossdock.inventory.request import check_ttl
from crossdock.inventory.reservation import SQL, Answered, as_it_stands, ended, no_such, told_states
from crossdock.journal.record import Event, record_events


class Extension(Struct, frozen=True):
    """A wish to hold a reservation for so many seconds from now."""

    id: str
    ttl_seconds: int


async def extend(pool: asyncpg.Pool, wishes: Sequence[Extension], longest: timedelta) -> list[Answered | Refused]:
    """Hold these reservations longer, in one transaction; the answer to each, in the same order.

    No level changes, so none is locked. A hold is never made shorter. Raises EngineAway, RetryLater.
    """
    wrong = [check_ttl(wish.ttl_seconds, longest) for wish in wishes]
    good = [wish for wish, refused in zip(wishes, wrong, strict=True) if refused is None]
    ids, seconds = [wish.id for wish in good], [float(wish.ttl_seconds) for wish in good]

    async def work(conn: asyncpg.Connection) -> tuple[dict[str, asyncpg.Record], dict[str, float]]:
        longer = await conn.fetch(SQL.extend_reservations, ids, seconds, longest.total_seconds())
        if longer:
            event = Event(type="reservation.extended", key="", document_id=0, data=told_states(longer), many=True)
            await record_events(conn, [event])
        rows = await conn.fetch(SQL.reservations, ids)
        return {row["id"]: row for row in rows}, {row["id"]: row["seconds"] for row in longer}

    rows, granted = await transaction(pool, work)
    return [refused or _answer(wish, rows, granted, longest) for wish, refused in zip(wishes, wrong, strict=True)]


def _answer(
    wish: Extension, rows: dict[str, asyncpg.Record], granted: dict[str, float], longest: timedelta
) -> Answered | Refused:
    one = wish.id
    row = rows.get(one)
    if row is None:
        return no_such(one)
    if wish.ttl_seconds <= granted.get(one, 0):
        return Answered(id=one, body=as_it_stands(row))
    if row["state"] != "active":
        return ended(row, "extended")
    until = row["created_at"] + longest
    most = int(longest.total_seconds())
    return Refused(
        f"goods are held for at most {most} seconds, this reservation until {until.isoformat()}",
        field="ttl_seconds",
        rule="reservation.ttl",
        fix="ask for fewer seconds, commit it, or release it and reserve again",
    )
