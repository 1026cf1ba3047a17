# SPDX-License-Identifier: Apache-2.0
"""A call that carries many items: an outcome for each, whatever becomes of the call."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from crossdock.errors import NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.json_api import BatchCall, CallFailed, JsonApi, send_batch
from crossdock.sdk.sending import Delivered, Exchange, Failed, Outcome, Outgoing

TRAVELLED = Exchange(method="PUT", url="http://127.0.0.1/things", request=b"")


class Scripted:
    """Answers every call with the names it was sent; takes at most `most` of them, and fails as told."""

    what = "the shop"

    def __init__(self, most: int = 100, error: Exception | None = None, answer: bytes | None = None) -> None:
        self.calls: list[list[str]] = []
        self._most, self._error, self._answer = most, error, answer

    async def request(self, method: str, path: str, body: Any) -> tuple[bytes, Exchange]:
        assert (method, path) == ("PUT", "/things")
        self.calls.append(body["things"])
        if len(body["things"]) > self._most:
            raise CallFailed(NeedsEdit("too large"), 413, TRAVELLED)
        if self._error is not None:
            raise self._error
        return self._answer if self._answer is not None else msgspec.json.encode(body["things"]), TRAVELLED


def outcome(result: str | None, sent: str, exchange: Exchange) -> Outcome:
    assert exchange is TRAVELLED
    return Delivered(reference=result) if result == sent else Failed(error=OutcomeUnknown("left out"))


CALL = BatchCall("PUT", "/things", "things", lambda body: msgspec.json.decode(body, type=list[str]), outcome)


def body_of(item: Outgoing) -> str:
    if item.reference == "bad":
        raise NeedsEdit("no thing", rule="bad")
    return item.reference


async def sent(api: Scripted, *names: str) -> list[str]:
    batch = [
        Outgoing(delivery_id=0, operation="set", reference=name, idempotency_key="", document=None, known={})
        for name in names
    ]
    outcomes = await send_batch(cast(JsonApi, api), CALL, batch, body_of)
    return [one.reference if isinstance(one, Delivered) else type(one.error).__name__ for one in outcomes]


async def test_what_cannot_be_made_is_left_out_and_the_others_go() -> None:
    api = Scripted()
    assert await sent(api, "a", "bad", "b") == ["a", "NeedsEdit", "b"]
    assert api.calls == [["a", "b"]]


async def test_nothing_to_send_makes_no_call() -> None:
    api = Scripted()
    assert await sent(api, "bad") == ["NeedsEdit"]
    assert api.calls == []


async def test_too_much_at_once_goes_in_halves() -> None:
    api = Scripted(most=2)
    assert await sent(api, "a", "b", "c", "d", "e") == ["a", "b", "c", "d", "e"]
    assert api.calls == [["a", "b", "c", "d", "e"], ["a", "b"], ["c", "d", "e"], ["c"], ["d", "e"]]


async def test_one_that_is_too_large_alone_is_not_sent_again() -> None:
    api = Scripted(most=0)
    assert await sent(api, "a") == ["NeedsEdit"]
    assert api.calls == [["a"]]


async def test_a_call_that_fails_fails_for_all_it_carried() -> None:
    api = Scripted(error=CallFailed(RetryLater("later"), 503, TRAVELLED))
    assert await sent(api, "a", "b") == ["RetryLater", "RetryLater"]


async def test_an_answer_that_cannot_be_read_leaves_all_of_them_unknown() -> None:
    assert await sent(Scripted(answer=b"<html>"), "a", "b") == ["OutcomeUnknown", "OutcomeUnknown"]


async def test_an_answer_that_is_too_short_leaves_the_rest_unknown() -> None:
    assert await sent(Scripted(answer=b'["a"]'), "a", "b") == ["a", "OutcomeUnknown"]
