# SPDX-License-Identifier: Apache-2.0
"""Try cases again: the document or delivery goes on from the step where it stopped."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.journal.audit import Origin
from crossdock.journal.record import settle_documents
from crossdock.triage.lock import InHand, audit_cases, author, lock_cases
from crossdock.triage.open import SQL


async def retry(conn: asyncpg.Connection, case_ids: Sequence[int], *, by: str, origin: Origin, reason: str = "") -> int:
    """Make what the open ones of `case_ids` are about due now; how many were. Runs in the caller's transaction.

    Attempts are kept. A delivery whose outcome was ever unknown is looked for first. The case stays open and shows when
    it was retried; success closes it, another failure brings it up to date. What is already under way is left alone and
    not counted. Raises Refused as `lock_cases`.
    """
    who = author(by, origin, reason, reason_needed=False)
    cases = await lock_cases(conn, case_ids)
    retried = await go_on(conn, cases)
    changes = [(case, {"state": "case"}, {"state": "due", "step": case.step}) for case in retried]
    await audit_cases(conn, "case.retry", changes, who)
    return len(retried)


async def go_on(conn: asyncpg.Connection, cases: Sequence[InHand]) -> list[InHand]:
    """Set documents and deliveries of locked cases going again; the cases it did that for."""
    documents = [case.document_id for case in cases if case.delivery_id is None]
    deliveries = [case.delivery_id for case in cases if case.delivery_id is not None]
    going = {row["id"] for row in await conn.fetch(SQL.retry_documents, documents)} if documents else set()
    due = await conn.fetch(SQL.retry_deliveries, deliveries) if deliveries else []
    # With no obligation settled the document's state is worked out anew: delivering, or still a case for another one.
    await settle_documents(conn, [(row["document_id"], 0) for row in due])
    sent = {row["id"] for row in due}
    return [c for c in cases if (c.document_id in going if c.delivery_id is None else c.delivery_id in sent)]
