# SPDX-License-Identifier: Apache-2.0
"""One endpoint under way: it never stalls, is left alone when it says so, and keeps the address it has."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from crossdock.errors import Refused, RetryLater
from crossdock.runtime import outward
from crossdock.runtime.clock import SetClock
from crossdock.runtime.outward import Reach
from crossdock.subscriptions import endpoint as module
from crossdock.subscriptions.endpoint import AHEAD, Ended, Endpoint, Facts, pinned
from crossdock.subscriptions.judge import FAILING, Outcome
from crossdock.subscriptions.webhook import Webhook
from tests.subscriptions.conftest import BEGIN
from tests.subscriptions.receiving import House, Receiver

FACTS = Facts(
    id="sub_1",
    url="https://many.example/hook",
    secret="",
    previous_secret="",
    xid=0,
    event_id=0,
    failures=0,
    rest_until=None,
)


def hook(number: int) -> Webhook:
    """A webhook of a key of its own."""
    return Webhook(
        number=number,
        subscription="sub_1",
        key=f"k{number}",
        id=f"1-{number}",
        body=b"{}",
        attempts=0,
        first_tried_at=None,
    )


def outcome(kind: Any, wait: float | None = None) -> Outcome:
    """How a try ended."""
    return Outcome(kind=kind, status=429, error="", milliseconds=1, at=BEGIN, wait=wait)


def sending(monkeypatch: pytest.MonkeyPatch, facts: Facts, said: Outcome, ended: Ended) -> Endpoint:
    """An endpoint that says `said` to everything at once."""

    async def send(self: Endpoint, webhook: Webhook) -> Outcome:
        return said

    monkeypatch.setattr(Endpoint, "_send", send)
    return Endpoint(facts, Reach(), ended, lambda: True)


async def turns(number: int = 20) -> None:
    """Let whatever is ready run, so many times round."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_what_is_given_just_as_the_last_call_ends_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []

    def end(webhook: Webhook, _: Outcome) -> None:
        ended.append(webhook.number)
        endpoint.written(webhook.number)
        if webhook.number == 1:
            # Runs when the caller is done and nobody took it from the set yet.
            asyncio.get_running_loop().call_soon(endpoint.start, [hook(2)])

    endpoint = sending(monkeypatch, replace(FACTS, failures=FAILING), outcome("delivered"), end)
    endpoint.start([hook(1)])
    await turns()
    assert ended == [1, 2]


@pytest.mark.parametrize(
    ("said", "failures"),
    [(outcome("throttled", 60.0), 0), (outcome("gone"), 0), (outcome("failed", 9.0), 0), (outcome("failed"), 4)],
)
async def test_after_it_wanted_a_rest_nothing_is_claimed_before_that_is_written(
    monkeypatch: pytest.MonkeyPatch, said: Outcome, failures: int
) -> None:
    ended: list[int] = []
    endpoint = sending(
        monkeypatch, replace(FACTS, failures=failures), said, lambda webhook, _: ended.append(webhook.number)
    )
    assert endpoint.room(BEGIN) == AHEAD
    endpoint.start([hook(1)])
    await turns()
    assert endpoint.room(BEGIN) == 0
    # Claimed while it said so.
    endpoint.start([hook(2)])
    await turns()
    assert (ended, endpoint.under_way) == ([1], {1})
    endpoint.written(1)
    assert endpoint.room(BEGIN) == AHEAD
    endpoint.update(replace(FACTS, rest_until=BEGIN + timedelta(seconds=1)))
    assert endpoint.room(BEGIN) == 0


async def test_a_bug_in_connecting_takes_no_slot_and_no_key(
    house: House, receiver: Receiver, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise ValueError("fe80::1%2 is no address")

    one, _ = await house.subscribe()
    ids = await house.tell("a", "a")
    with monkeypatch.context() as patched:
        patched.setattr(module, "pinned", broken)
        async with asyncio.timeout(30):
            await house.rounds()
    row = await house.standing(one)
    assert (row["failures"], row["last_error"]) == (1, "ValueError")
    clock.advance(timedelta(seconds=6))
    await house.rounds()
    assert receiver.taken() == ids


async def test_connections_are_kept_while_no_name_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = []

    async def look(*_: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer, "where"

    monkeypatch.setattr(module, "pinned", look)
    endpoint = Endpoint(FACTS, Reach(), lambda *_: None, lambda: True)
    later = RetryLater("the name cannot be resolved", rule="dns")
    first: Any = object()
    answers += [later, first, later, Refused("inside", field="url", rule="webhook.private_address", fix="")]
    with pytest.raises(RetryLater):
        await endpoint._connected()
    assert await endpoint._connected() is first
    endpoint._fresh_until = 0.0
    assert await endpoint._connected() is first
    # Not asked again at once.
    assert await endpoint._connected() is first
    assert len(answers) == 1
    endpoint._fresh_until = 0.0
    with pytest.raises(Refused):
        await endpoint._connected()


async def test_a_name_that_turns_its_addresses_round_opens_no_new_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["8.8.8.8", "8.8.4.4"]

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (one, port)) for one in addresses]

    monkeypatch.setattr(outward.socket, "getaddrinfo", look_up)
    session, where = await pinned(FACTS.url, Reach())
    addresses.reverse()
    again, _ = await pinned(FACTS.url, Reach(), session, where)
    assert again is session
    addresses.remove("8.8.8.8")
    other, _ = await pinned(FACTS.url, Reach(), session, where)
    assert other is not session
    await session.close()
    await other.close()
