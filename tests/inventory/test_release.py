# SPDX-License-Identifier: Apache-2.0
"""What happens to a reservation after it was made: released, extended, committed, expired; each once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import asyncpg

from crossdock.errors import Refused
from crossdock.inventory.commit import Commitment, commit
from crossdock.inventory.expire import MOST_LINES, expire
from crossdock.inventory.extend import Extension, extend
from crossdock.inventory.release import release
from crossdock.inventory.reservation import Answered
from crossdock.inventory.reserve import Reserving
from tests.inventory.holding import body, events, goods, overdue, reserved, reserving, stocked, want

HOUR = timedelta(hours=1)


async def held(desk: Reserving, key: str, *lines: tuple[str, int], ttl: int = 600) -> str:
    """The id of a new reservation."""
    (outcome,) = await desk.reserve([want(key, *lines, ttl_seconds=ttl)])
    assert goods(outcome)
    return str(body(outcome)["id"])


def refusal(outcome: object) -> tuple[int, str]:
    assert isinstance(outcome, Refused), outcome
    return outcome.status, outcome.rule


async def ordered(pool: asyncpg.Pool, reservation: str) -> None:
    """An order took it over."""
    await pool.execute("UPDATE reservation SET state = 'allocated', order_key = 'shop/1' WHERE id = $1", reservation)


async def test_a_release_gives_back_and_may_be_repeated(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5), ("CD-2", "EAST", 5))
    desk = reserving(pool)
    first, second = await held(desk, "a", ("CD-1", 2), ("CD-2", 1)), await held(desk, "b", ("CD-1", 1))
    one, other, again = await release(pool, [first, "rsv_unknown", first])
    assert (body(one)["state"], body(again)["state"]) == ("released", "released")
    assert body(one)["ended_at"] is not None
    assert refusal(other) == (404, "reservation.unknown")
    assert await reserved(pool) == {("CD-1", "EAST"): 1}
    assert body((await release(pool, [first]))[0]) == body(one)
    assert await reserved(pool) == {("CD-1", "EAST"): 1}
    assert await events(pool) == [("created", 1), ("created", 1), ("released", 1)]
    assert body((await release(pool, [second]))[0])["state"] == "released"
    assert await reserved(pool) == {}


async def test_what_an_order_took_over_cannot_be_released(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    one = await held(reserving(pool), "a", ("CD-1", 2))
    await ordered(pool, one)
    (refused,) = await release(pool, [one])
    assert refusal(refused) == (409, "reservation.allocated")


async def test_many_releases_of_one_at_once_give_back_once(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    one = await held(reserving(pool), "a", ("CD-1", 2))
    await asyncio.gather(*(release(pool, [one]) for _ in range(8)), expire(pool))
    assert await reserved(pool) == {}
    assert await pool.fetchval("SELECT reserved FROM stock_level WHERE sku = 'CD-1'") == 0


async def test_everything_that_is_over_expires_and_nothing_else(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 500))
    desk = reserving(pool)
    over = [await held(desk, f"over {number}", ("CD-1", 2)) for number in range(5)]
    living, committed, released = [await held(desk, key, ("CD-1", 3)) for key in ("living", "committed", "released")]
    await commit(pool, [Commitment(committed)])
    await release(pool, [released])
    await overdue(pool, *over, committed, released)
    assert await asyncio.gather(expire(pool), expire(pool), expire(pool)) in ([5, 0, 0], [0, 5, 0], [0, 0, 5])
    assert await reserved(pool) == {("CD-1", "EAST"): 6}
    states = dict(await pool.fetch("SELECT id, state FROM reservation"))
    assert {states[one] for one in over} == {"expired"}
    assert (states[living], states[committed], states[released]) == ("active", "committed", "released")
    assert (await events(pool))[-1] == ("expired", 5)
    assert await expire(pool) == 0


async def test_what_is_over_of_some_skus_is_ended_and_the_rest_left(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5), ("CD-2", "EAST", 5))
    desk = reserving(pool)
    one, other = await held(desk, "a", ("CD-1", 2)), await held(desk, "b", ("CD-2", 3))
    await overdue(pool, one, other)
    assert await expire(pool, {"CD-1"}) == 1
    assert await reserved(pool) == {("CD-2", "EAST"): 3}
    assert await expire(pool, {"CD-1"}) == 0


async def test_buyers_at_two_gateways_get_what_one_of_them_freed(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 4))
    await overdue(pool, await held(reserving(pool), "over", ("CD-1", 4)))
    answers = await asyncio.gather(*(reserving(pool).reserve([want(key, ("CD-1", 2))]) for key in ("a", "b")))
    assert [type(answer) for (answer,) in answers] == [Answered, Answered]
    assert await reserved(pool) == {("CD-1", "EAST"): 4}


async def test_very_many_lines_expire_in_several_transactions(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 100_000))
    lines = tuple(("CD-1", 1) for _ in range(1000))
    number = MOST_LINES // 1000 * 2 + 1
    await reserving(pool).reserve([want(str(one), *lines) for one in range(number)])
    await pool.execute("UPDATE reservation SET expires_at = now() - interval '1 second'")
    assert await expire(pool) == number
    assert await reserved(pool) == {}
    assert [count for what, count in await events(pool) if what == "expired"] == [5, 5, 1]


async def test_an_extension_holds_longer_never_shorter(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    one = await held(reserving(pool), "a", ("CD-1", 2), ttl=600)
    (shorter,) = await extend(pool, [Extension(one, 60)], HOUR)
    made, until = (datetime.fromisoformat(body(shorter)[name]) for name in ("created_at", "expires_at"))
    assert until - made == timedelta(seconds=600)
    (longer,) = await extend(pool, [Extension(one, 1800)], HOUR)
    assert timedelta(0) <= datetime.fromisoformat(body(longer)["expires_at"]) - made - timedelta(seconds=1800) < HOUR
    assert await reserved(pool) == {("CD-1", "EAST"): 2}
    assert await events(pool) == [("created", 1), ("extended", 1), ("extended", 1)]


async def test_nothing_is_held_beyond_the_longest_hold_from_its_making(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    one = await held(reserving(pool), "a", ("CD-1", 2), ttl=3600)
    await pool.execute("UPDATE reservation SET created_at = created_at - interval '30 minutes'")
    late, far, bad, unknown, good = await extend(
        pool,
        [Extension(one, 1900), Extension(one, 3601), Extension(one, 0), Extension("rsv_x", 5), Extension(one, 1700)],
        HOUR,
    )
    assert refusal(late) == refusal(far) == refusal(bad) == (422, "reservation.ttl")
    assert refusal(unknown) == (404, "reservation.unknown")
    assert body(good)["state"] == "active"


async def test_what_is_over_but_not_swept_is_neither_extended_nor_committed(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    one = await held(reserving(pool), "a", ("CD-1", 2))
    await pool.execute("UPDATE reservation SET expires_at = now() - interval '1 millisecond'")
    (extended,) = await extend(pool, [Extension(one, 60)], HOUR)
    (committed,) = await commit(pool, [Commitment(one)])
    assert refusal(extended) == refusal(committed) == (409, "reservation.expired")
    assert await expire(pool) == 1
    assert await reserved(pool) == {}


async def test_a_commitment_waits_for_its_order(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    one = await held(reserving(pool), "a", ("CD-1", 2))
    (first,) = await commit(pool, [Commitment(one)])
    assert (body(first)["state"], body(first).get("order_key", "")) == ("committed", "")
    (named,) = await commit(pool, [Commitment(one, "shop/1")])
    assert body(named)["order_key"] == "shop/1"
    again, other = await commit(pool, [Commitment(one, "shop/1"), Commitment(one, "shop/2")])
    assert body(again) == body(named)
    assert refusal(other) == (409, "reservation.order")
    (extended,) = await extend(pool, [Extension(one, 60)], HOUR)
    assert refusal(extended) == (409, "reservation.committed")
    await ordered(pool, one)
    (late,) = await commit(pool, [Commitment(one)])
    assert body(late)["state"] == "allocated"
    assert await events(pool) == [("created", 1), ("committed", 1), ("committed", 1)]


async def test_a_released_one_cannot_be_committed_or_extended(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    one = await held(reserving(pool), "a", ("CD-1", 2))
    await release(pool, [one])
    (committed,) = await commit(pool, [Commitment(one)])
    (extended,) = await extend(pool, [Extension(one, 60)], HOUR)
    assert refusal(committed) == refusal(extended) == (409, "reservation.released")


async def test_committed_goods_can_still_be_given_back(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5))
    one = await held(reserving(pool), "a", ("CD-1", 2))
    await commit(pool, [Commitment(one)])
    assert await reserved(pool) == {("CD-1", "EAST"): 2}
    await release(pool, [one])
    assert await reserved(pool) == {}
