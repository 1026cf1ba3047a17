# SPDX-License-Identifier: Apache-2.0
"""Webhooks reach a real endpoint: signed, in order per key, again until they are taken, whatever the endpoint does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from aiohttp import web

from crossdock.runtime.clock import SetClock, now
from crossdock.subscriptions import webhook
from crossdock.subscriptions.change import disable, enable, rotate
from crossdock.subscriptions.endpoint import AHEAD, CONCURRENCY
from crossdock.subscriptions.judge import FAILING
from tests.subscriptions.receiving import JO, Got, House, Receiver, changed, health, seconds, told


async def test_an_event_arrives_signed_and_once(house: House, receiver: Receiver, clock: SetClock) -> None:
    one, secret = await house.subscribe()
    (event,) = await house.tell("order/shop/1", channel="shop")
    await house.rounds()
    (got,) = receiver.got
    assert (got.id, got.path, got.signatures) == (event, "/hook", 1)
    assert got.signed_by(secret)
    assert got.headers["webhook-timestamp"] == seconds(clock())
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.event["id"] == event
    assert got.event["type"] == "crossdock.sales_order.accepted.v1"
    assert got.event["source"] == "/crossdock/test"
    assert (got.event["subject"], got.event["data"]) == ("order/shop/1", {"n": "order/shop/1", "channel": "shop"})
    figures = await health(house, one)
    assert (figures.waiting, figures.delivered, figures.last_success_at) == (0, 1, clock())
    assert (figures.failing_since, figures.last_status, figures.p50_ms) == (None, 200, 0)


async def test_both_secrets_sign_while_one_is_rotated_out(house: House, receiver: Receiver, clock: SetClock) -> None:
    one, old = await house.subscribe()
    new, until = await changed(house, rotate, None, one, timedelta(hours=1), JO)
    assert until == clock() + timedelta(hours=1)
    await house.tell("a")
    await house.rounds()
    clock.advance(timedelta(hours=1))
    await house.tell("b")
    await house.rounds()
    first, second = receiver.got
    assert (first.signatures, first.signed_by(old), first.signed_by(new)) == (2, True, True)
    assert (second.signatures, second.signed_by(old), second.signed_by(new)) == (1, False, True)


async def test_a_webhook_that_fails_holds_back_its_own_key_only(
    house: House, receiver: Receiver, clock: SetClock
) -> None:
    one, _ = await house.subscribe()
    ids = await house.tell("a", "b", "a", "b", "a")
    receiver.behave = lambda got: 500 if got.id == ids[0] else 200
    await house.rounds()
    assert receiver.taken() == [ids[1], ids[3]]
    assert [got.id for got in receiver.got if got.key == "a"] == [ids[0]]
    assert await house.waiting(one) == 3
    figures = await health(house, one)
    assert (figures.waiting, figures.waiting_error) == (3, "HTTP 500")
    receiver.behave = lambda _: 200
    clock.advance(timedelta(seconds=4))
    await house.rounds()
    assert await house.waiting(one) == 3, "tried before its time"
    clock.advance(timedelta(seconds=2))
    await house.rounds()
    assert receiver.taken() == [ids[1], ids[3], ids[0], ids[2], ids[4]]
    figures = await health(house, one)
    assert (figures.waiting, figures.waiting_error) == (0, "")


async def test_410_disables_at_once_and_what_waits_goes_on_waiting(house: House, receiver: Receiver) -> None:
    one, _ = await house.subscribe("/gone", consumer="shop")
    other, _ = await house.subscribe("/other")
    receiver.behave = lambda got: 410 if got.path == "/gone" else 200
    ids = await house.tell("a", "b", "c")
    await house.rounds()
    assert receiver.taken("/other") == ids
    row = await house.standing(one)
    assert (row["state"], row["state_reason"]) == ("disabled", "the endpoint answered 410 Gone")
    (event,) = await told(house, "subscription.disabled")
    assert (event["id"], event["consumer"], event["reason"]) == (one, "shop", "the endpoint answered 410 Gone")
    calls = sum(got.path == "/gone" for got in receiver.got)
    later = await house.tell("d")
    await house.rounds()
    assert sum(got.path == "/gone" for got in receiver.got) == calls
    receiver.behave = lambda _: 200
    await changed(house, enable, None, one, JO)
    await house.rounds()
    # What tells of subscriptions themselves is told to no subscriber.
    assert sorted(receiver.taken("/gone")) == sorted(ids + later)
    assert receiver.taken("/other") == ids + later
    assert (await house.standing(other))["delivered"] == 4


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(house: House, receiver: Receiver, clock: SetClock, status: int) -> None:
    await house.subscribe()
    receiver.behave = lambda _: web.Response(status=status, headers={"Retry-After": "120"})
    (first,) = await house.tell("a")
    await house.rounds()
    receiver.behave = lambda _: 200
    (second,) = await house.tell("b")
    clock.advance(timedelta(seconds=119))
    await house.rounds()
    assert len(receiver.got) == 1, "called while it wanted a rest"
    clock.advance(timedelta(seconds=1))
    await house.rounds()
    assert second in receiver.taken()
    clock.advance(timedelta(minutes=6))
    await house.rounds()
    assert sorted(receiver.taken()) == sorted([first, second])


async def test_an_endpoint_that_hangs_holds_up_nobody(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, _ = await house.subscribe("/slow")
    await house.subscribe("/quick")
    hanging = asyncio.Event()

    async def hang() -> web.Response:
        await hanging.wait()
        return web.Response()

    receiver.behave = lambda got: hang() if got.path == "/slow" else 200
    ids = await house.tell(*(f"k{n}" for n in range(100)))
    async with asyncio.timeout(60):
        # Until all of it came: rounds by hand do not wait for the one that hangs.
        while len(receiver.taken("/quick")) < len(ids):
            await house.driver.turn()
            await asyncio.sleep(0.01)
    assert sorted(receiver.taken("/quick")) == sorted(ids)
    # Meanwhile the other has no more under way than its share.
    assert receiver.taken("/slow") == []
    assert sum(got.path == "/slow" for got in receiver.got) == CONCURRENCY
    hanging.set()
    await house.rounds()
    assert sorted(receiver.taken("/slow")) == sorted(ids)
    assert await house.waiting(slow) == 0


async def test_a_call_has_a_deadline(
    house: House, receiver: Receiver, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "CALL_SECONDS", 0.2)
    one, _ = await house.subscribe()

    async def hang() -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    receiver.behave = lambda _: hang()
    (event,) = await house.tell("a")
    await house.rounds()
    row = await house.standing(one)
    assert (row["last_status"], "out of time" in row["last_error"], row["failures"]) == (0, True, 1)
    receiver.behave = lambda _: 200
    clock.advance(timedelta(seconds=6))
    await house.rounds()
    assert receiver.taken() == [event]


async def test_no_more_is_under_way_than_the_endpoint_takes(house: House, receiver: Receiver) -> None:
    one, _ = await house.subscribe()

    async def think() -> web.Response:
        await asyncio.sleep(0.01)
        return web.Response()

    receiver.behave = lambda _: think()
    ids = await house.tell(*(f"k{n}" for n in range(80)))
    await house.driver.turn()
    assert len(house.driver._endpoints[one].under_way) == AHEAD
    await house.rounds()
    assert receiver.most_open == CONCURRENCY
    assert sorted(receiver.taken()) == sorted(ids)


async def test_down_for_three_days_and_all_follows_in_order(house: House, receiver: Receiver, clock: SetClock) -> None:
    one, _ = await house.subscribe()
    await house.subscribe("/other")
    up = False
    receiver.behave = lambda got: 200 if up or got.path == "/other" else 503
    ids: list[str] = []
    for hour in range(72):
        ids += await house.tell(f"order/shop/{hour % 7}", f"stock/{hour}")
        await house.rounds()
        clock.advance(timedelta(hours=1))
    await house.rounds()
    assert receiver.taken("/other") == ids
    assert receiver.taken("/hook") == []
    figures = await health(house, one)
    assert (figures.waiting, figures.given_up, figures.delivered) == (144, 0, 0)
    assert figures.failing_since is not None
    assert clock() - figures.failing_since == timedelta(hours=72)
    # While it is down it is asked with one webhook at a time, not with all that waits.
    assert sum(got.path == "/hook" for got in receiver.got) < 100
    up = True
    clock.advance(timedelta(minutes=5))
    await house.rounds()
    taken = receiver.taken("/hook")
    assert sorted(taken) == sorted(ids)
    for key in {got.key for got in receiver.got}:
        of_key = {got.id for got in receiver.got if got.key == key}
        assert [each for each in taken if each in of_key] == [each for each in ids if each in of_key]
    figures = await health(house, one)
    assert (figures.waiting, figures.failing_since, figures.delivered) == (0, None, 144)
    assert (await house.standing(one))["state"] == "active"


async def test_after_five_days_it_is_disabled_and_still_nothing_is_lost(
    house: House, receiver: Receiver, clock: SetClock
) -> None:
    one, _ = await house.subscribe()
    receiver.behave = lambda _: 500
    ids = await house.tell("a")
    for _ in range(121):
        await house.rounds()
        clock.advance(timedelta(hours=1))
    await house.rounds()
    row = await house.standing(one)
    assert (row["state"], row["state_reason"]) == ("disabled", "nothing was taken for 5 days, at last: HTTP 500")
    assert [event["id"] for event in await told(house, "subscription.disabled")] == [one]
    ids += await house.tell("a", "b")
    clock.advance(timedelta(days=30))
    calls = len(receiver.got)
    await house.rounds()
    assert len(receiver.got) == calls
    receiver.behave = lambda _: 200
    await changed(house, enable, None, one, JO)
    await house.rounds()
    assert sorted(receiver.taken()) == sorted(ids)


async def test_endpoints_that_serve_again_together_are_each_told_at_once_what_failed_with_them(
    house: House, receiver: Receiver, clock: SetClock
) -> None:
    subscribed = [(await house.subscribe(path))[0] for path in ("/one", "/two")]
    receiver.behave = lambda _: 500
    ids = await house.tell(*(f"k{n}" for n in range(FAILING)))
    await house.rounds()
    clock.advance(timedelta(seconds=10))
    # One of each failed a second time: by itself it would be tried five minutes later.
    await house.rounds()
    receiver.behave = lambda _: 200
    clock.advance(timedelta(seconds=20))
    await house.rounds()
    for one, path in zip(subscribed, ("/one", "/two"), strict=True):
        assert sorted(receiver.taken(path)) == sorted(ids)
        assert len((await house.standing(one))["latencies"]) == 2 * FAILING + 1


async def test_what_alone_is_refused_is_given_up_after_three_days(
    house: House, receiver: Receiver, clock: SetClock
) -> None:
    one, _ = await house.subscribe()
    bad, after = await house.tell("a", "a")
    receiver.behave = lambda got: web.Response(status=400, text="no such order") if got.id == bad else 200
    others: list[str] = []
    begin = clock()
    while after not in receiver.taken():
        assert clock() - begin < timedelta(days=6)
        others += await house.tell(f"k{len(others)}")
        await house.rounds()
        clock.advance(timedelta(hours=1))
    assert timedelta(days=3) <= clock() - begin < timedelta(days=5)
    assert receiver.taken() == [*others[: len(receiver.taken()) - 1], after]
    tries = [got.at - begin for got in receiver.got if got.id == bad]
    # Five seconds, five minutes and half an hour are less than the hour between two looks.
    assert 8 <= len(tries) <= 10
    (event,) = await told(house, "subscription.event_given_up")
    assert (event["event"], event["key"], event["error"]) == (bad, "a", "HTTP 400: no such order")
    figures = await health(house, one)
    assert (figures.given_up, figures.waiting, figures.failing_since) == (1, 0, None)


async def test_one_drives_and_what_the_other_held_follows_when_it_is_gone(house: House, receiver: Receiver) -> None:
    one, _ = await house.subscribe()
    ids = await house.tell("a", "b")
    await house.rounds()
    second = house.another("worker-2")
    ids += await house.tell("a")
    assert await second.turn() is False
    assert receiver.taken() == ids[:2]
    # The first has the event under way and does not know yet that the lease is another's.
    came, hanging = asyncio.Event(), asyncio.Event()

    async def hang() -> web.Response:
        came.set()
        await hanging.wait()
        return web.Response(status=500)

    receiver.behave = lambda got: hang() if got.tries == 1 else 200
    await house.driver.turn()
    await came.wait()
    await house.pool.execute("UPDATE webhook_lease SET expires_at = '-infinity'")
    assert await second.turn() is False
    await second.settled()
    await second.turn()
    await second.settled()
    assert receiver.taken() == ids
    delivered = (await house.standing(one))["delivered"]
    assert delivered == 3
    hanging.set()
    house.driver._renew_at = float("inf")
    await house.driver.settled()
    row = await house.standing(one)
    assert (row["failures"], row["delivered"]) == (0, 3), "what an old holder says is not written"
    await second.close()


async def test_disabled_by_hand_nothing_is_sent_and_deleted_nothing_is_left(house: House, receiver: Receiver) -> None:
    one, _ = await house.subscribe()
    await changed(house, disable, None, one, JO)
    ids = await house.tell("a")
    await house.rounds()
    assert receiver.got == []
    await changed(house, enable, None, one, JO)
    await house.rounds()
    assert receiver.taken() == ids
    acts = await house.pool.fetch("SELECT action FROM audit ORDER BY id")
    assert [row["action"] for row in acts] == ["subscription.create", "subscription.disable", "subscription.enable"]


async def test_redirects_are_not_followed(house: House, receiver: Receiver) -> None:
    one, _ = await house.subscribe()
    receiver.behave = lambda _: web.Response(status=302, headers={"Location": "/elsewhere"})
    await house.tell("a")
    await house.rounds()
    assert [got.path for got in receiver.got] == ["/hook"]
    assert (await house.standing(one))["last_error"] == "HTTP 302: redirects are not followed"


async def test_an_answer_of_any_size_is_cut(house: House, receiver: Receiver) -> None:
    one, _ = await house.subscribe()
    receiver.behave = lambda got: web.Response(status=500 if got.tries == 1 else 200, text="x\x00" * 2_000_000)
    await house.tell("a")
    await house.rounds()
    row = await house.standing(one)
    assert len(row["last_error"]) == len("HTTP 500: ") + 500
    assert FAILING > row["failures"] == 1


async def test_an_address_that_is_out_of_reach_is_never_called(
    pool: asyncpg.Pool, receiver: Receiver, house: House
) -> None:
    one, _ = await house.subscribe()
    house.driver._reach = type(house.driver._reach)()
    await house.tell("a")
    await house.rounds()
    assert receiver.got == []
    assert "https" in (await house.standing(one))["last_error"]


def test_the_receiver_checks_by_itself() -> None:
    body = b'{"subject": "a"}'
    headers = webhook.headers_of("1-2", now(), body, ["whsec_" + "A" * 44])
    got = Got("/hook", headers, body)
    assert got.signed_by("whsec_" + "A" * 44)
    assert not got.signed_by("whsec_" + "B" * 44)
