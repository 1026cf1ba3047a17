# SPDX-License-Identifier: Apache-2.0
"""Who calls what: requests by consumer, route and UTC day; counted in memory, added to PostgreSQL together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import structlog
from msgspec import Struct

from crossdock.governance.keyring import SQL
from crossdock.governance.meter import DAY

KEPT_DAYS = 400
"""For so many days it is kept who called what: a year and a month to compare it with."""
MOST_UNTOLD = 100_000
"""The most counts of a gateway that wait for the database; beyond it only those that are there already grow."""
MOST_ROWS = 5_000

Counts = dict[tuple[str, str, str, int], list[float]]
"""Consumer, method, path, day (since 1970) → requests and when the last one came."""

log = structlog.get_logger(__name__)


class RouteUse(Struct, frozen=True, kw_only=True):
    """How often a consumer called a route. `day`: of one UTC day, None = of all asked for; `days`: on how many."""

    consumer: str
    method: str
    path: str
    day: date | None
    days: int
    requests: int
    last_at: datetime


class UsageWish(Struct, frozen=True, kw_only=True):
    """What is asked of the usage: from day `since` (UTC), of `consumer` ("" = all), of `routes` (None = all; method and
    path template), `daily`: a row for each day."""

    since: date
    consumer: str = ""
    routes: Sequence[tuple[str, str]] | None = None
    daily: bool = False
    limit: int = 500


class RouteTally:
    """Counts that the database was not told of. `seconds`: since 1970, UTC.

    `add` is on the way of every request: it looks at the clock once and makes one entry.
    """

    def __init__(self, seconds: Callable[[], float] = time.time) -> None:
        self._seconds = seconds
        self._counts: Counts = {}
        self._day = 0
        self.lost = 0
        """Requests that were not counted because too many counts waited."""

    def add(self, consumer: str, method: str, path: str) -> None:
        """One request of a route, whose path is as the access table has it."""
        at = self._seconds()
        key = (consumer, method, path, int(at // DAY))
        count = self._counts.get(key)
        if count is not None:
            count[0] += 1
            count[1] = at
        elif len(self._counts) < MOST_UNTOLD:
            self._counts[key] = [1, at]
        else:
            self.lost += 1

    @property
    def waiting(self) -> int:
        """How many counts the database was not told of."""
        return len(self._counts)

    async def share(self, conn: asyncpg.Connection) -> int:
        """Add what was counted since to the database; how many counts. Nothing is written when there is none.

        One statement: when it fails nothing was added, and all of it is told the next time. Should only its answer be
        lost, these requests count twice. With a new day, what is older than KEPT_DAYS goes.
        """
        counts, self._counts = self._counts, {}
        if not counts:
            return 0
        try:
            await conn.execute(
                SQL.add_route_usage,
                [consumer for consumer, _, _, _ in counts],
                [method for _, method, _, _ in counts],
                [path.replace(":path}", "}") for _, _, path, _ in counts],
                [day for _, _, _, day in counts],
                [int(number) for number, _ in counts.values()],
                [datetime.fromtimestamp(at, UTC) for _, at in counts.values()],
            )
        except BaseException:
            self._again(counts)
            raise
        if self.lost:
            log.warning("usage.lost", requests=self.lost)
            self.lost = 0
        day = max(day for _, _, _, day in counts)
        if day > self._day:
            await conn.execute(SQL.forget_route_usage, date(1970, 1, 1) + timedelta(days=day - KEPT_DAYS))
            self._day = day
        return len(counts)

    def _again(self, counts: Counts) -> None:
        """Put `counts` back under what came meanwhile."""
        fresh, self._counts = self._counts, counts
        for key, (number, at) in fresh.items():
            before = counts.get(key)
            if before is not None:
                before[0] += number
                before[1] = at
            elif len(counts) < MOST_UNTOLD:
                counts[key] = [number, at]
            else:
                self.lost += int(number)


async def route_usage(conn: asyncpg.Connection, wish: UsageWish) -> list[RouteUse]:
    """Who called what, the most first; by day: the newest first."""
    routes = wish.routes
    rows = await conn.fetch(
        SQL.route_usage,
        wish.since,
        wish.consumer,
        routes is None,
        [method for method, _ in routes or ()],
        [path for _, path in routes or ()],
        wish.daily,
        min(wish.limit, MOST_ROWS),
    )
    return [RouteUse(**row) for row in rows]
