# SPDX-License-Identifier: Apache-2.0
"""Write what was decided of documents: states, versions, events and parts, one statement each for a whole batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg
from msgspec import Struct

from crossdock.journal.keep import SQL

_LONGEST_NOTE = 2000


def storable(text: str, most: int = _LONGEST_NOTE) -> str:
    """`text` as PostgreSQL can hold it: at most `most` characters, without NUL and lone surrogates, which hostile
    payloads and answers carry into reasons."""
    if len(text) <= most and text.isascii() and "\x00" not in text:
        return text
    return text[:most].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Event(Struct, frozen=True, kw_only=True):
    """A business event; `data` is its JSON body. `many`: `data` is an array of {"key", "data"}, each an event."""

    type: str
    key: str
    document_id: int
    data: bytes
    many: bool = False


class Recorded(Struct, frozen=True, kw_only=True):
    """The new state of a document. `key`: its business key, as far as it is known now. `wait`: seconds until it is due
    again (state retry)."""

    id: int
    state: str
    step: str
    kind: str
    version: int
    key: str
    open_deliveries: int = 0
    made_by: str = ""
    note: str = ""
    wait: float = 0.0


class Version(Struct, frozen=True, kw_only=True):
    """A form of a document to keep."""

    document_id: int
    number: int
    stage: str
    body: bytes
    made_by: str


class Part(Struct, frozen=True, kw_only=True):
    """One element of a batch document that becomes a document of its own because it was not accepted."""

    parent_id: int
    ordinal: int
    kind: str
    stage: str
    body: bytes


async def record_decided(conn: asyncpg.Connection, documents: Sequence[Recorded]) -> None:
    """Write the new state of every document in one statement."""
    await conn.execute(
        SQL.record_decided,
        [d.id for d in documents],
        [d.state for d in documents],
        [d.step for d in documents],
        [d.kind for d in documents],
        [d.version for d in documents],
        [d.open_deliveries for d in documents],
        [d.made_by for d in documents],
        [storable(d.note) for d in documents],
        [d.wait for d in documents],
        [d.key for d in documents],
    )


async def record_versions(conn: asyncpg.Connection, versions: Sequence[Version]) -> None:
    """Keep the forms that a step made."""
    if versions:
        # COPY writes rows by the page and costs both sides half of what an INSERT does.
        await conn.copy_records_to_table(
            "document_version",
            records=[(v.document_id, v.number, v.stage, v.body, v.made_by) for v in versions],
            columns=("document_id", "number", "stage", "body", "made_by"),
        )


async def record_events(conn: asyncpg.Connection, events: Sequence[Event]) -> None:
    """Write events into the outbox, in the transaction that made them true (Transactional Outbox)."""
    if events:
        await conn.copy_records_to_table(
            "event",
            records=[(e.type, e.key, e.document_id, e.data, e.many) for e in events],
            columns=("type", "key", "document_id", "data", "many"),
        )


async def record_parts(conn: asyncpg.Connection, parts: Sequence[Part]) -> dict[tuple[int, int], int]:
    """Open a document in state case for each part; its id by (parent id, ordinal)."""
    if not parts:
        return {}
    rows = await conn.fetch(
        SQL.record_parts,
        [p.parent_id for p in parts],
        [p.ordinal for p in parts],
        [p.kind for p in parts],
        [p.stage for p in parts],
        [p.body for p in parts],
    )
    return {(row["parent_id"], row["ordinal"]): row["id"] for row in rows}


async def settle_documents(
    conn: asyncpg.Connection, done: Iterable[tuple[int, int]], *, anew: bool = True
) -> dict[int, str]:
    """Take settled obligations off documents: (document id, how many) each; the documents' new states by id.

    Zero obligations is allowed. `anew`: the caller holds the documents' locks, so their state is worked out from what
    they owe; without, one that waits for a person goes on waiting unless nothing is left. Goes through the documents in
    id order, as every writer does, so that two of them hardly ever wait for each other; should they, one gets a
    deadlock error.
    """
    counts: dict[int, int] = {}
    for document_id, number in done:
        counts[document_id] = counts.get(document_id, 0) + number
    if not counts:
        return {}
    ids = sorted(counts)
    rows = await conn.fetch(SQL.settle_documents, ids, [counts[i] for i in ids], anew)
    return {row["id"]: row["state"] for row in rows}
