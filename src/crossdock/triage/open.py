# SPDX-License-Identifier: Apache-2.0
"""Open cases (Dead Letter Channel): one open case per document and delivery, whatever goes wrong how often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.errors import CrossdockError
from crossdock.runtime.postgres import load_queries
from crossdock.triage.failures import failures_kept, hold_of

SQL = load_queries(__package__)
_MAX_TEXT = 2000


class NewCase(Struct, frozen=True, kw_only=True):
    """A document that needs a person. `delivery_id` None = the document itself, else one obligation of it.

    `step`: translate, decide or deliver. `money` at stake with its ISO 4217 `currency`. `deadline` UTC.
    """

    document_id: int
    delivery_id: int | None = None
    interface: str
    system: str = ""
    key: str
    step: str
    error: CrossdockError
    owner: str = ""
    deadline: datetime | None = None
    money: Decimal | None = None
    currency: str = ""


async def open_cases(conn: asyncpg.Connection, cases: Sequence[NewCase]) -> list[int]:
    """The case id of each of `cases`, in their order; runs in the caller's transaction, at most two statements.

    A document or delivery whose case is open keeps it: cause and figures are brought up to date. Of two about the same
    one, the last counts. The caller holds the documents' row locks and sets their state to 'case'.
    """
    newest = {(case.document_id, case.delivery_id): case for case in cases}
    if not newest:
        return []
    wanted = [newest[about] for about in sorted(newest, key=lambda about: (about[0], about[1] or 0))]
    columns = _columns(wanted)
    ids = {_about(row): row["id"] for row in await conn.fetch(SQL.refresh_cases, *columns)}
    missing = [case for case in wanted if (case.document_id, case.delivery_id) not in ids]
    if missing:
        ids |= {_about(row): row["id"] for row in await conn.fetch(SQL.open_cases, *_columns(missing))}
    return [ids[(case.document_id, case.delivery_id)] for case in cases]


def _about(row: asyncpg.Record) -> tuple[int, int | None]:
    return row["document_id"], row["delivery_id"]


def _columns(cases: Sequence[NewCase]) -> tuple[list[object], ...]:
    return (
        [c.document_id for c in cases],
        [c.delivery_id for c in cases],
        [c.interface for c in cases],
        [c.system for c in cases],
        [c.key for c in cases],
        [c.step for c in cases],
        [c.error.code for c in cases],
        [_text(c.error.rule) for c in cases],
        [_text(c.error.field) for c in cases],
        ["" if c.error.value is None else _text(c.error.value) for c in cases],
        [_text(c.error.reason) for c in cases],
        [_text(c.error.fix) for c in cases],
        [c.owner for c in cases],
        [c.deadline for c in cases],
        [c.money for c in cases],
        [c.currency for c in cases],
        [hold_of(c.error) for c in cases],
        [failures_kept(c.error) for c in cases],
    )


def _text(value: object) -> str:
    """`value` as PostgreSQL can hold it: bounded, without NUL and lone surrogates, which hostile payloads carry."""
    text = str(value)[:_MAX_TEXT].replace("\x00", "\ufffd")
    return text.encode("utf-8", "replace").decode("utf-8")
