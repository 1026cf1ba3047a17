# SPDX-License-Identifier: Apache-2.0
"""Which events a subscription is told of, from which place in the outbox on, and again since a moment."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from crossdock.journal.record import Event, record_events
from crossdock.runtime.clock import SetClock, now
from crossdock.subscriptions import webhook
from crossdock.subscriptions.change import replay
from crossdock.subscriptions.fan_out import Backlog, fan_out
from crossdock.subscriptions.subscription import SQL
from tests.subscriptions.conftest import BEGIN
from tests.subscriptions.receiving import JO, House, Receiver, changed


async def test_what_was_committed_before_is_not_told(house: House, receiver: Receiver) -> None:
    await house.tell("order/shop/1")
    await house.subscribe()
    (event,) = await house.tell("order/shop/2")
    await house.rounds()
    assert receiver.taken() == [event]


async def test_a_replay_tells_everything_since_again_in_order_under_the_same_ids(
    house: House, receiver: Receiver
) -> None:
    one, _ = await house.subscribe()
    early = await house.tell("a", "b")
    await house.rounds()
    since = await house.pool.fetchval("SELECT clock_timestamp()")
    late = await house.tell("a", "b", "a")
    await house.rounds()
    receiver.clear()
    receiver.behave = lambda got: 500 if got.id == late[0] else 200
    waits = await house.tell("a")
    await changed(house, replay, None, one, since, JO)
    await house.rounds()
    receiver.behave = lambda _: 200
    await changed(house, replay, None, one, since, JO)
    await house.rounds()
    taken = receiver.taken()
    assert sorted(taken) == sorted(late + waits)
    assert [each for each in taken if each in (late[0], late[2], waits[0])] == [late[0], late[2], waits[0]]
    assert await house.waiting(one) == 0
    receiver.clear()
    await changed(house, replay, None, one, since - timedelta(days=400), JO)
    await house.rounds()
    assert sorted(receiver.taken()) == sorted(early + late + waits)
    receiver.clear()
    await changed(house, replay, None, one, since + timedelta(days=1), JO)
    await house.rounds()
    assert receiver.got == []


async def test_a_replay_into_the_future_skips_nothing(house: House, receiver: Receiver) -> None:
    one, _ = await house.subscribe()
    (event,) = await house.tell("a")
    await changed(house, replay, None, one, now() + timedelta(days=400), JO)
    await house.rounds()
    assert receiver.taken() == [event]


async def test_only_what_fits_type_channel_and_customer_is_told(house: House, receiver: Receiver) -> None:
    for number, channel, customer in ((1, "shop", "C-1"), (2, "shop", "C-2"), (3, "mart", "C-1")):
        await house.pool.execute(
            "INSERT INTO sales_order (order_key, number, channel, entity, customer_id, status, version, currency,"
            " total, document_id, content, erp, placed_at, decision)"
            " VALUES ($1, '', $2, 'us', $3, 'open', 1, 'USD', 1, 1, 1, 'erp', now(), '{}')",
            f"{channel}/{number}", channel, customer,
        )  # fmt: skip
    await house.subscribe("/all")
    await house.subscribe("/orders", "sales_order.*", "shipment.confirmed")
    await house.subscribe("/shop", channels=["shop"])
    await house.subscribe("/c-1", customers=["C-1"])
    await house.subscribe("/both", channels=["shop"], customers=["C-1"])
    orders = await house.tell("order/shop/1", "order/shop/2", "order/mart/3")
    shipped = await house.tell("order/shop/1", kind="shipment.confirmed")
    moved = await house.tell("stock/CD-1@EAST", kind="inventory.level.changed")
    held = await house.tell("reservation/r1", kind="reservation.created", channel="shop")
    hidden = await house.tell("subscription/x", kind="subscription.disabled")
    await house.rounds()
    assert sorted(receiver.taken("/all")) == sorted([*orders, *shipped, *moved, *held])
    assert sorted(receiver.taken("/orders")) == sorted([*orders, *shipped])
    assert sorted(receiver.taken("/shop")) == sorted([*orders[:2], *shipped, *held])
    assert sorted(receiver.taken("/c-1")) == sorted([orders[0], orders[2], *shipped])
    assert sorted(receiver.taken("/both")) == sorted([orders[0], *shipped])
    assert hidden[0] not in receiver.taken()


async def test_a_row_that_holds_many_events_is_told_one_by_one(house: House, receiver: Receiver) -> None:
    await house.subscribe()
    elements = [{"key": f"stock/CD-{n}@EAST", "data": {"sku": f"CD-{n}"}} for n in range(1, 41)]
    async with house.pool.acquire() as conn, conn.transaction():
        data = json.dumps(elements).encode()
        event = Event(type="inventory.level.changed", key="", document_id=0, data=data, many=True)
        await record_events(conn, [event])
    await house.rounds()
    place = await house.pool.fetchval("SELECT xid::text || '-' || id FROM event")
    assert sorted((got.id, got.key, got.event["data"]["sku"]) for got in receiver.got) == sorted(
        (f"{place}-{n}", f"stock/CD-{n}@EAST", f"CD-{n}") for n in range(1, 41)
    )


async def test_what_is_too_large_is_told_by_its_document(house: House, receiver: Receiver) -> None:
    await house.subscribe()
    await house.tell("a", text="x" * (webhook.MOST_DATA + 1))
    await house.rounds()
    (got,) = receiver.got
    assert got.event["data"]["document"] == 7
    assert got.event["data"]["size"] > webhook.MOST_DATA


async def test_what_a_round_takes_from_the_outbox_is_bounded_in_bytes(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.subscriptions.fan_out.PAGE_BYTES", 1_000)
    monkeypatch.setattr("crossdock.subscriptions.drive.CLAIMED_BYTES", 500)
    one, _ = await house.subscribe("/hook", "sales_order.*")
    ids = await house.tell("a", "b", text="x" * 300)
    # Of what is not wanted nothing is taken.
    await house.tell("c", kind="shipment.confirmed", text="x" * 5_000)
    ids += await house.tell("d", "e", "f", text="x" * 300)
    assert await house.driver.turn() is True
    assert len(house.driver._endpoints[one].under_way) == 2
    assert await house.pool.fetchval("SELECT count(*) FROM webhook") == 4
    await house.rounds()
    assert sorted(receiver.taken()) == sorted(ids)


async def test_what_is_taken_on_in_several_statements_keeps_the_order_of_each_key(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.subscriptions.fan_out.CHUNK", 3)
    await house.subscribe("/one")
    await house.subscribe("/two")
    ids = await house.tell("a", "b", "a", "c", "a", "b", "a")
    await house.rounds()
    for path in ("/one", "/two"):
        taken = receiver.taken(path)
        assert sorted(taken) == sorted(ids)
        for of_key in ([ids[0], ids[2], ids[4], ids[6]], [ids[1], ids[5]]):
            assert [each for each in taken if each in of_key] == of_key


@pytest.mark.parametrize(
    ("query", "given"),
    [(SQL.place_at, (5,)), (SQL.last_xid, ()), (SQL.first_since, (5, BEGIN)), (SQL.last_final, ())],
)
async def test_a_place_in_the_outbox_is_found_by_its_index(house: House, query: str, given: tuple[object, ...]) -> None:
    async with house.pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {query}", *given))
    # Were it ordered by a number made of xid, all of the outbox would be read and sorted.
    assert ("event_pkey" in plan, "Sort" in plan) == (True, False), plan


async def test_following_costs_no_more_statements_for_more_subscriptions(house: House) -> None:
    many = [(await house.subscribe(f"/{number}"))[0] for number in range(10)]
    await house.driver.turn()
    asked: list[str] = []

    async def follow(some: list[str], backlog: Backlog) -> list[str]:
        asked.clear()
        rows = await house.pool.fetch(
            "SELECT id, xid::text::bigint AS xid, event_id FROM subscription WHERE id = ANY($1)", some
        )
        places = {row["id"]: (row["xid"], row["event_id"]) for row in rows}
        async with house.pool.acquire() as conn:
            with conn.query_logger(lambda logged: asked.append(logged.query)):
                assert await fan_out(conn, house.driver._fence, places, backlog, now()) is False
        return list(asked)

    backlog = Backlog()
    assert len({(await house.standing(one))["xid"] for one in many}) == 10
    assert await follow(many, backlog) == [SQL.last_final], "nothing happened, and each was looked after"
    await house.tell("first")
    await house.rounds()
    # From here on all are at one place.
    await house.tell("a")
    for_one = await follow(many[:1], Backlog())
    assert (for_one.count(SQL.count_waiting), for_one.count(SQL.move_places)) == (1, 1)
    # For the nine others the same, and then without counting again.
    assert await follow(many[1:], backlog) == for_one
    await house.tell("b")
    assert await follow(many[1:], backlog) == [one for one in for_one if one != SQL.count_waiting]
    assert [await house.waiting(one) for one in many] == [1, *[2] * 9]


def test_an_event_is_written_once_for_all_who_are_told_of_it() -> None:
    row = {"xid": 5, "event_id": 6, "element": 0, "attempts": 0, "first_tried_at": None}
    rows = [{**row, "number": number, "subscription_id": f"s{number}"} for number in (1, 2)]
    gone = {**row, "xid": 4, "number": 3, "subscription_id": "s1"}
    event = {"xid": 5, "id": 6, "type": "a.b", "key": "k", "at": now(), "document_id": 7, "many": False, "size": 2}
    first, second = webhook.webhooks_of([*rows, gone], [{**event, "data": b"{}"}], "/t")
    assert (first.number, second.number, first.key, first.id) == (1, 2, "k", "5-6")
    assert first.body is second.body


async def test_what_is_too_much_waits_in_the_outbox(
    house: House, receiver: Receiver, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.subscriptions.fan_out.MOST_WAITING", 10)
    monkeypatch.setattr("crossdock.subscriptions.fan_out.PAGE", 5)
    monkeypatch.setattr("crossdock.subscriptions.fan_out.COUNT_AGAIN", 0.0)
    one, _ = await house.subscribe()
    await house.subscribe("/other")
    receiver.behave = lambda got: 200 if got.path == "/other" else 500
    ids = await house.tell(*(f"k{n}" for n in range(30)))
    await house.rounds()
    assert await house.waiting(one) == 10
    assert sorted(receiver.taken("/other")) == sorted(ids)
    receiver.behave = lambda _: 200
    clock.advance(timedelta(minutes=6))
    await house.rounds()
    assert sorted(receiver.taken("/hook")) == sorted(ids)


async def test_no_more_is_taken_on_than_may_wait_however_seldom_it_is_counted(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.subscriptions.fan_out.MOST_WAITING", 10)
    monkeypatch.setattr("crossdock.subscriptions.fan_out.PAGE", 5)
    monkeypatch.setattr("crossdock.subscriptions.fan_out.COUNT_AGAIN", 3600.0)
    one, _ = await house.subscribe()
    receiver.behave = lambda _: 500
    await house.tell(*(f"k{n}" for n in range(30)))
    await house.rounds()
    assert await house.waiting(one) == 10


async def test_an_event_of_a_transaction_that_commits_late_is_not_passed_by(house: House, receiver: Receiver) -> None:
    await house.subscribe()
    async with house.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await record_events(conn, [Event(type="sales_order.accepted", key="a", document_id=1, data=b'{"n": "late"}')])
        ids = await house.tell("a", "b")
        await house.rounds()
        assert receiver.got == [], "an older transaction may still commit"
        await transaction.commit()
    await house.rounds()
    of_a = [got.event["data"]["n"] for got in receiver.got if got.key == "a"]
    assert of_a == ["late", "a"]
    assert (len(receiver.taken()), set(ids) <= set(receiver.taken())) == (3, True)


async def test_one_that_is_far_behind_holds_up_nobody(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.subscriptions.fan_out.PAGE", 5)
    one, _ = await house.subscribe("/behind")
    await house.subscribe("/quick")
    since = await house.pool.fetchval("SELECT clock_timestamp()")
    ids = await house.tell(*(f"k{n}" for n in range(60)))
    await house.rounds()
    receiver.clear()
    await changed(house, replay, None, one, since, JO)
    (new,) = await house.tell("new")
    while not receiver.taken("/quick"):
        await house.driver.turn()
        await house.driver.settled()
    # It was told while the other had most of its way before it.
    assert receiver.taken("/quick") == [new]
    assert len(receiver.taken("/behind")) < len(ids) / 2
    await house.rounds()
    assert sorted(receiver.taken("/behind")) == sorted([*ids, new])
    assert receiver.taken("/quick") == [new]
