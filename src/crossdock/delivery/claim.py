# SPDX-License-Identifier: Apache-2.0
"""Claim deliveries of a system under its lease: the oldest open one of each key, decoded and ready to send."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import asyncpg
import msgspec

from crossdock.canonical.handed import HANDED
from crossdock.delivery.owe import SQL
from crossdock.delivery.system import Item, System
from crossdock.errors import NeedsEdit
from crossdock.sdk.sending import Outgoing

LEASE_SECONDS = 5.0
SETTLE_SECONDS = 1.0


async def hold(conn: asyncpg.Connection, system: str, worker: str) -> tuple[int, bool] | None:
    """Take or renew the lease of `system`: (fence, paused), or None while another worker drives it.

    A fence that differs from the last one means that the lease was lost meanwhile: call `take_over`.
    """
    row = await conn.fetchrow(SQL.hold_system, system, worker, LEASE_SECONDS)
    return (row["fence"], row["paused"]) if row is not None else None


async def take_over(conn: asyncpg.Connection, system: str, fence: int) -> None:
    """Make what an earlier holder was sending due again, to be looked for first.

    A moment later, because a call that was cut off with its worker may still be having its effect.
    """
    await conn.execute(SQL.take_over, system, fence, SETTLE_SECONDS)


async def release(conn: asyncpg.Connection, system: str, worker: str, fence: int) -> None:
    """Give the lease back."""
    await conn.execute(SQL.release_system, system, worker, fence)


async def claim(
    conn: asyncpg.Connection, system: System, fence: int, limit: int, under_way: Collection[int] = ()
) -> list[Item]:
    """At most `limit` due deliveries that are not `under_way`, noted as being sent; none when the lease is not ours."""
    rows = await conn.fetch(SQL.claim, system.name, fence, limit, list(under_way), system.needs_known)
    return [_item(system, row) for row in rows]


def _item(system: System, row: asyncpg.Record) -> Item:
    document: Any = None
    problem = None
    try:
        document = HANDED.decode(row["object"], row["body"] or b"")
    except (msgspec.ValidationError, msgspec.DecodeError, KeyError) as error:
        problem = NeedsEdit(
            f"what is to be sent is no {row['object']}: {error}", rule="canonical", fix="mend the document"
        )
    if row["operation"] not in system.operations:
        problem = NeedsEdit(
            f"system {system.name} has no operation {row['operation']}",
            rule="operation_known",
            value=row["operation"],
            fix="give the system a connector that has it, then retry; or dismiss it",
        )
    known: dict[str, str] = {}
    for teller, operation, reference, theirs in row["known"] or ():
        known[f"{teller}/{operation}"] = theirs
        known[f"{teller}/{operation}/{reference}"] = theirs
    return Item(
        outgoing=Outgoing(
            delivery_id=row["id"],
            operation=row["operation"],
            reference=row["reference"],
            idempotency_key=str(row["idempotency_key"]),
            document=document,
            known=known,
            attempt=row["attempt"],
        ),
        document_id=row["document_id"],
        interface=row["interface"],
        object=row["object"],
        key=row["key"],
        look_first=row["look_first"],
        claim_id=row["claim_id"],
        problem=problem,
    )
