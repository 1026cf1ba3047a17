# SPDX-License-Identifier: Apache-2.0
"""Take cases in hand: lock what they are about in the one order every writer uses, and write down who did what."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.journal.audit import Act, Author, Origin, write_audit
from crossdock.journal.keep import SQL as JOURNAL
from crossdock.triage.open import SQL

MAX_CASES = 500
MAX_REASON = 1000


class InHand(Struct, frozen=True, kw_only=True):
    """An open case under our lock, with its document and delivery."""

    id: int
    document_id: int
    delivery_id: int | None
    key: str
    step: str


async def lock_cases(conn: asyncpg.Connection, case_ids: Sequence[int]) -> list[InHand]:
    """The open ones of `case_ids` (at most 500), locked until the transaction ends: deliveries, then documents, then
    cases, each by id. Raises Refused when there are too many, or none of that id."""
    ids = sorted(set(case_ids))
    if len(ids) > MAX_CASES:
        raise Refused(
            f"{len(ids)} cases are too many at once",
            field="case_ids",
            rule="too_many",
            fix=f"take at most {MAX_CASES} at a time",
        )
    about = await conn.fetch(SQL.about_cases, ids)
    unknown = set(ids) - {row["id"] for row in about}
    if unknown:
        shown = ", ".join(str(number) for number in sorted(unknown)[:10])
        raise Refused(
            f"there is no case {shown}",
            status=404,
            field="case_ids",
            rule="not_found",
            fix="list the cases and give ids of those",
        )
    await conn.execute(SQL.lock_deliveries, [row["delivery_id"] for row in about if row["delivery_id"] is not None])
    await conn.execute(JOURNAL.lock_documents, [row["document_id"] for row in about])
    return [InHand(**row) for row in await conn.fetch(SQL.lock_cases, ids)]


def author(by: str, origin: Origin, reason: str, *, reason_needed: bool) -> Author:
    """Who acts and why, stripped and bounded; Refused when the audit could not say who, or why where it must."""
    by, reason = by.strip()[:200], reason.strip()[:MAX_REASON]
    if not by:
        raise Refused("nobody is named as doing this", field="by", rule="author", fix="say who you are")
    if reason_needed and not reason:
        raise Refused("this needs a reason", field="reason", rule="reason", fix="say why, for whoever asks later")
    return Author(by=by, origin=origin, reason=reason)


async def audit_cases(
    conn: asyncpg.Connection, action: str, changes: Sequence[tuple[InHand, object, object]], who: Author
) -> None:
    """One audit row per (case, before, after)."""
    acts = [
        Act(action=action, kind="case", id=str(case.id), key=case.key, before=before, after=after)
        for case, before, after in changes
    ]
    await write_audit(conn, acts, by=who.by, origin=who.origin, reason=who.reason)
