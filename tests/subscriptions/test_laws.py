# SPDX-License-Identifier: Apache-2.0
"""Whatever endpoints do and whoever drives: every event is taken, and of each key in the order of the outbox."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.runtime.clock import set_clock
from crossdock.runtime.postgres import open_pool
from crossdock.subscriptions import webhook
from crossdock.subscriptions.change import disable, enable, replay
from tests.subscriptions.conftest import BEGIN
from tests.subscriptions.receiving import JO, Got, House, receiving

KEYS = ("a", "b", "c")
# What an endpoint does to a try, and what happens between rounds.
ANSWERS = st.lists(st.sampled_from([200, 200, 200, 500, 404, 429, "cut", "hang"]), min_size=1, max_size=12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.sampled_from(KEYS)),
        st.tuples(st.just("wait"), st.integers(1, 90_000)),
        st.tuples(st.sampled_from(["die", "replay", "off", "on"]), st.none()),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, answers=ANSWERS, seed=st.integers(0, 1000))
def test_every_event_is_taken_and_each_key_in_order(
    database: str, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, Any]], answers: list[Any], seed: int
) -> None:
    monkeypatch.setattr(webhook, "CALL_SECONDS", 0.1)
    asyncio.run(_play(database, steps, answers, random.Random(seed)))


async def _play(database: str, steps: list[tuple[str, Any]], answers: list[Any], rng: random.Random) -> None:
    wild = True

    def behave(got: Got) -> Any:
        answer = answers[rng.randrange(len(answers))] if wild else 200
        return answer if isinstance(answer, int) else _odd(answer)

    with set_clock(BEGIN) as clock:
        async with receiving() as receiver:
            pool = await open_pool(database, max_size=4)
            await pool.execute("DELETE FROM webhook; DELETE FROM subscription")
            receiver.behave = behave
            house = House(pool, receiver)
            await pool.execute("UPDATE webhook_lease SET expires_at = '-infinity'")
            one, secret = await house.subscribe()
            begin = await pool.fetchval("SELECT clock_timestamp()")
            told: list[tuple[str, str]] = []
            for number, (what, value) in enumerate(steps):
                if what == "tell":
                    (event,) = await house.tell(value)
                    told.append((event, value))
                elif what == "wait":
                    clock.advance(timedelta(seconds=value))
                elif what == "die":
                    # In the middle of its calls, without a word: what it did not write is unknown to the next.
                    await house.driver.turn()
                    for endpoint in house.driver._endpoints.values():
                        endpoint._ended = lambda *_: None
                    house.driver._done.clear()
                    await pool.execute("UPDATE webhook_lease SET expires_at = '-infinity'")
                    dead, house.driver = house.driver, house.another(f"worker-{number}")
                    await asyncio.gather(*(each.close(1.0) for each in dead._endpoints.values()))
                else:
                    async with pool.acquire() as conn, conn.transaction():
                        if what == "replay":
                            await replay(conn, None, one, begin, JO)
                        else:
                            await (enable if what == "on" else disable)(conn, None, one, JO)
                await house.rounds()
            # From here on the endpoint serves, and has all the time it needs on a busy machine.
            wild, webhook.CALL_SECONDS = False, 15.0  # type: ignore[misc]  # undone by the test's monkeypatch
            async with pool.acquire() as conn, conn.transaction():
                await enable(conn, None, one, JO)
            clock.advance(timedelta(hours=2))
            await house.rounds()
            await house.driver.close()
            waiting = await house.waiting(one)
            given_up = (await house.standing(one))["given_up"]
            await pool.close()
    taken = receiver.taken()
    assert waiting == 0
    assert len(told) - len(taken) <= given_up
    assert all(got.signed_by(secret) for got in receiver.got)
    for key in KEYS:
        of_key = [event for event, of in told if of == key]
        assert [event for event in taken if event in of_key] == [event for event in of_key if event in taken]


async def _odd(what: str) -> web.StreamResponse:
    if what == "hang":
        await asyncio.sleep(5)
    raise web.HTTPInternalServerError if what == "hang" else ConnectionResetError
