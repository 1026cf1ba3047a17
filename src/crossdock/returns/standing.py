# SPDX-License-Identifier: Apache-2.0
"""A return as it stands: what was asked for, what is allowed, what has come back, what was given for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.canonical.goods_return import GoodsReturn
from crossdock.canonical.objects import decode
from crossdock.errors import Refused
from crossdock.returns.lines import ZERO, LineState, load
from crossdock.returns.placed import SQL, TOPIC

MOST = 200
"""The most receipts, deliveries and problems that are told of one return."""
STATES: Mapping[str, str] = {
    "requested": "kept, and about to be decided on",
    "held": "a person decides: `problems` says why",
    "rejected": "given up with a reason",
    "approved": "allowed; the goods are awaited",
    "partly_received": "some of the goods have come back",
    "received": "all of the goods have come back",
    "declined": "not allowed",
    "cancelled": "taken back by who asked for it",
}
"""What a return may be, and what that means."""


class ReturnLineView(Struct, frozen=True, kw_only=True):
    """One line, in `unit`, which its goods are kept in. received = restocked + quarantined + scrapped."""

    line: str
    sku: str
    unit: str
    reason: str
    requested: Decimal
    approved: Decimal
    received: Decimal
    restocked: Decimal
    quarantined: Decimal
    scrapped: Decimal


class ReturnReceiptView(Struct, frozen=True, kw_only=True):
    """What came back at once, and what was given for it; amounts in the return's currency."""

    receipt: str
    location: str
    received_at: datetime
    refund: Decimal
    fee: Decimal


class ReturnDelivery(Struct, frozen=True, kw_only=True):
    """Whom the return was to be told, and how far that is: due, case (a person looks at it), delivered or cancelled.

    `reference`: what that system calls it.
    """

    system: str
    operation: str
    state: str
    reference: str
    settled_at: datetime | None


class ReturnProblem(Struct, frozen=True, kw_only=True):
    """What keeps a return: the rule it broke and where, and how to mend it; until when somebody will have."""

    rule: str
    field: str
    reason: str
    fix: str
    deadline: datetime | None


class ReturnView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A return and how far it is. `refund` is what was given back, `fee` what was kept of it, in `currency`."""

    id: str
    return_key: str
    order_key: str
    channel: str
    number: str
    state: str
    version: int
    requested_at: datetime
    changed_at: datetime
    resolution: str
    location: str
    lines: tuple[ReturnLineView, ...]
    currency: str = ""
    refund: Decimal
    fee: Decimal
    receipts: tuple[ReturnReceiptView, ...] = ()
    problems: tuple[ReturnProblem, ...] = ()
    deliveries: tuple[ReturnDelivery, ...] = ()


class ReturnStanding(Struct, frozen=True):
    """A return, and the account that bought its goods ("" = nobody knows yet)."""

    view: ReturnView
    customer: str


async def return_standing(
    conn: asyncpg.Connection, name: str, channels: Sequence[str], interfaces: Sequence[str]
) -> ReturnStanding:
    """The return called `name`: an id of the API, which is looked for on `channels`, or a return key.

    `interfaces`: those of the API, by which one comes in that was not decided on yet. Refused 404 when there is none.
    """
    keys = [name] if "/" in name else [f"{channel}/{name}" for channel in channels]
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        row = await conn.fetchrow(SQL.return_as_it_stands, keys)
        if row is not None:
            return await _known(conn, row)
        row = await conn.fetchrow(SQL.return_that_waits, [f"return/{key}" for key in keys], list(interfaces), TOPIC)
        if row is None:
            raise no_such_return(name)
        return await _waiting(conn, row)


def no_such_return(name: str) -> Refused:
    """There is no return of this id."""
    return Refused(
        f"there is no return {name[:100]!r}",
        status=404,
        rule="return.unknown",
        fix="use the id that the return was answered with, or its return key, CHANNEL/ID",
    )


async def _known(conn: asyncpg.Connection, row: asyncpg.Record) -> ReturnStanding:
    view = ReturnView(
        id=row["return_key"].partition("/")[2],
        return_key=row["return_key"],
        order_key=row["order_key"],
        channel=row["channel"],
        number=row["number"],
        state=row["state"],
        version=row["version"],
        requested_at=row["requested_at"],
        changed_at=row["changed_at"],
        resolution=row["resolution"],
        location=row["location"],
        lines=tuple(_line(name, state) for name, state in load(row["lines"]).items()),
        currency=row["currency"],
        refund=row["refund"],
        fee=row["fee"],
        receipts=tuple(_receipt(one) for one in await conn.fetch(SQL.receipts_of, row["return_key"], MOST)),
        problems=await _problems(conn, row["return_key"]),
        deliveries=tuple(
            ReturnDelivery(**one)
            for one in reversed(await conn.fetch(SQL.deliveries_of, f"return/{row['return_key']}", MOST))
        ),
    )
    return ReturnStanding(view, row["customer_id"] or "")


async def _waiting(conn: asyncpg.Connection, row: asyncpg.Record) -> ReturnStanding:
    asked: GoodsReturn = decode("goods_return", row["body"])
    view = ReturnView(
        id=asked.return_key.partition("/")[2],
        return_key=asked.return_key,
        order_key=asked.order_key,
        channel=asked.channel,
        number=asked.number,
        state={"case": "held", "rejected": "rejected"}.get(row["state"], "requested"),
        version=asked.version,
        requested_at=asked.requested_at,
        changed_at=row["received_at"],
        resolution=asked.resolution,
        location=asked.location,
        lines=tuple(
            _line(
                line.line,
                LineState(sku=line.sku, unit=line.quantity.unit, requested=line.quantity.value, reason=line.reason),
            )
            for line in asked.lines
        ),
        refund=ZERO,
        fee=ZERO,
        problems=await _problems(conn, asked.return_key),
    )
    return ReturnStanding(view, await conn.fetchval(SQL.customer_of, asked.order_key) or "")


async def _problems(conn: asyncpg.Connection, return_key: str) -> tuple[ReturnProblem, ...]:
    return tuple(ReturnProblem(**row) for row in await conn.fetch(SQL.problems_of, f"return/{return_key}", MOST))


def _line(name: str, state: LineState) -> ReturnLineView:
    return ReturnLineView(
        line=name,
        sku=state.sku,
        unit=state.unit,
        reason=state.reason,
        requested=state.requested,
        approved=state.approved,
        received=state.received,
        restocked=state.restocked,
        quarantined=state.quarantined,
        scrapped=state.scrapped,
    )


def _receipt(row: asyncpg.Record) -> ReturnReceiptView:
    return ReturnReceiptView(
        receipt=row["receipt_key"],
        location=row["location"],
        received_at=row["received_at"],
        refund=row["refund"],
        fee=row["fee"],
    )
