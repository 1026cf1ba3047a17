# SPDX-License-Identifier: Apache-2.0
"""Check the audit's chain: any row that was changed, removed, moved or slipped in is found.

Whoever can write to the database could work the chain out anew from a row on. A head that is kept elsewhere shows that
too: the row it names must still be there with that hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.journal.audit import SQL

GENESIS = bytes(32)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE = 2_000
_HASHED = ("who", "origin", "action", "what", "key", "before", "after", "reason")


class AuditHead(Struct, frozen=True, kw_only=True):
    """A place in the chain: the number of a row (0 = before the first) and its hash, hexadecimal."""

    id: int
    hash: str

    def __str__(self) -> str:
        return f"{self.id}:{self.hash}"


class Broken(Struct, frozen=True, kw_only=True):
    """The first row at which the chain does not hold, and why."""

    id: int
    why: str


class Verified(Struct, frozen=True, kw_only=True):
    """What checking came to: how many rows hold from the first on, where they end, and what is broken behind them."""

    rows: int
    head: AuditHead
    broken: Broken | None


def head_of(text: str) -> AuditHead:
    """The head that `crossdock audit head` printed. Raises Refused when `text` is none."""
    number, _, digest = text.strip().lower().partition(":")
    plain = number.isascii() and number.isdigit() and len(number) <= 18
    if not plain or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise Refused(
            f"{text[:100]!r} is no head of the audit",
            field="head",
            rule="audit_head",
            fix="give what `crossdock audit head` printed: NUMBER:SHA256",
        )
    return AuditHead(id=int(number), hash=digest)


def hash_of(previous: bytes, row: Any) -> bytes:
    """The hash of a row behind one whose hash is `previous`: SHA-256 over that and each field with its length."""
    micros = (row["at"] - _EPOCH) // timedelta(microseconds=1)
    digest = sha256(previous)
    for part in (str(row["id"]), str(micros), *(row[name] for name in _HASHED)):
        body = part.encode()
        digest.update(b"%d:%b" % (len(body), body))
    return digest.digest()


async def audit_head(conn: asyncpg.Connection) -> AuditHead:
    """The head of the chain as it stands; check it before keeping it elsewhere."""
    row = await conn.fetchrow(SQL.head)
    return AuditHead(id=row["id"], hash=row["hash"].hex()) if row is not None else AuditHead(id=0, hash=GENESIS.hex())


async def verify_audit(conn: asyncpg.Connection, kept: AuditHead | None = None) -> Verified:
    """Check the whole chain as it stands at one moment, and that it goes through `kept`."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        head = await audit_head(conn)
        walk = _Walk(kept)
        while page := await conn.fetch(SQL.page, walk.after, _PAGE):
            walk.take(page)
            if walk.why:
                break
        extra = await conn.fetchval(SQL.how_many) - walk.rows
    reached = AuditHead(id=walk.rows, hash=walk.previous.hex())
    broken = Broken(id=walk.rows + 1, why=walk.why) if walk.why else _end(reached, head, extra, kept)
    return Verified(rows=walk.rows, head=reached, broken=broken)


class _Walk:
    """From row to row: how many held, the hash of the last of them, and why the next does not."""

    def __init__(self, kept: AuditHead | None) -> None:
        self._kept = kept
        self.rows = 0
        self.previous = GENESIS
        self.after = -(1 << 63)
        self.why = self._kept_otherwise(0, GENESIS)

    def take(self, page: Sequence[Any]) -> None:
        for row in page:
            self.why = self.why or self._wrong(row)
            if self.why:
                return
            self.rows, self.previous, self.after = self.rows + 1, row["hash"], row["id"]

    def _wrong(self, row: Any) -> str:
        if row["id"] != self.rows + 1:
            return f"the row is not there; row {row['id']} comes next"
        if hash_of(self.previous, row) != row["hash"]:
            return "its hash is not that of its content and the row before"
        return self._kept_otherwise(row["id"], row["hash"])

    def _kept_otherwise(self, number: int, digest: bytes) -> str:
        if self._kept is not None and self._kept.id == number and self._kept.hash != digest.hex():
            return "its hash is not the one that was kept elsewhere"
        return ""


def _end(reached: AuditHead, head: AuditHead, extra: int, kept: AuditHead | None) -> Broken | None:
    """What is wrong with where the chain ends."""
    if extra:
        return Broken(id=reached.id + 1, why=f"{extra} rows are there twice")
    if reached.id < head.id:
        return Broken(id=reached.id + 1, why=f"the chain ends before row {head.id}")
    if reached != head:
        return Broken(id=max(head.id, 1), why=f"the chain's writers ended at row {head.id} with another hash")
    if kept is not None and kept.id > reached.id:
        return Broken(id=reached.id + 1, why=f"the chain ends before row {kept.id}, which was kept elsewhere")
    return None
