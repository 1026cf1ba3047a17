# SPDX-License-Identifier: Apache-2.0
"""Take cancellations (credits against an earlier order or invoice) in, as documents of their own kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import asyncpg

from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import Cancellation
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.journal.decided import Decided, NewEvent, Translated
from crossdock.orders.accept import SQL
from crossdock.orders.examine import unknown_channel
from crossdock.orders.validate import cancellation_failures


async def cancel(
    conn: asyncpg.Connection, batch: Sequence[Translated], catalog: Catalog, known_channel: Callable[[str], bool]
) -> list[Decided]:
    """Decide on cancellations, in the same order. One that is known is a duplicate; a bad one is a case."""
    errors = [_check(item.document, catalog, known_channel) for item in batch]
    good = [item for item, error in zip(batch, errors, strict=True) if error is None]
    new = await _write(conn, good)
    return [_decide(item.document, error, item.claimed.id in new) for item, error in zip(batch, errors, strict=True)]


def _check(note: Cancellation, catalog: Catalog, known_channel: Callable[[str], bool]) -> NeedsEdit | None:
    failures = cancellation_failures(note, catalog.products.__contains__)
    if not known_channel(note.channel):
        failures.append(unknown_channel(note.channel))
    return NeedsEdit.of(failures) if failures else None


async def _write(conn: asyncpg.Connection, good: Sequence[Translated]) -> set[int]:
    if not good:
        return set()
    ordered = sorted(good, key=lambda item: item.document.cancellation_key)
    notes: list[Cancellation] = [item.document for item in ordered]
    rows = await conn.fetch(
        SQL.insert_cancellations,
        [n.cancellation_key for n in notes],
        [n.number for n in notes],
        [n.channel for n in notes],
        [n.of_order for n in notes],
        [n.customer.id for n in notes],
        [n.currency for n in notes],
        [n.total.amount for n in notes],
        [item.claimed.id for item in ordered],
        [n.cancelled_at for n in notes],
    )
    return {row["document_id"] for row in rows}


def _decide(note: Cancellation, error: NeedsEdit | None, new: bool) -> Decided:
    if error is not None:
        return Decided(error=error, money=note.total.amount, currency=note.currency)
    if not new:
        return Decided(duplicate=True, note="the cancellation is here already")
    summary = encode({"cancellation_key": note.cancellation_key, "number": note.number, "total": note.total})
    return Decided(
        accepted=True,
        events=(NewEvent(type="cancellation.accepted", data=summary),),
        money=note.total.amount,
        currency=note.currency,
    )
