# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from crossdock.errors import CrossdockError, EngineAway
from crossdock.runtime.bus_messages import Publication
from crossdock.runtime.nats import Bus, StreamLimits


def _publications(*numbers: int, subject: str = "t.a") -> list[Publication]:
    return [Publication(subject, str(number).encode(), f"id-{number}") for number in numbers]


async def _payloads(bus: Bus, durable: str = "reader", stream: str = "T") -> list[int]:
    subscription = await bus.subscribe(stream, durable)
    found: list[int] = []
    while messages := await subscription.fetch(within=0.3):
        for message in messages:
            found.append(int(message.payload))
            await message.ack()
    await subscription.close()
    return found


async def test_a_large_batch_arrives_whole_and_in_order(bus: Bus) -> None:
    await bus.ensure_stream("T", ["t.>"])
    await bus.publish_batch(_publications(*range(2_500)))
    assert await _payloads(bus) == list(range(2_500))


async def test_what_the_stream_has_seen_makes_no_second_message(bus: Bus) -> None:
    await bus.ensure_stream("T", ["t.>"])
    await bus.publish_batch(_publications(1))
    await bus.publish_batch(_publications(1, 2, 3))
    await bus.publish_batch(_publications(2, 3, 4, 5))
    await bus.publish_batch(_publications(1, 2, 3, 4, 5))
    await bus.publish_batch(_publications(5))
    await bus.publish_batch(_publications(6, 7, 6))
    await bus.publish_batch([])
    assert await _payloads(bus) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_message_carries_its_headers_and_comes_again_until_acknowledged(bus: Bus) -> None:
    await bus.ensure_stream("T", ["t.>"])
    await bus.publish_batch([Publication("t.x", b"1", "id-1", {"ce-type": "order.accepted"})])
    subscription = await bus.subscribe("T", "reader")
    [message] = await subscription.fetch(within=2)
    assert (message.subject, message.sequence) == ("t.x", 1)
    assert message.headers == {"ce-type": "order.accepted", "Nats-Msg-Id": "id-1"}
    await message.again()
    [message] = await subscription.fetch(within=2)
    await message.ack()
    assert await subscription.fetch(within=0.1) == []
    await subscription.close()


async def test_a_reader_takes_only_its_subject_and_a_dropped_message_is_gone(bus: Bus) -> None:
    await bus.ensure_stream("T", ["t.>"])
    await bus.publish_batch([*_publications(1), *_publications(2, subject="t.b")])
    subscription = await bus.subscribe("T", "only-b", "t.b")
    [message] = await subscription.fetch(within=2)
    assert message.payload == b"2"
    await message.drop()
    assert await subscription.fetch(within=0.1) == []
    await subscription.close()


async def test_a_last_value_stream_keeps_one_per_subject_and_limits_can_change(bus: Bus) -> None:
    await bus.ensure_stream("T", ["t.>"])
    await bus.ensure_stream("T", ["t.>"], StreamLimits(per_subject=1))
    await bus.publish_batch([Publication(f"t.{number % 3}", str(number).encode(), f"{number}") for number in range(30)])
    assert sorted(await _payloads(bus)) == [27, 28, 29]
    assert await bus.streams() == ["T"]


async def test_a_subject_without_stream_and_a_refused_message_are_told_apart(bus: Bus) -> None:
    with pytest.raises(EngineAway, match="no stream takes this subject"):
        await bus.publish_batch(_publications(1, subject="nowhere.x"))
    await bus.ensure_stream("T", ["t.>"])
    with pytest.raises(CrossdockError, match="larger than NATS takes") as caught:
        await bus.publish_batch([Publication("t.a", b"x" * 2_000_000, "big")])
    assert caught.value.rule == "event_too_large"


async def test_wake_ups_while_nobody_waits_are_one(bus: Bus, nats_url: str) -> None:
    other = await Bus.connect(nats_url)
    wakes, deaf = await bus.wakes("worker"), await bus.wakes("scheduler")
    assert await bus.wakes("worker") is wakes
    assert await wakes.wait(0.01) is False
    for _ in range(3):
        assert await other.wake("worker")
    assert await wakes.wait(5) is True
    await asyncio.sleep(0.05)
    await wakes.wait(0)
    assert await wakes.wait(0.05) is False
    assert await deaf.wait(0.01) is False
    await other.close()


async def test_nobody_there_is_an_engine_away_at_once() -> None:
    with pytest.raises(EngineAway, match="cannot be reached within"):
        await Bus.connect("nats://127.0.0.1:1", patience=0.2)
    bus = await Bus.connect("nats://127.0.0.1:1", patience=0.05, or_later=True)
    assert not bus.connected
    assert await bus.wake("worker") is False
    wakes = await bus.wakes("worker")
    assert await wakes.wait(0.01) is False
    with pytest.raises(EngineAway):
        await bus.publish_batch(_publications(1))
    await bus.close()


async def test_a_wrong_token_is_an_engine_away_that_does_not_show_it(nats_url: str) -> None:
    wrong = "nats://hunter2@" + nats_url.split("@")[1]
    with pytest.raises(EngineAway) as caught:
        await Bus.connect(wrong, patience=0.5)
    assert "hunter2" not in str(caught.value)


async def test_a_reading_begins_anywhere_and_leaves_nothing_behind(bus: Bus) -> None:
    await bus.ensure_stream("T", ["t.>"])
    await bus.publish_batch([*_publications(*range(1, 1_201)), *_publications(1_201, subject="t.b")])
    reading = await bus.read("T", ["t.a"], after=100)
    found: list[int] = []
    while messages := await reading.fetch(500):
        found += [int(message.payload) for message in messages]
    assert found == list(range(101, 1_201))
    since = datetime.now(UTC)
    await bus.publish_batch(_publications(1_202))
    (message,) = await reading.fetch()
    assert (message.sequence, message.number, message.pending) == (1_202, 1_101, 0)
    await reading.close()
    with pytest.raises(EngineAway):
        await reading.fetch()
    both = await bus.read("T", ["t.a", "t.b"], since=since)
    assert [int(message.payload) for message in await both.fetch()] == [1_202]
    await both.close()
    assert await bus.last_sequence("T") == 1_202
    with pytest.raises(EngineAway, match="no stream NONE"):
        await bus.read("NONE", ["t.>"])
    with pytest.raises(EngineAway, match="no stream NONE"):
        await bus.last_sequence("NONE")


async def test_what_is_told_is_heard_by_who_listens_then(bus: Bus, nats_url: str) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    assert await bus.tell("t.news", b"nobody")
    await bus.hear("t.news", heard.put_nowait)
    other = await Bus.connect(nats_url)
    assert await other.tell("t.news", b"1")
    assert await asyncio.wait_for(heard.get(), 5) == b"1"
    await other.close()
    assert await other.tell("t.news", b"2") is False
