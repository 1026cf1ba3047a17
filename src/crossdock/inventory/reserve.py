# SPDX-License-Identifier: Apache-2.0
"""Reserve goods before there is an order: a batch of requests in one transaction, each of them whole or not at all.

The requests of a batch are decided in their order, in memory, on levels that one statement locked; what earlier ones
took, later ones do not get. A key that came before is answered with what was made then.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from secrets import token_hex

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.catalog.cache import Catalog
from crossdock.errors import EngineAway, Refused
from crossdock.inventory.again import transaction
from crossdock.inventory.available import Stock
from crossdock.inventory.due import Due, read_expected
from crossdock.inventory.expire import expire
from crossdock.inventory.level import Levels
from crossdock.inventory.lock import lock_levels, write_levels
from crossdock.inventory.pace import Paces
from crossdock.inventory.request import Sound, check
from crossdock.inventory.reservation import (
    SQL,
    Answered,
    Asked,
    HeldGoods,
    NotEnough,
    Reservation,
    as_it_stands,
    told,
)
from crossdock.inventory.rules import StockRules
from crossdock.inventory.substitutes import with_substitutes
from crossdock.inventory.take import held_lines, take
from crossdock.journal.record import Event, record_events
from crossdock.runtime.postgres import away

log = structlog.get_logger(__name__)

Outcome = Answered | Refused
# A transaction holds its levels locked; with more lines than this it would hold them long.
LINES_AT_ONCE = 2_000
# Beyond this COPY costs less than arrays do, for all that it is a statement more.
_MOST_IN_ARRAYS = 200
_LINE = ("reservation_id", "line", "sku", "location", "quantity")


class _Made(Struct, frozen=True):
    """A reservation that is to be written."""

    id: str
    asked: Asked
    created_at: datetime
    expires_at: datetime
    taken: Mapping[str, tuple[HeldGoods, ...]]
    body: bytes


class Reserving:
    """Takes reservations by `rules`. `catalog` is kept up by every batch."""

    def __init__(self, pool: asyncpg.Pool, rules: StockRules, catalog: Catalog) -> None:
        self._pool = pool
        self._rules = rules
        self._catalog = catalog
        self._paces = Paces(rules)

    async def reserve(self, batch: Sequence[Asked]) -> list[Outcome]:
        """The answer to each request, in the same order. Raises EngineAway, RetryLater.

        Goods of reservations that are over are given back before anybody is told that there is not enough. Many lines
        are taken in several transactions, one after the other.
        """
        outcomes: list[Outcome] = []
        for part in _parts(batch):
            outcomes += await self._part(part)
        return outcomes

    async def _part(self, batch: Sequence[Asked]) -> list[Outcome]:
        outcomes, overdue = await self._transaction(batch)
        if overdue:
            short = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, NotEnough)]
            await expire(self._pool, overdue)
            again, _ = await self._transaction([batch[number] for number in short])
            for number, outcome in zip(short, again, strict=True):
                outcomes[number] = outcome
        await self._hint(batch, outcomes)
        return outcomes

    async def _hint(self, batch: Sequence[Asked], outcomes: list[Outcome]) -> None:
        """Say to those who get nothing what they could buy instead; a hint that cannot be had is left out."""
        short = [(n, outcome) for n, outcome in enumerate(outcomes) if isinstance(outcome, NotEnough)]
        if not short:
            return
        errors = [(outcome, self._rules.channels[batch[n].request.channel]) for n, outcome in short]
        try:
            with away():
                async with self._pool.acquire() as conn:
                    hinted = await with_substitutes(
                        conn, errors, self._rules, self._catalog.products, self._paces.buffer
                    )
        except (EngineAway, asyncpg.QueryCanceledError) as error:
            log.info("reservations.no_hint", reason=str(error))
            return
        for (number, _), outcome in zip(short, hinted, strict=True):
            outcomes[number] = outcome

    async def _transaction(self, batch: Sequence[Asked]) -> tuple[list[Outcome], set[str]]:
        return await transaction(self._pool, lambda conn: self._decide(conn, batch))

    async def _decide(self, conn: asyncpg.Connection, batch: Sequence[Asked]) -> tuple[list[Outcome], set[str]]:
        """The answer to each request; and the SKUs of those that get nothing, when reservations of some of these SKUs
        are over."""
        began = time.monotonic()
        # A channel that is none of ours is not asked for: it may hold what no database can.
        channels = [one.request.channel if one.request.channel in self._rules.channels else "" for one in batch]
        found = await conn.fetch(SQL.find_reservations, channels, [one.key for one in batch])
        if found[0]["catalog"] != self._catalog.version:
            await self._catalog.refresh(conn)
        await self._paces.refresh(conn)
        products = self._catalog.products
        judged: list[Outcome | Sound] = [
            check(one.request, self._rules, products) if row["id"] is None else _repeated(one, row)
            for one, row in zip(batch, found, strict=True)
        ]
        sound = [one for one in judged if isinstance(one, Sound)]
        if not sound:
            return [one for one in judged if not isinstance(one, Sound)], set()
        levels, stock = await self._lock(conn, sound, found[0]["at"])
        # The wait for the locks is no part of a buyer's time.
        at = found[0]["at"] + timedelta(seconds=time.monotonic() - began)
        made: dict[tuple[str, str], _Made] = {}
        outcomes: list[Outcome] = []
        short: set[str] = set()
        for one, judgement in zip(batch, judged, strict=True):
            if not isinstance(judgement, Sound):
                outcomes.append(judgement)
                continue
            outcomes.append(self._take(one, judgement, stock, levels, made, at))
            if isinstance(outcomes[-1], NotEnough):
                short.update(sku for sku, _ in judgement.pairs)
        if made:
            await _write(conn, list(made.values()), levels)
        # Asked under the locks: whoever ends a reservation of these SKUs has done it before or does it after.
        overdue = bool(short) and bool(await conn.fetch(SQL.due_reservations, 1, sorted(short)))
        return outcomes, short if overdue else set()

    async def _lock(self, conn: asyncpg.Connection, sound: Sequence[Sound], at: datetime) -> tuple[Levels, Stock]:
        """Every level that these requests look at, locked, and what there is of it."""
        pairs = {pair for one in sound for pair in one.pairs}
        # Of goods that are expected some can be promised before there is any level, so that one must be there to lock.
        coming = {pair for one in sound if one.channel.horizon is not None for pair in one.pairs}
        levels = await lock_levels(conn, pairs, coming)
        due = await read_expected(conn, {sku for sku, _ in coming}) if coming else Due({})
        return levels, Stock(levels.at, self._catalog.products, due.within(at), self._paces.buffer)

    def _take(
        self,
        one: Asked,
        sound: Sound,
        stock: Stock,
        levels: Levels,
        made: dict[tuple[str, str], _Made],
        at: datetime,
    ) -> Outcome:
        place = (one.request.channel, one.key)
        earlier = made.get(place)
        if earlier is not None:
            if earlier.asked.digest != one.digest:
                return _other_content(one)
            return Answered(id=earlier.id, body=earlier.body, repeated=True)
        got = take(sound, self._rules, stock, levels)
        if isinstance(got, list):
            return NotEnough(tuple(got))
        request = one.request
        reservation = Reservation(
            id=f"rsv_{int(at.timestamp() * 1000):012x}{token_hex(8)}",
            channel=request.channel,
            state="active",
            reference=request.reference,
            created_at=at,
            expires_at=at + timedelta(seconds=request.ttl_seconds),
            lines=held_lines(request, got, self._catalog.products),
        )
        made[place] = _Made(reservation.id, one, at, reservation.expires_at, got, encode(reservation))
        return Answered(id=reservation.id, body=made[place].body)


def _parts(batch: Sequence[Asked]) -> Iterable[Sequence[Asked]]:
    """The batch in parts of so many lines that a transaction stays short."""
    part: list[Asked] = []
    lines = 0
    for one in batch:
        lines += len(one.request.lines)
        if part and lines > LINES_AT_ONCE:
            yield part
            part, lines = [], len(one.request.lines)
        part.append(one)
    yield part


def _repeated(one: Asked, row: asyncpg.Record) -> Outcome:
    if row["digest"] != one.digest:
        return _other_content(one)
    return Answered(id=row["id"], body=as_it_stands(row), repeated=True)


def _other_content(one: Asked) -> Refused:
    return Refused(
        f"idempotency key {one.key!r} was used on channel {one.request.channel!r} for another reservation",
        field="Idempotency-Key",
        rule="idempotency_key.reused",
        fix="repeat a request unchanged, or give the new one a key of its own",
    )


async def _write(conn: asyncpg.Connection, made: Sequence[_Made], levels: Levels) -> None:
    rows = [
        (one.id, line, goods.sku, goods.location, goods.quantity)
        for one in made
        for line, taken in one.taken.items()
        for goods in taken
    ]
    if len(rows) > _MOST_IN_ARRAYS:
        await conn.copy_records_to_table("reservation_line", records=rows, columns=_LINE)
        rows = []
    await conn.execute(
        SQL.make_reservations,
        [one.id for one in made],
        [one.asked.request.channel for one in made],
        [one.asked.key for one in made],
        [one.asked.digest for one in made],
        [one.asked.request.reference for one in made],
        [one.created_at for one in made],
        [one.expires_at for one in made],
        [one.body for one in made],
        *([row[column] for row in rows] for column in range(len(_LINE))),
    )
    data = told((one.id, msgspec.Raw(one.body)) for one in made)
    await record_events(conn, [Event(type="reservation.created", key="", document_id=0, data=data, many=True)])
    await write_levels(conn, levels)
