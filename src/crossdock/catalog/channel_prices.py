# SPDX-License-Identifier: Apache-2.0
"""What channels are to show of prices and what they were told, as the database keeps it: only the newest price of each
SKU is ever to be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.canonical.channel_price import ChannelPrice
from crossdock.canonical.objects import encode
from crossdock.catalog.shown import PriceRule, Shown
from crossdock.journal.record import storable
from crossdock.runtime.postgres import load_queries
from crossdock.sdk.sending import MOST_KEPT, Exchange

SQL = load_queries(__package__, "channel_prices.sql")
PAGE = 20_000


class ToTell(Struct, frozen=True, kw_only=True):
    """A price that is to be told. `changed_at`: when the change was heard of; `refusals`: how often in a row the
    channel would not take it."""

    sku: str
    price: Decimal
    unit: str
    changed_at: datetime
    refusals: int


class PriceCall(Struct, frozen=True, kw_only=True):
    """A call that told prices under `sequence`, and how it ended: what was told; what may or may not have arrived, and
    what was not sent (SKU, why); what was refused (SKU, price, why, seconds until it is told again). `reason`: why the
    system could not be told, "" when it could."""

    sequence: int
    ended_at: datetime
    told: Sequence[ChannelPrice] = ()
    untold: Sequence[tuple[str, str]] = ()
    refused: Sequence[tuple[str, Decimal, str, float]] = ()
    exchanges: Sequence[Exchange] = ()
    reason: str = ""


class Following(Struct, frozen=True, kw_only=True):
    """How telling goes: lags in seconds (p50, p95, p99); the catalog and the price lists that it
    follows."""

    lags: Sequence[float]
    version: int
    stamp: int


async def take_over(conn: asyncpg.Connection, rule: PriceRule) -> tuple[set[str], int]:
    """Begin to tell a channel: the SKUs it has or had a price of, and the highest sequence it was told under."""
    await conn.fetchval(SQL.take_over, rule.channel, rule.system)
    skus: set[str] = set()
    last = ""
    while True:
        rows = await conn.fetch(SQL.known_skus, rule.channel, last, PAGE)
        skus.update(row["sku"] for row in rows)
        if len(rows) < PAGE:
            break
        last = rows[-1]["sku"]
    return skus, await conn.fetchval(SQL.newest_sequence, rule.channel)


async def want(conn: asyncpg.Connection, rule: PriceRule, fence: int, shown: Sequence[Shown]) -> bool:
    """The channel is to show these; whether the lease of its system is still ours."""
    ours: bool = await conn.fetchval(
        SQL.want,
        rule.channel,
        fence,
        rule.currency,
        [one.sku for one in shown],
        [one.price for one in shown],
        [one.unit for one in shown],
        [one.list for one in shown],
        [one.changed_at for one in shown],
    )
    return ours


async def next_due(conn: asyncpg.Connection, channel: str) -> float | None:
    """Seconds until a price is to be told, 0 = now; None when none is."""
    seconds: float | None = await conn.fetchval(SQL.next_due, channel)
    return None if seconds is None else max(0.0, seconds)


async def begin_call(conn: asyncpg.Connection, channel: str, fence: int, sequence: int, most: int) -> list[ToTell]:
    """At most `most` prices to tell now, noted as being told; none when the lease is not ours any more."""
    return [
        ToTell(
            sku=row["sku"],
            price=row["wanted"],
            unit=row["unit"],
            changed_at=row["wanted_at"],
            refusals=row["refusals"],
        )
        for row in await conn.fetch(SQL.begin_call, channel, fence, sequence, most)
    ]


async def record_call(conn: asyncpg.Connection, channel: str, fence: int, call: PriceCall) -> bool:
    """Write how a call ended, with an event for every price told; whether the lease of the system is still ours."""
    told, exchanges = call.told, call.exchanges
    data = encode([{"key": f"price/{channel}/{one.sku}", "data": one} for one in told]) if told else None
    ours: bool = await conn.fetchval(
        SQL.record_call,
        channel,
        fence,
        call.sequence,
        call.ended_at,
        [one.sku for one in told],
        [one.price for one in told],
        data,
        [sku for sku, _ in call.untold],
        [_reason(reason) for _, reason in call.untold],
        [sku for sku, _, _, _ in call.refused],
        [price for _, price, _, _ in call.refused],
        [_reason(reason) for _, _, reason, _ in call.refused],
        [wait for _, _, _, wait in call.refused],
        [one.method for one in exchanges],
        [one.url for one in exchanges],
        [one.request[:MOST_KEPT] for one in exchanges],
        [one.status for one in exchanges],
        [one.response[:MOST_KEPT] for one in exchanges],
        storable(call.reason, 500),
    )
    return ours


async def show(conn: asyncpg.Connection, channel: str, fence: int, state: Following) -> None:
    """Show how telling goes, unless the lease has gone to another worker."""
    await conn.execute(SQL.show, channel, fence, *state.lags, state.version, state.stamp)


def _reason(reason: str) -> str:
    return storable(reason, 500) or "no reason was given"
