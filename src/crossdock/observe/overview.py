# SPDX-License-Identifier: Apache-2.0
"""The overview's figures: per interface what came in, is settled, open and late; per system what it is owed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.runtime.clock import now
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
MINUTES = 60
_MINUTE = timedelta(minutes=1)
_LAG_WINDOW = timedelta(minutes=10)
# A minute that ended this long ago changes no more: every transaction that wrote its times is over.
_FINAL_AFTER = timedelta(minutes=6)


class InterfaceFigures(Struct, frozen=True, kw_only=True):
    """An incoming interface. `received` and `settled`: counts per minute, oldest first, the last one still running.

    `lag_p50`, `lag_p99`: seconds from received to settled over ten minutes, None when nothing was settled.
    `settle_within`: the tier's promise in seconds; `overdue`: open documents past it; `money` at stake by currency.
    """

    interface: str
    system: str
    object: str
    owner: str
    tier: str
    lifecycle: str
    settle_within: float
    open: int
    waiting: int
    retrying: int
    in_case: int
    delivering: int
    overdue: int
    oldest_at: datetime | None
    cases: int
    money: dict[str, Decimal]
    received: list[int]
    settled: list[int]
    lag_p50: float | None
    lag_p99: float | None


class SystemFigures(Struct, frozen=True, kw_only=True):
    """A system. `driven`: a worker holds its lease; `delivered`: counts per minute.

    `last_success`: looked for among the newest 5,000 obligations of all systems, None = longer ago.

    Of stock it is told as a `channel` ("" = none): `stock_lag`: seconds that the oldest change waits which it does not
    know of, None when it knows all; `stock_problems`: numbers it refused; `stock_reason`: why the last call told
    nothing; calls made and the fewest that would have done; `told_p50` and so on: seconds from a change to its
    acknowledgement over three minutes.
    """

    system: str
    due: int
    sending: int
    in_case: int
    oldest_at: datetime | None
    last_success: datetime | None
    breaker: str
    breaker_until: datetime | None
    breaker_reason: str
    paused: bool
    paused_by: str
    pause_reason: str
    driven: bool
    seen_at: datetime | None
    stock_waiting: int
    stock_since: datetime | None
    stock_lag: float | None
    stock_problems: int
    channel: str = ""
    stock_reason: str = ""
    stock_calls: int = 0
    stock_fewest_calls: int = 0
    told_p50: float | None = None
    told_p95: float | None = None
    told_p99: float | None = None
    delivered: list[int]


class PollFigures(Struct, frozen=True, kw_only=True):
    """A topic that is asked about. `age`: seconds since it was last read to its end; `quiet`: seconds since the newest
    change it told of; `failures`: times in a row that asking failed, `trouble` why the last time."""

    interface: str
    topic: str
    age: float
    quiet: float
    failures: int
    trouble: str


class Overview(Struct, frozen=True, kw_only=True):
    """Everything the overview page shows at `at`; series begin at `since` and have one figure a minute."""

    at: datetime
    since: datetime
    interfaces: list[InterfaceFigures]
    systems: list[SystemFigures]
    cases: int
    cases_overdue: int
    money: dict[str, Decimal]
    polls: list[PollFigures] = []


Counts = dict[tuple[str, datetime], int]


class OverviewReader:
    """Reads overviews and remembers minutes that are over, so that a console may ask every second.

    One per process; several callers may share it. Holds at most an hour of counts.
    """

    def __init__(self) -> None:
        self._past: dict[str, Counts] = {name: {} for name in ("came_in", "settled", "delivered")}
        self._until: datetime | None = None

    async def read(self, conn: asyncpg.Connection) -> Overview:
        """The figures now. Seven statements, each on open rows or recent ones only."""
        at = now()
        since = at.replace(second=0, microsecond=0) - (MINUTES - 1) * _MINUTE
        series = await self._series(conn, since, at)
        interfaces = await conn.fetch(SQL.interfaces)
        lags = {row["interface"]: row for row in await conn.fetch(SQL.lag, at - _LAG_WINDOW)}
        systems = await conn.fetch(SQL.systems)
        cases = await conn.fetch(SQL.open_cases)
        return Overview(
            at=at,
            since=since,
            interfaces=[_interface(row, lags, cases, series, since) for row in interfaces],
            systems=[
                SystemFigures(**row, delivered=_line(series["delivered"], row["system"], since)) for row in systems
            ],
            cases=sum(row["number"] for row in cases),
            cases_overdue=sum(row["overdue"] for row in cases),
            money=_money(cases),
            polls=[PollFigures(**row) for row in await conn.fetch(SQL.polls)],
        )

    async def _series(self, conn: asyncpg.Connection, since: datetime, at: datetime) -> dict[str, Counts]:
        start = max(since, self._until) if self._until else since
        final = (at - _FINAL_AFTER).replace(second=0, microsecond=0)
        result = {}
        for name, past in self._past.items():
            rows = await conn.fetch(getattr(SQL, name), start)
            counts = {key: number for key, number in past.items() if since <= key[1] < start}
            counts |= {(row[0], row[1]): row[2] for row in rows}
            self._past[name] = {key: number for key, number in counts.items() if key[1] < final}
            result[name] = counts
        self._until = max(final, since)
        return result


async def overview(conn: asyncpg.Connection) -> Overview:
    """The figures now, counted afresh; a page that asks often keeps an `OverviewReader`."""
    return await OverviewReader().read(conn)


def _interface(
    row: Mapping[str, Any],
    lags: Mapping[str, Any],
    cases: Sequence[Mapping[str, Any]],
    series: Mapping[str, Counts],
    since: datetime,
) -> InterfaceFigures:
    name = row["interface"]
    lag = lags.get(name)
    own = [case for case in cases if case["interface"] == name]
    return InterfaceFigures(
        **row,
        open=row["waiting"] + row["retrying"] + row["in_case"] + row["delivering"],
        cases=sum(case["number"] for case in own),
        money=_money(own),
        received=_line(series["came_in"], name, since),
        settled=_line(series["settled"], name, since),
        lag_p50=lag["p50"] if lag else None,
        lag_p99=lag["p99"] if lag else None,
    )


def _line(counts: Counts, name: str, since: datetime) -> list[int]:
    return [counts.get((name, since + minute * _MINUTE), 0) for minute in range(MINUTES)]


def _money(cases: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for case in cases:
        if case["currency"]:
            sums[case["currency"]] += case["money"]
    return dict(sums)
