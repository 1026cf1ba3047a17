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


async def test_what_is_too_much_waits_in_the_outbox(
    house: House, receiver: Receiver, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.subscriptions.fan_out.MOST_WAITING", 10)
    monkeypatch.setattr("crossdock.subscriptions.fan_out.PAGE", 5)
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
