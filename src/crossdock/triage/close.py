# SPDX-License-Identifier: Apache-2.0
"""Close cases that mended themselves: the document went on, or a newer statement of the same thing made it moot."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.journal.keep import SQL as JOURNAL
from crossdock.triage.open import SQL


async def close_by_success(
    conn: asyncpg.Connection, document_ids: Sequence[int], delivery_ids: Sequence[int] = ()
) -> int:
    """Close the open cases of documents that were decided and of deliveries that were made; how many there were.

    A document's success does not close cases of its deliveries: each of those is an obligation of its own.
    """
    closed = 0
    if document_ids:
        closed += _count(await conn.execute(SQL.close_documents, list(document_ids)))
    if delivery_ids:
        closed += _count(await conn.execute(SQL.close_deliveries, list(delivery_ids)))
    return closed


async def close_superseded(conn: asyncpg.Connection, keys: Sequence[str], newer_than: Sequence[int]) -> list[int]:
    """Documents that became duplicates because document `newer_than[i]` of key `keys[i]` was accepted; their ids.

    Only documents that wait for a person before delivery, came earlier on the same interface and say nothing newer
    (their version is not higher); and only when the accepted one is a full statement of its thing (`overtakes`). A
    shipment of an order therefore never closes the order's case. Their cases close with the reason.
    """
    found = await conn.fetch(SQL.superseded, list(keys), list(newer_than))
    if not found:
        return []
    # Two newer documents of one batch may supersede the same old one; the newest is named.
    newest: dict[int, int] = {}
    for row in found:
        newest[row["id"]] = max(row["newer"], newest.get(row["id"], 0))
    await conn.execute(JOURNAL.lock_documents, list(newest))
    rows = await conn.fetch(SQL.mark_superseded, list(newest), list(newest.values()))
    ids = sorted(row["id"] for row in rows)
    await conn.execute(SQL.close_superseded, ids)
    return ids


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
