# SPDX-License-Identifier: Apache-2.0
"""Release reservations: what they hold is free again."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.errors import Refused
from crossdock.inventory.again import transaction
from crossdock.inventory.hold import reserved
from crossdock.inventory.lock import lock_levels, write_levels
from crossdock.inventory.reservation import SQL, Answered, as_it_stands, ended, no_such, told_states
from crossdock.journal.audit import Act, Origin, write_audit
from crossdock.journal.record import Event, record_events


async def release(pool: asyncpg.Pool, ids: Sequence[str]) -> list[Answered | Refused]:
    """Give back what these reservations hold, in one transaction; the answer to each, in the same order.

    One that has ended already is answered as it stands; one that an order took over is refused. Raises EngineAway,
    RetryLater.
    """
    return await transaction(pool, lambda conn: release_in(conn, ids))


async def release_in(conn: asyncpg.Connection, ids: Sequence[str]) -> list[Answered | Refused]:
    """The same in the caller's transaction, which has locked no level yet."""
    await _end(conn, ids)
    return await _answers(conn, ids)


async def release_by_hand(
    conn: asyncpg.Connection, reservation: str, *, by: str, origin: Origin, reason: str
) -> Answered | Refused:
    """The same for one reservation that a person gives back, which the audit says when it was active until now."""
    ended_now = await _end(conn, [reservation])
    (answer,) = await _answers(conn, [reservation])
    acts = [
        Act(
            action="reservation.release",
            kind="reservation",
            id=row["id"],
            key=f"reservation/{row['id']}",
            before={"state": "active"},
            after={"state": row["state"]},
        )
        for row in ended_now
    ]
    await write_audit(conn, acts, by=by, origin=origin, reason=reason)
    return answer


async def _end(conn: asyncpg.Connection, ids: Sequence[str]) -> list[asyncpg.Record]:
    """Release those of `ids` that are active, and tell; their rows."""
    known = [row["id"] for row in await conn.fetch(SQL.reservations, sorted(set(ids)))]
    rows = await give_back(conn, known, SQL.release_reservations)
    if rows:
        event = Event(type="reservation.released", key="", document_id=0, data=told_states(rows), many=True)
        await record_events(conn, [event])
    return rows


async def give_back(conn: asyncpg.Connection, ids: Sequence[str], statement: str) -> list[asyncpg.Record]:
    """End reservations with `statement` and free what those held that it ended; their rows.

    `ids` were seen in this transaction already, so their lines are here too. Lines never change and ended reservations
    stay so: what is read before the locks is all that can be given back.
    """
    held = await reserved(conn, ids)
    levels = await lock_levels(conn, {pair for lines in held.values() for pair in lines})
    rows = await conn.fetch(statement, sorted(set(ids)))
    for row in rows:
        for (sku, location), quantity in held.get(row["id"], {}).items():
            levels.change(sku, location, reserved=-quantity)
    await write_levels(conn, levels)
    return rows


async def _answers(conn: asyncpg.Connection, ids: Sequence[str]) -> list[Answered | Refused]:
    rows = {row["id"]: row for row in await conn.fetch(SQL.reservations, sorted(set(ids)))}
    answers: list[Answered | Refused] = []
    for one in ids:
        row = rows.get(one)
        if row is None:
            answers.append(no_such(one))
        elif row["state"] == "allocated":
            answers.append(ended(row, "released"))
        else:
            answers.append(Answered(id=one, body=as_it_stands(row)))
    return answers
