# SPDX-License-Identifier: Apache-2.0
"""Commit reservations: the buyer has ordered, so they wait for their orders and do not expire any more."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.inventory.again import transaction
from crossdock.inventory.reservation import SQL, Answered, as_it_stands, ended, no_such, told_states
from crossdock.journal.record import Event, record_events


class Commitment(Struct, frozen=True):
    """A reservation whose buyer has ordered. `order_key` "" = the order's key is not known yet."""

    id: str
    order_key: str = ""


async def commit(pool: asyncpg.Pool, wishes: Sequence[Commitment]) -> list[Answered | Refused]:
    """Commit these reservations, in one transaction; the answer to each, in the same order.

    May be repeated, also after the order took the reservation over. No level changes, so none is locked. Raises
    EngineAway, RetryLater.
    """
    keys: dict[str, str] = {}
    for wish in wishes:
        keys[wish.id] = keys.get(wish.id) or wish.order_key
    ids = sorted(keys)

    async def work(conn: asyncpg.Connection) -> dict[str, asyncpg.Record]:
        committed = await conn.fetch(SQL.commit_reservations, ids, [keys[one] for one in ids])
        if committed:
            event = Event(type="reservation.committed", key="", document_id=0, data=told_states(committed), many=True)
            await record_events(conn, [event])
        return {row["id"]: row for row in await conn.fetch(SQL.reservations, ids)}

    rows = await transaction(pool, work)
    return [_answer(wish, rows) for wish in wishes]


def _answer(wish: Commitment, rows: dict[str, asyncpg.Record]) -> Answered | Refused:
    row = rows.get(wish.id)
    if row is None:
        return no_such(wish.id)
    if row["state"] not in ("committed", "allocated"):
        return ended(row, "committed")
    if wish.order_key and row["order_key"] != wish.order_key:
        return Refused(
            f"the reservation belongs to order {row['order_key']!r} already",
            status=409,
            field="order_key",
            rule="reservation.order",
            fix="put that order's key, or reserve for the other order",
        )
    return Answered(id=wish.id, body=as_it_stands(row))
