# SPDX-License-Identifier: Apache-2.0
"""One document side by side: what was received, its canonical form, what was sent and what was answered."""

from __future__ import annotations

from datetime import datetime

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.journal.books import READ
from crossdock.journal.traced import CaseMark, TracedDocument, VersionMark

MAX_SHOWN = 256 * 1024
MAX_EXCHANGES = 50
_SECRET_WORDS = ("authorization", "cookie", "token", "secret", "signature", "hmac", "password", "key")


class Payload(Struct, frozen=True, kw_only=True):
    """A body as text, at most 256 KiB of it; bytes that are not UTF-8 show as U+FFFD. `size` is the whole in bytes."""

    text: str
    size: int
    truncated: bool


class CanonicalForm(Struct, frozen=True, kw_only=True):
    """A form of the document with what made it."""

    number: int
    made_by: str
    author: str
    reason: str
    at: datetime
    body: Payload


class Travelled(Struct, frozen=True, kw_only=True):
    """One exchange with a system on behalf of the document; it may have carried other documents too."""

    delivery_id: int
    system: str
    operation: str
    number: int
    outcome: str
    error: str
    started_at: datetime
    finished_at: datetime
    method: str
    url: str
    status: int
    sent: Payload
    answered: Payload


class DocumentView(Struct, frozen=True, kw_only=True):
    """A document with its bodies. `edited_source` stands for the message since somebody edited it."""

    document: TracedDocument
    received: Payload
    headers: dict[str, str]
    edited_source: CanonicalForm | None
    canonical: CanonicalForm | None
    versions: list[VersionMark]
    exchanges: list[Travelled]
    cases: list[CaseMark]


async def document_view(conn: asyncpg.Connection, document_id: int) -> DocumentView:
    """The document with its newest 50 exchanges. Raises Refused 404 when there is none of that id."""
    row = await conn.fetchrow(READ.one_document, document_id)
    if row is None:
        raise Refused(
            f"there is no document {document_id}", status=404, field="id", rule="not_found", fix="search for its key"
        )
    message = await conn.fetchrow(READ.view_message, document_id, MAX_SHOWN)
    exchanges = await conn.fetch(READ.view_exchanges, document_id, MAX_EXCHANGES, MAX_SHOWN)
    versions = await conn.fetch(READ.trace_versions, [document_id], MAX_EXCHANGES)
    cases = await conn.fetch(READ.trace_cases, [document_id], MAX_EXCHANGES)
    return DocumentView(
        document=TracedDocument(**row),
        received=payload(message["body"], message["size"]),
        headers=_shown_headers(message["headers"]),
        edited_source=await _form(conn, document_id, "source"),
        canonical=await _form(conn, document_id, "canonical"),
        versions=[VersionMark(**version) for version in versions],
        exchanges=[_travelled(exchange) for exchange in exchanges],
        cases=[CaseMark(**{("klass" if k == "class" else k): v for k, v in case.items()}) for case in cases],
    )


def payload(body: bytes, size: int) -> Payload:
    """`body` for people; `size` is what the whole has when `body` is only its beginning."""
    return Payload(text=body.decode("utf-8", "replace"), size=size, truncated=size > len(body))


async def _form(conn: asyncpg.Connection, document_id: int, stage: str) -> CanonicalForm | None:
    row = await conn.fetchrow(READ.view_version, document_id, stage, MAX_SHOWN)
    if row is None:
        return None
    return CanonicalForm(
        number=row["number"],
        made_by=row["made_by"],
        author=row["author"],
        reason=row["reason"],
        at=row["created_at"],
        body=payload(row["body"], row["size"]),
    )


def _travelled(row: asyncpg.Record) -> Travelled:
    columns = dict(row)
    return Travelled(
        sent=payload(columns.pop("request"), columns.pop("request_size")),
        answered=payload(columns.pop("response"), columns.pop("response_size")),
        **columns,
    )


def _shown_headers(headers: bytes | None) -> dict[str, str]:
    """Header names and values; values that could let somebody in are left out."""
    if not headers:
        return {}
    try:
        pairs = msgspec.json.decode(headers, type=dict[str, str])
    except msgspec.DecodeError:
        return {"(headers)": f"{len(headers)} bytes that are not a JSON object of strings"}
    return {
        name: "(not shown)" if any(word in name.lower() for word in _SECRET_WORDS) else value
        for name, value in pairs.items()
    }
