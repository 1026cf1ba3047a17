# SPDX-License-Identifier: Apache-2.0
"""What a channel was told of stock, as the database keeps it: the newest number of each SKU, all of them with their
times, calls under way, and how publishing goes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.canonical.stock import Availability
from crossdock.inventory.conflate import Conflation, Number
from crossdock.inventory.level import Pair
from crossdock.inventory.rules import ChannelRule
from crossdock.journal.record import storable
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import load_queries
from crossdock.sdk.sending import MOST_KEPT, Exchange

SQL = load_queries(__package__, "publish.sql")
PAGE = 20_000
# A call that was cut off with its worker may still be having its effect.
SETTLE_SECONDS = 1.0


class Call(Struct, frozen=True, kw_only=True):
    """A call that told numbers under `sequence`, and how it ended: what was told; of what may or may not have arrived
    (SKU, location, why); of what was refused (SKU, location, why, seconds until it is told again)."""

    id: int
    sequence: int
    ended_at: datetime
    told: Sequence[Number] = ()
    unknown: Sequence[tuple[str, str, str]] = ()
    refused: Sequence[tuple[str, str, str, float]] = ()


class Publication(Struct, frozen=True, kw_only=True):
    """How publishing to a system goes. `lags`: seconds, p50, p95 and p99; `place`: in the outbox, see `StockFeed`."""

    waiting: int
    waiting_since: datetime | None
    problems: int
    reason: str
    calls: int
    fewest_calls: int
    lags: Sequence[float]
    place: tuple[int, int]


class Earlier(Struct, frozen=True, kw_only=True):
    """What is known of publishing before us. `known_until`: changes made before then had been told."""

    known_until: datetime
    calls: int = 0
    fewest_calls: int = 0


async def take_over(conn: asyncpg.Connection, channel: ChannelRule) -> set[Pair]:
    """Make what an earlier worker was telling when it died unknown; the (SKU, location) of it. In a transaction."""
    await conn.execute(SQL.follow_anew, channel.system)
    await conn.execute(SQL.forget_other_places, channel.system, channel.summed)
    return {(row["sku"], row["location"]) for row in await conn.fetch(SQL.take_over_calls, channel.system)}


async def load_told(conn: asyncpg.Connection, system: str, cut: Collection[Pair], queue: Conflation) -> int:
    """Fill `queue` with what `system` was told, as the database has it; the highest sequence it was told under.

    What was `cut` off is told again a moment later: it may still be having its effect.
    """
    clock = asyncio.get_running_loop().time()
    sku, location, highest = "", "", 0
    while True:
        rows = await conn.fetch(SQL.told_page, system, sku, location, PAGE)
        for row in rows:
            sku, location = row["sku"], row["location"]
            wait, refused = SETTLE_SECONDS if (sku, location) in cut else row["wait"], row["refused"]
            until = clock + wait if wait else 0.0
            queue.restore(sku, location, None if refused else row["told"], until, refused=refused)
            highest = max(highest, row["told_sequence"])
        if len(rows) < PAGE:
            return highest


async def earlier(conn: asyncpg.Connection, system: str) -> Earlier:
    """How publishing to `system` stood when it was shown last."""
    row = await conn.fetchrow(SQL.publication, system)
    return Earlier(**row) if row is not None else Earlier(known_until=now())


async def doubted(conn: asyncpg.Connection, system: str) -> list[Pair]:
    """Numbers that are to be told again because somebody found that `system` may not show them; at most a page."""
    return [(row["sku"], row["location"]) for row in await conn.fetch(SQL.doubted, system, PAGE)]


async def begin_call(
    conn: asyncpg.Connection, system: str, fence: int, sequence: int, numbers: Sequence[Number]
) -> int | None:
    """Note what is about to be told; the call's id, or None when the lease of `system` is not ours any more."""
    found: int | None = await conn.fetchval(
        SQL.begin_call, system, fence, sequence, [one.sku for one in numbers], [one.location for one in numbers]
    )
    return found


async def record_call(
    conn: asyncpg.Connection, channel: ChannelRule, fence: int, call: Call, exchanges: Sequence[Exchange] = ()
) -> bool:
    """Write how a call ended, with an event for every number told; whether the lease of the system is still ours."""
    told = call.told
    data = encode([_event(channel.name, one, call) for one in told]) if told else None
    ours: bool = await conn.fetchval(
        SQL.record_call,
        channel.system,
        fence,
        call.id,
        call.sequence,
        call.ended_at,
        [one.sku for one in told],
        [one.location for one in told],
        [one.quantity for one in told],
        [one.changed_at for one in told],
        data,
        [sku for sku, _, _ in call.unknown],
        [location for _, location, _ in call.unknown],
        [_reason(reason) for _, _, reason in call.unknown],
        [sku for sku, _, _, _ in call.refused],
        [location for _, location, _, _ in call.refused],
        [_reason(reason) for _, _, reason, _ in call.refused],
        [wait for _, _, _, wait in call.refused],
        [one.method for one in exchanges],
        [one.url for one in exchanges],
        [one.request[:MOST_KEPT] for one in exchanges],
        [one.status for one in exchanges],
        [one.response[:MOST_KEPT] for one in exchanges],
    )
    return ours


def _reason(reason: str) -> str:
    # Without any it would look like a number that nobody has told yet.
    return storable(reason, 500) or "no reason was given"


def _event(channel: str, number: Number, call: Call) -> Mapping[str, object]:
    place = f"{number.sku}@{number.location}" if number.location else number.sku
    return {
        "key": f"availability/{channel}/{place}",
        "data": Availability(
            channel=channel,
            sku=number.sku,
            location=number.location,
            available=number.quantity,
            sequence=call.sequence,
            as_of=call.ended_at,
        ),
    }


async def show(conn: asyncpg.Connection, channel: ChannelRule, fence: int, state: Publication) -> None:
    """Show how publishing goes, unless the lease has gone to another worker."""
    await conn.execute(
        SQL.show_publication,
        channel.system,
        fence,
        channel.name,
        state.waiting,
        state.waiting_since,
        state.problems,
        storable(state.reason, 500),
        state.calls,
        state.fewest_calls,
        *state.lags,
        *state.place,
    )
