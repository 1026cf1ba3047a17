# SPDX-License-Identifier: Apache-2.0
"""Who calls what is counted exactly: over gateways, over days, and while the database is away."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, cast

import asyncpg
import pytest

from crossdock.governance import route_usage as kept
from crossdock.governance.meter import DAY
from crossdock.governance.route_usage import KEPT_DAYS, RouteTally, RouteUse, UsageWish, route_usage

ORDERS, ORDER = ("GET", "/v1/orders"), ("GET", "/v1/orders/{id:path}")
FIRST = date(2026, 11, 26)
DAY_BEGINS = datetime(2026, 11, 26, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self) -> None:
        self.at = DAY_BEGINS + 60

    def seconds(self) -> float:
        return self.at


class Broken:
    """A database that takes nothing."""

    async def execute(self, *_: object) -> None:
        raise OSError("away")


def use(consumer: str, path: str, requests: int, at: float, **more: Any) -> RouteUse:
    last = datetime.fromtimestamp(at, UTC)
    return RouteUse(
        consumer=consumer, method="GET", path=path, requests=requests, last_at=last, **{"day": None, "days": 1} | more
    )


async def test_gateways_add_up_by_consumer_route_and_day(pool: asyncpg.Pool) -> None:
    clock = Clock()
    one, other = RouteTally(clock.seconds), RouteTally(clock.seconds)
    for _ in range(3):
        one.add("portal", *ORDERS)
    other.add("portal", *ORDERS)
    other.add("partner", *ORDER)
    async with pool.acquire() as conn:
        assert (await one.share(conn), await other.share(conn)) == (1, 2)
        clock.at += DAY
        one.add("portal", *ORDERS)
        assert await one.share(conn) == 1
        assert await route_usage(conn, UsageWish(since=FIRST)) == [
            use("portal", "/v1/orders", 5, clock.at, days=2),
            use("partner", "/v1/orders/{id}", 1, clock.at - DAY),
        ]
        second = date(2026, 11, 27)
        assert await route_usage(conn, UsageWish(since=FIRST, daily=True, consumer="portal")) == [
            use("portal", "/v1/orders", 1, clock.at, day=second),
            use("portal", "/v1/orders", 4, clock.at - DAY, day=FIRST),
        ]
        assert await route_usage(conn, UsageWish(since=second)) == [use("portal", "/v1/orders", 1, clock.at)]
        wish = UsageWish(since=FIRST, routes=[("GET", "/v1/orders/{id}")])
        assert [one.consumer for one in await route_usage(conn, wish)] == ["partner"]
        assert await route_usage(conn, UsageWish(since=FIRST, routes=[])) == []
        assert len(await route_usage(conn, UsageWish(since=FIRST, limit=1))) == 1


async def test_when_nothing_was_asked_nothing_is_written(pool: asyncpg.Pool) -> None:
    assert await RouteTally().share(cast(asyncpg.Connection, Broken())) == 0
    async with pool.acquire() as conn:
        tally = RouteTally(Clock().seconds)
        tally.add("local", *ORDERS)
        assert await tally.share(conn) == 1
        assert await tally.share(conn) == 0
        assert [one.requests for one in await route_usage(conn, UsageWish(since=FIRST))] == [1]


async def test_what_could_not_be_told_is_told_later_with_what_came_meanwhile(pool: asyncpg.Pool) -> None:
    clock = Clock()
    tally = RouteTally(clock.seconds)
    tally.add("portal", *ORDERS)
    tally.add("portal", *ORDER)

    class Slow(Broken):
        async def execute(self, *_: object) -> None:
            clock.at += 1
            tally.add("portal", *ORDERS)
            tally.add("partner", *ORDERS)
            raise OSError("away")

    with pytest.raises(OSError, match="away"):
        await tally.share(cast(asyncpg.Connection, Slow()))
    assert tally.waiting == 3
    async with pool.acquire() as conn:
        await tally.share(conn)
        assert await route_usage(conn, UsageWish(since=FIRST)) == [
            use("portal", "/v1/orders", 2, clock.at),
            use("partner", "/v1/orders", 1, clock.at),
            use("portal", "/v1/orders/{id}", 1, clock.at - 1),
        ]


async def test_what_waits_is_bounded(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_UNTOLD", 2)
    tally = RouteTally(Clock().seconds)
    for consumer in ("a", "b", "c", "a", "c"):
        tally.add(consumer, *ORDERS)
    assert (tally.waiting, tally.lost) == (2, 2)
    async with pool.acquire() as conn:
        await tally.share(conn)
        found = await route_usage(conn, UsageWish(since=FIRST))
    assert [(one.consumer, one.requests) for one in found] == [("a", 2), ("b", 1)]
    assert tally.lost == 0


async def test_what_is_old_goes_with_a_new_day(pool: asyncpg.Pool) -> None:
    clock = Clock()
    tally = RouteTally(clock.seconds)
    async with pool.acquire() as conn:
        for days in (0, 1, KEPT_DAYS, KEPT_DAYS + 1):
            clock.at = DAY_BEGINS + days * DAY
            tally.add("portal", *ORDERS)
            await tally.share(conn)
        left = await conn.fetch("SELECT day FROM route_usage ORDER BY day")
    # Of the first day nothing is left: it was KEPT_DAYS + 1 days ago.
    assert [(row["day"] - FIRST).days for row in left] == [1, KEPT_DAYS, KEPT_DAYS + 1]
