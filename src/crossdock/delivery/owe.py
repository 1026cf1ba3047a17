# SPDX-License-Identifier: Apache-2.0
"""Owe: write obligations in the transaction that decided them."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from crossdock.journal.decided import NewDelivery
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)


class Obligation(Struct, frozen=True, kw_only=True):
    """A delivery that a document's decision made; `interface` is the outgoing one, `key` keeps deliveries in order."""

    document_id: int
    interface: str
    key: str
    delivery: NewDelivery


async def owe(conn: asyncpg.Connection, obligations: Sequence[Obligation]) -> None:
    """Write every obligation; they are due at once."""
    if obligations:
        await conn.execute(
            SQL.owe,
            [o.document_id for o in obligations],
            [o.interface for o in obligations],
            [o.delivery.system for o in obligations],
            [o.delivery.operation for o in obligations],
            [o.delivery.object for o in obligations],
            [o.key for o in obligations],
            [o.delivery.reference for o in obligations],
            [o.delivery.body for o in obligations],
        )
