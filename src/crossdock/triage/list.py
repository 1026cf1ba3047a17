# SPDX-License-Identifier: Apache-2.0
"""Read cases: filtered lists, one case with everything about it, and groups of one cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.journal.view import DocumentView, Payload, document_view, payload
from crossdock.triage.edit import editable
from crossdock.triage.failures import CaseFailure, failures_of
from crossdock.triage.open import SQL

MAX_LISTED = 500
_MAX_SHOWN = 256 * 1024


class CaseRow(Struct, frozen=True, kw_only=True, rename={"klass": "class"}):
    """One case. `klass` is the error's code, `field` the place in the document, `fix` what to do; `hold`: kinds of hold
    an order waits for ("credit,fraud"), "" = there is something to mend; `retried_at`: last retry, edit or release,
    None = never; `money` with its ISO 4217 `currency` is what is at stake."""

    id: int
    document_id: int
    delivery_id: int | None
    interface: str
    system: str
    key: str
    step: str
    klass: str
    rule: str
    field: str
    value: str
    reason: str
    fix: str
    owner: str
    deadline: datetime | None
    money: Decimal | None
    currency: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    close_reason: str
    hold: str
    retried_at: datetime | None
    retried_by: str


class CaseDetail(Struct, frozen=True, kw_only=True):
    """A case with its document, and what an edit would replace (`stage` "" = nothing can be edited). `failures`: all
    that is wrong, where it is more than the case says, or holds an order."""

    case: CaseRow
    document: DocumentView
    stage: str
    object: str
    body: Payload
    failures: tuple[CaseFailure, ...] = ()


class CaseGroup(Struct, frozen=True, kw_only=True, rename={"klass": "class"}):
    """Open cases of one cause; `example` is one of their reasons, `example_id` one of their ids."""

    interface: str
    system: str
    step: str
    klass: str
    rule: str
    field: str
    number: int
    first_at: datetime
    last_at: datetime
    deadline: datetime | None
    example: str
    example_id: int


async def list_cases(  # CD003: filters are named and each may be left out
    conn: asyncpg.Connection,
    *,
    state: str | None = "open",
    interface: str | None = None,
    system: str | None = None,
    klass: str | None = None,
    owner: str | None = None,
    text: str | None = None,
    limit: int = 100,
    after: int | None = None,
    hold: str | None = None,
) -> list[CaseRow]:
    """Cases that fit every filter given, the newest first, at most `limit` (500 at most).

    `text` is looked for in key, reason, field and value, case does not matter. `after`: go on below this case id.
    `hold`: only held orders, of this kind of hold or of "any".
    """
    pattern = None if not text else "%" + _escaped(text[:200]) + "%"
    rows = await conn.fetch(
        SQL.list_cases, state, interface, system, klass, owner, pattern, min(max(limit, 1), MAX_LISTED), after, hold
    )
    return await _with_retries(conn, rows)


async def show_case(conn: asyncpg.Connection, case_id: int) -> CaseDetail:
    """The case with its document's bodies and exchanges. Raises Refused 404 when there is none of that id."""
    row = await conn.fetchrow(SQL.show_case, case_id)
    if row is None:
        raise Refused(
            f"there is no case {case_id}", status=404, field="id", rule="not_found", fix="list the cases for their ids"
        )
    (case,) = await _with_retries(conn, [row])
    view = await document_view(conn, case.document_id)
    failures = failures_of(await conn.fetchval(SQL.failures_of, case_id))
    try:
        now = await editable(conn, case_id)
    except Refused:
        return CaseDetail(case=case, document=view, stage="", object="", body=payload(b"", 0), failures=failures)
    body = payload(now.body[:_MAX_SHOWN], len(now.body))
    return CaseDetail(case=case, document=view, stage=now.stage, object=now.object, body=body, failures=failures)


async def group_cases(conn: asyncpg.Connection, limit: int = 100) -> list[CaseGroup]:
    """Open cases by cause, the most frequent first, at most `limit` groups (500 at most)."""
    rows = await conn.fetch(SQL.group_cases, min(max(limit, 1), MAX_LISTED))
    return [CaseGroup(**_fields(row)) for row in rows]


async def _with_retries(conn: asyncpg.Connection, rows: Sequence[Mapping[str, Any]]) -> list[CaseRow]:
    found = await conn.fetch(SQL.retried, [f"case/{row['id']}" for row in rows]) if rows else []
    retried = {row["what"]: (row["at"], row["who"]) for row in found}
    cases = []
    for row in rows:
        at, who = retried.get(f"case/{row['id']}", (None, ""))
        cases.append(CaseRow(**_fields(row), retried_at=at, retried_by=who))
    return cases


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    return {("klass" if name == "class" else name): value for name, value in row.items()}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("\x00", "")
