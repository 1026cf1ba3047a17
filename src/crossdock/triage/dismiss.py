# SPDX-License-Identifier: Apache-2.0
"""Give cases up with a reason: the document is rejected or the delivery cancelled, and the books still balance."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.journal.audit import Origin
from crossdock.journal.record import settle_documents
from crossdock.triage.lock import audit_cases, author, lock_cases
from crossdock.triage.open import SQL


async def dismiss(conn: asyncpg.Connection, case_ids: Sequence[int], *, by: str, origin: Origin, reason: str) -> int:
    """Give up what the open ones of `case_ids` are about; how many were. Runs in the caller's transaction.

    A document that stopped before delivery becomes rejected. A delivery becomes cancelled; its document is settled when
    nothing else is owed. What is being sent at this moment cannot be given up and is not counted. Raises Refused when
    `reason` or `by` is empty, and as `lock_cases`.
    """
    who = author(by, origin, reason, reason_needed=True)
    cases = await lock_cases(conn, case_ids)
    documents = [case.document_id for case in cases if case.delivery_id is None]
    deliveries = [case.delivery_id for case in cases if case.delivery_id is not None]
    note = f"dismissed by {who.by}: {who.reason}"
    rejected = {row["id"] for row in await conn.fetch(SQL.reject_documents, documents, note)} if documents else set()
    rows = await conn.fetch(SQL.cancel_deliveries, deliveries, note) if deliveries else []
    await settle_documents(conn, [(row["document_id"], 1) for row in rows])
    cancelled = {row["id"] for row in rows}
    given_up = [
        (case, {"state": "case"}, {"state": "rejected" if case.delivery_id is None else "cancelled"})
        for case in cases
        if (case.document_id in rejected if case.delivery_id is None else case.delivery_id in cancelled)
    ]
    await conn.execute(SQL.dismiss_cases, [case.id for case, _, _ in given_up], who.by, who.reason)
    await audit_cases(conn, "case.dismiss", given_up, who)
    return len(given_up)
