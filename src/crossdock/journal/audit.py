# SPDX-License-Identifier: Apache-2.0
"""The audit: who changed what by hand, from where, before and after, and why; rows are only ever added.

Write it last in the transaction of the change: writers wait for each other from here to the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.journal.record import storable
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "audit.sql")
MOST_SHOWN: Final = 20_000
"""Bytes of a before or an after that are kept whole; of larger ones size, SHA-256 and beginning."""
MOST_LISTED: Final = 500
_BEGINNING = 2_000
_MOST_NAME = 500
_MOST_REASON = 1_000

Origin = Literal["cli", "console", "api", "estate", "rule"]
"""From where an act came. `estate`: the estate file said so at start; `rule`: a rule of the estate did it."""


class Author(Struct, frozen=True, kw_only=True):
    """Who does something by hand, from where, and why."""

    by: str
    origin: Origin
    reason: str = ""


class Act(Struct, frozen=True, kw_only=True):
    """One thing that was done to the thing `id` of `kind`, of business key `key`.

    `action`: kind.verb, as case.retry. `before`, `after`: anything that is JSON, bytes as they are; None = nothing.
    """

    action: str
    kind: str
    id: str
    key: str = ""
    before: object = None
    after: object = None


class AuditEntry(Struct, frozen=True, kw_only=True):
    """A row of the audit. `what`: kind/id; `hash`: hexadecimal, over this row and the one before it."""

    id: int
    at: datetime
    who: str
    origin: str
    action: str
    what: str
    key: str
    before: Any
    after: Any
    reason: str
    hash: str


async def write_audit(
    conn: asyncpg.Connection, acts: Sequence[Act], *, by: str, origin: Origin, reason: str = ""
) -> None:
    """Add `acts`, in their order, in the caller's transaction."""
    if acts:
        await conn.execute(
            SQL.write,
            storable(by, _MOST_NAME),
            origin,
            storable(reason, _MOST_REASON),
            [storable(act.action, _MOST_NAME) for act in acts],
            [storable(f"{act.kind}/{act.id}", _MOST_NAME) for act in acts],
            [storable(act.key, _MOST_NAME) for act in acts],
            [shown(act.before) for act in acts],
            [shown(act.after) for act in acts],
        )


def shown(value: object) -> str:
    """`value` as bounded JSON text, "" for None."""
    if value is None:
        return ""
    body = value if isinstance(value, bytes) else encode(value)
    if len(body) <= MOST_SHOWN:
        try:
            msgspec.json.decode(body)
            return body.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    begins = body[:_BEGINNING].decode("utf-8", "replace")
    return encode({"bytes": len(body), "sha256": sha256(body).hexdigest(), "begins": begins}).decode()


async def list_audit(  # CD003: filters are named and each may be left out
    conn: asyncpg.Connection,
    *,
    since: datetime | None = None,
    who: str | None = None,
    kind: str | None = None,
    key: str | None = None,
    action: str | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """Acts that fit every filter, the newest first, at most `limit` (500 at most).

    `kind`: of what was changed; `key`: its id, kind/id, or its business key. `after`: go on below this number.
    """
    number = min(max(limit, 1), MOST_LISTED)
    rows = await conn.fetch(SQL.list_acts, since, who, kind, key, action, after, number)
    return [_entry(row) for row in rows]


def _entry(row: asyncpg.Record) -> AuditEntry:
    fields = dict(row)
    for name in ("before", "after"):
        fields[name] = msgspec.json.decode(fields[name]) if fields[name] else None
    return AuditEntry(**{**fields, "hash": fields["hash"].hex()})
