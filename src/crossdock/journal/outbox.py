# SPDX-License-Identifier: Apache-2.0
"""Relay events from the outbox to the bus in commit order (Transactional Outbox, Message Relay).

A sequence alone does not give commit order: a transaction that took its number early may commit late. An event is
therefore relayed only when no older transaction is still running, in the order (transaction, number).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.envelope import CloudEvent
from crossdock.canonical.objects import encode
from crossdock.journal.keep import SQL
from crossdock.runtime.bus_messages import Publication
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import away

STREAM = "CROSSDOCK_EVENTS"
SUBJECTS = ("crossdock.events.>",)
TICK = "crossdock.tick.events"
# As many as NATS takes in one atomic batch.
PAGE = 1000
# Rows may hold hundreds of events each: a page is cut after so much, and the next follows at once.
PAGE_BYTES = 4_000_000
# NATS takes messages of at most 1 MB; the envelope around the data needs its share.
MOST_DATA = 900_000
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_MOST_SUBJECT = 200
# What happens to goods at a place: the place is a token of its own, so that a subscriber can ask for a SKU.
_PLACED = ("stock/", "availability/")


class Tick(Struct, frozen=True):
    """Told after each look at the outbox: every event committed before `at` (the database's clock) is in the stream,
    at number `sequence` or before; and how far in commit order that is, for who reads the outbox itself."""

    at: datetime
    sequence: int
    xid: int
    id: int


async def relay(pool: asyncpg.Pool, bus: Bus, source: str) -> tuple[int, bool]:
    """Publish the next page of events and move the cursor; how many there were, and whether more may follow at once.

    One relay at a time: another finds the cursor locked and does nothing. A crash between publishing and moving
    publishes again under the same ids, which the stream recognises. Raises EngineAway when NATS or PostgreSQL is away;
    events wait.
    """
    with away():
        return await _relay_page(pool, bus, source)


async def _relay_page(pool: asyncpg.Pool, bus: Bus, source: str) -> tuple[int, bool]:
    async with pool.acquire() as conn, conn.transaction():
        if not await conn.fetchval(SQL.lock_cursor, "nats"):
            return 0, False
        cursor = await _cursor(conn)
        rows = await conn.fetch(SQL.next_events, cursor["xid"], cursor["id"], PAGE, PAGE_BYTES)
        if rows:
            await bus.publish_batch([one for row in rows for one in _publications(row, source)])
            await conn.execute(SQL.move_cursor, "nats", rows[-1]["xid"], rows[-1]["id"])
        more = len(rows) == PAGE or sum(len(row["data"]) for row in rows) >= PAGE_BYTES
        if not more:
            await _tick(conn, bus, rows[-1] if rows else cursor)
        return len(rows), more


async def _cursor(conn: asyncpg.Connection) -> asyncpg.Record:
    """The relay's place; at the beginning in a database that nobody prepared for an estate yet."""
    place: asyncpg.Record | None = await conn.fetchrow(SQL.cursor, "nats")
    if place is None:
        await conn.execute(SQL.ensure_cursor, "nats")
        return await _cursor(conn)
    return place


async def _tick(conn: asyncpg.Connection, bus: Bus, place: asyncpg.Record) -> None:
    at = await final_until(conn, place["xid"], place["id"])
    # Asked for each time: another relay may have published since we did.
    await bus.tell(TICK, encode(Tick(at, await bus.last_sequence(STREAM), place["xid"], place["id"])))


async def final_until(conn: asyncpg.Connection, xid: int, number: int) -> datetime:
    """Every event committed before this moment comes at or before the place (`xid`, `number`) in commit order. To be
    asked in the transaction in which the events up to there were read."""
    at: datetime = await conn.fetchval(SQL.final_until, xid, number)
    return at


async def ensure_cursor(pool: asyncpg.Pool) -> None:
    """Make the relay's cursor, at the beginning, when there is none."""
    async with pool.acquire() as conn:
        await conn.execute(SQL.ensure_cursor, "nats")


def subject_of(kind: str, key: str) -> str:
    """The subject of an event: `crossdock.events.<object>.<what>.<key>`, with what a subject cannot hold as `_`.

    A key that ends with a place ("stock/SKU@PLACE") makes two tokens of it: `.stock_SKU.PLACE`.
    """
    parts = key.rsplit("@", 1) if key.startswith(_PLACED) else [key]
    return ".".join(["crossdock.events", kind, *(_UNSAFE.sub("_", part)[:_MOST_SUBJECT] or "_" for part in parts)])


class _Element(Struct, frozen=True):
    key: str
    data: msgspec.Raw


_MANY = msgspec.json.Decoder(list[_Element])


def events_of(row: Any) -> list[tuple[int, str, bytes]]:
    """The events of an outbox row (Splitter): element (0: the row is one event; else from 1), key and data of each."""
    if not row["many"]:
        return [(0, row["key"], row["data"])]
    return [(number, one.key, bytes(one.data)) for number, one in enumerate(_MANY.decode(row["data"]), 1)]


def cloud_event(row: Any, element: int, key: str, data: bytes, source: str) -> CloudEvent:
    """The event as subscribers get it: its id is its place in commit order."""
    place = f"{row['xid']}-{row['id']}"
    return CloudEvent(
        specversion="1.0",
        id=f"{place}-{element}" if element else place,
        source=source,
        type=f"crossdock.{row['type']}.v1",
        subject=key,
        time=row["at"],
        data=msgspec.Raw(data),
    )


def claim_check(document_id: int, size: int) -> bytes:
    """Stands for data that is too large to be carried (Claim Check): which document holds it."""
    return encode({"document": document_id, "size": size})


def _publications(row: asyncpg.Record, source: str) -> list[Publication]:
    found = []
    for element, key, data in events_of(row):
        carried = data if len(data) <= MOST_DATA else claim_check(row["document_id"], len(data))
        event = cloud_event(row, element, key, carried, source)
        found.append(Publication(subject=subject_of(row["type"], key), payload=encode(event), id=event.id))
    return found
