# SPDX-License-Identifier: Apache-2.0
"""Returns asked for through the API: how they enter the journal (Idempotent Receiver), and what is answered to a key.

As with orders the message is the record of the key: what was asked and answered are kept in the commit that keeps the
return.
"""

from __future__ import annotations

from datetime import datetime

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.goods_return import GoodsReturn
from crossdock.canonical.objects import encode
from crossdock.errors import Refused
from crossdock.returns.request import ReturnRequest
from crossdock.runtime.postgres import load_queries
from crossdock.sdk.receiving import Incoming, digest_of

SQL = load_queries(__package__, "standing.sql")
TOPIC = "returns"


class RequestedReturn(Struct, frozen=True, kw_only=True):
    """The answer to a return that was taken in: it is kept, and will be decided on."""

    id: str
    return_key: str
    order_key: str
    channel: str
    number: str
    state: str
    requested_at: datetime
    lines: int


class _Kept(Struct, frozen=True):
    """What is kept with the message, as texts: people see them beside its body."""

    idempotency_key: str
    consumer: str
    asked: str
    answer: str


class Requesting(Struct, frozen=True):
    """A return about to be kept: the message, and the answer once it is."""

    incoming: Incoming
    answer: bytes


_KEPT = msgspec.json.Decoder(_Kept)


def dedup_key_of(consumer: str, key: str) -> str:
    """The name of a call within its interface, which orders come in by too: a key of theirs is none of a return's."""
    return f":return/{consumer}/{key}"


def asked_of(request: ReturnRequest) -> int:
    """A digest of what is asked for, whatever the JSON looked like."""
    return digest_of(encode(request))


def requesting(asked: GoodsReturn, interface: str, digest: int, key: str, consumer: str) -> Requesting:
    """`asked` as a message of `interface`, under the idempotency key of a consumer. `digest`: of the request."""
    answer = encode(
        RequestedReturn(
            id=asked.return_key.partition("/")[2],
            return_key=asked.return_key,
            order_key=asked.order_key,
            channel=asked.channel,
            number=asked.number,
            state="requested",
            requested_at=asked.requested_at,
            lines=len(asked.lines),
        )
    )
    body = encode(asked)
    incoming = Incoming(
        interface=interface,
        topic=TOPIC,
        dedup_key=dedup_key_of(consumer, key),
        key=f"return/{asked.return_key}",
        version=asked.version,
        body=body,
        headers=encode(_Kept(key, consumer, str(digest), answer.decode())),
        items=len(asked.lines),
        digest=digest_of(body),
        overtakes=True,
    )
    return Requesting(incoming, answer)


async def answer_kept(conn: asyncpg.Connection, interface: str, key: str, consumer: str, digest: int) -> bytes | None:
    """What was answered when this key was first used; None when it never was. Refused 422 when it was used for other
    content."""
    headers = await conn.fetchval(SQL.kept_answer, interface, dedup_key_of(consumer, key))
    if headers is None:
        return None
    kept = _KEPT.decode(headers)
    if kept.asked != str(digest):
        raise Refused(
            f"idempotency key {key!r} was used on interface {interface!r} for another return",
            field="Idempotency-Key",
            rule="idempotency_key.reused",
            fix="repeat a request unchanged, or give the new one a key of its own",
        )
    return kept.answer.encode()
