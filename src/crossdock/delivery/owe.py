# SPDX-License-Identifier: Apache-2.0
"""Owe: write obligations in the transaction that decided them."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from crossdock.journal.decided import NewDelivery
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
_COLUMNS = ("document_id", "interface", "system", "operation", "object", "key", "reference", "body")


class Obligation(Struct, frozen=True, kw_only=True):
    """A delivery that a document's decision made; `interface` is the outgoing one, `key` keeps deliveries in order."""

    document_id: int
    interface: str
    key: str
    delivery: NewDelivery


async def owe(conn: asyncpg.Connection, obligations: Sequence[Obligation]) -> None:
    """Write every obligation; they are due at once."""
    if obligations:
        rows = [_row(o, o.delivery) for o in obligations]
        await conn.copy_records_to_table("delivery", records=rows, columns=_COLUMNS)


def _row(of: Obligation, made: NewDelivery) -> tuple[object, ...]:
    return of.document_id, of.interface, made.system, made.operation, made.object, of.key, made.reference, made.body
