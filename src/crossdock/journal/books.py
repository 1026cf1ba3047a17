# SPDX-License-Identifier: Apache-2.0
"""The books: what came in against what became of it, per interface and per system, at one moment (Control Bus)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.runtime.postgres import load_queries

READ = load_queries("crossdock.journal", "read.sql")
MAX_ROWS = 500


class Lines(Struct, frozen=True, kw_only=True):
    """Source lines (order lines, file rows) that documents stand for, by what became of their document."""

    received: int
    duplicate: int
    rejected: int
    settled: int
    open: int


class Contradiction(Struct, frozen=True, kw_only=True):
    """Something no correct history can show; `example` is a document (or message) to look at."""

    what: str
    number: int
    example: int


class Book(Struct, frozen=True, kw_only=True):
    """The account of one interface.

    `received` is counted at the door (messages kept + duplicates seen + refusals), the other columns from the
    documents' states, so that a lost or doubled document makes them differ. `open` = waiting + retrying + in_case +
    delivering. `parts`: documents split off a batch because an element needs a person; they are no extra receipt.
    """

    interface: str
    owner: str
    tier: str
    received: int
    duplicate: int
    rejected: int
    settled: int
    open: int
    waiting: int
    retrying: int
    in_case: int
    delivering: int
    parts: int
    parts_open: int
    lines: Lines
    contradictions: tuple[Contradiction, ...]
    balanced: bool


class DeliveryBook(Struct, frozen=True, kw_only=True):
    """The account of one operation of one system: owed = delivered + open + cancelled.

    `open` = due + sending + in_case.
    """

    system: str
    operation: str
    owed: int
    delivered: int
    open: int
    cancelled: int
    due: int
    sending: int
    in_case: int
    balanced: bool


class OpenDocument(Struct, frozen=True, kw_only=True):
    """A document that is not settled. `age`: seconds since it came; `reason`: why it is open, "" = it is its turn."""

    document_id: int
    key: str
    interface: str
    kind: str
    state: str
    step: str
    owner: str
    deadline: datetime | None
    received_at: datetime
    age: float
    attempts: int
    open_deliveries: int
    reason: str


async def balance(conn: asyncpg.Connection) -> list[Book]:
    """The books of every interface that takes documents in, by name, all read at one moment.

    Reads every document: a few seconds per million, so do not ask every second. Opens a transaction, so `conn` must
    not be in a weaker one.
    """
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        rows = await conn.fetch(READ.books)
        found = await conn.fetch(READ.contradictions)
    contradictions: dict[str, list[Contradiction]] = defaultdict(list)
    for row in found:
        contradictions[row["interface"]].append(
            Contradiction(what=row["what"], number=row["number"], example=row["example"])
        )
    books = [_book(row, tuple(contradictions.pop(row["interface"], ()))) for row in rows]
    # A delivery whose document is gone belongs to no interface; it must not vanish from the books for that.
    books += [_book(_nothing_of(name), tuple(wrong)) for name, wrong in contradictions.items()]
    return books


def _nothing_of(interface: str) -> Mapping[str, Any]:
    names: dict[str, Any] = {"interface": interface, "owner": "", "tier": ""}
    return defaultdict(int, names)


def _book(row: Mapping[str, Any], contradictions: tuple[Contradiction, ...]) -> Book:
    received = row["messages"] + row["duplicates"] + row["rejections"]
    duplicate = row["duplicates"] + row["duplicate"]
    rejected = row["rejections"] + row["rejected"]
    still_open = row["waiting"] + row["retrying"] + row["in_case"] + row["delivering"]
    done = row["lines_duplicate"] + row["lines_rejected"] + row["lines_settled"]
    return Book(
        interface=row["interface"],
        owner=row["owner"],
        tier=row["tier"],
        received=received,
        duplicate=duplicate,
        rejected=rejected,
        settled=row["settled"],
        open=still_open,
        waiting=row["waiting"],
        retrying=row["retrying"],
        in_case=row["in_case"],
        delivering=row["delivering"],
        parts=row["parts"],
        parts_open=row["parts_open"],
        lines=Lines(
            received=row["lines_received"],
            duplicate=row["lines_duplicate"],
            rejected=row["lines_rejected"],
            settled=row["lines_settled"],
            open=row["lines_received"] - done,
        ),
        contradictions=contradictions,
        balanced=received == duplicate + rejected + row["settled"] + still_open and not contradictions,
    )


async def delivery_books(conn: asyncpg.Connection) -> list[DeliveryBook]:
    """What every system is owed, by system and operation."""
    books = []
    for row in await conn.fetch(READ.delivery_books):
        still_open = row["due"] + row["sending"] + row["in_case"]
        balanced = row["owed"] == row["delivered"] + still_open + row["cancelled"]
        books.append(DeliveryBook(**row, open=still_open, balanced=balanced))
    return books


async def open_documents(
    conn: asyncpg.Connection, limit: int = 100, *, interface: str | None = None, state: str | None = None
) -> list[OpenDocument]:
    """Open documents, the nearest deadline first, at most `limit` (500 at most)."""
    rows = await conn.fetch(READ.open_documents, min(max(limit, 1), MAX_ROWS), interface, state)
    return [OpenDocument(**row) for row in rows]
