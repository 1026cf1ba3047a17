# SPDX-License-Identifier: Apache-2.0
"""Orders placed through the API: how they enter the journal (Idempotent Receiver), and what is answered to a key.

The message is the record of the key: what was asked and what was answered are kept with it, in the commit that keeps
the order. So there is never the one without the other, whatever dies when.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import Refused
from crossdock.orders.request import OrderRequest
from crossdock.runtime.postgres import load_queries
from crossdock.sdk.receiving import Incoming, digest_of

SQL = load_queries(__package__, "standing.sql")
TOPIC = "orders"
CANCEL_TOPIC = "orders.cancel"


class PlacedOrder(Struct, frozen=True, kw_only=True):
    """The answer to an order that was taken in: it is kept, and will be decided on. Amounts are in `currency`."""

    id: str
    order_key: str
    channel: str
    number: str
    state: str
    placed_at: datetime
    currency: str
    total: Decimal
    lines: int


class _Kept(Struct, frozen=True):
    """What is kept with the message, as texts: people see them beside its body."""

    idempotency_key: str
    consumer: str
    asked: str
    answer: str


class Placing(Struct, frozen=True):
    """An order about to be kept: the message, what was asked (its digest), and the answer once it is kept."""

    incoming: Incoming
    asked: int
    answer: bytes


_KEPT = msgspec.json.Decoder(_Kept)


def interface_of(channel: str) -> str:
    """The interface by which orders of the API come in on `channel`."""
    return f"{channel}.api"


def dedup_key_of(consumer: str, key: str) -> str:
    """The name of a call within its channel: two consumers may use the same key."""
    return f"{consumer}/{key}"


def asked_of(request: OrderRequest) -> int:
    """A digest of what is asked for, whatever the JSON looked like."""
    return digest_of(encode(request))


def placing(order: SalesOrder, order_id: str, asked: int, key: str, consumer: str) -> Placing:
    """`order` as a message, under the idempotency key of a consumer."""
    answer = encode(
        PlacedOrder(
            id=order_id,
            order_key=order.order_key,
            channel=order.channel,
            number=order.number,
            state="received",
            placed_at=order.placed_at,
            currency=order.currency,
            total=order.total.amount,
            lines=len(order.lines),
        )
    )
    body = encode(order)
    incoming = Incoming(
        interface=interface_of(order.channel),
        topic=TOPIC,
        dedup_key=dedup_key_of(consumer, key),
        key=f"order/{order.order_key}",
        version=order.version,
        body=body,
        headers=encode(_Kept(key, consumer, str(asked), answer.decode())),
        items=len(order.lines) or 1,
        digest=digest_of(body),
        overtakes=True,
    )
    return Placing(incoming, asked, answer)


async def answer_kept(conn: asyncpg.Connection, channel: str, key: str, consumer: str, asked: int) -> bytes | None:
    """What was answered when this key was first used; None when it never was. Refused 422 when it was used for other
    content."""
    headers = await conn.fetchval(SQL.kept_answer, interface_of(channel), dedup_key_of(consumer, key))
    if headers is None:
        return None
    kept = _KEPT.decode(headers)
    if kept.asked != str(asked):
        raise Refused(
            f"idempotency key {key!r} was used on channel {channel!r} for another order",
            field="Idempotency-Key",
            rule="idempotency_key.reused",
            fix="repeat a request unchanged, or give the new one a key of its own",
        )
    return kept.answer.encode()
