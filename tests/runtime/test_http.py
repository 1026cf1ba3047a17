# SPDX-License-Identifier: Apache-2.0
"""Against a server that breaks off wherever it is told to, spoken to over real sockets."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from crossdock.errors import CrossdockError, OutcomeUnknown
from crossdock.runtime.http import Answer, NoAnswer, NotSent, call, open_session

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    """A server that reads one request (headers and `Content-Length` bytes), hands it over, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            await handler(head + await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def answering(text: bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return handler


async def silent(_: bytes, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


async def _called(handler: Handler, method: str = "POST", **options: object) -> Answer | CrossdockError:
    async with server(handler) as address, open_session(total=10) as session:
        try:
            return await call(session, method, f"{address}/x?key=hunter2", **options)  # type: ignore[arg-type]
        except CrossdockError as error:
            return error


async def test_every_status_is_an_answer_and_redirects_are_not_followed() -> None:
    text = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nhi"
    answer = await _called(answering(text))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.ok) == (302, b"hi", False)
    assert (answer.headers["retry-after"], answer.headers["Location"]) == ("3", "http://elsewhere/")


async def test_the_request_is_what_was_asked_for() -> None:
    seen: list[bytes] = []

    async def handler(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        await answering(b"HTTP/1.1 204 No Content\r\n\r\n")(request, writer)

    answer = await _called(handler, "PUT", headers={"X-Key": "1"}, body=b"{}")
    assert isinstance(answer, Answer)
    assert answer.ok
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /x?key=hunter2 HTTP/1.1\r\n")
    assert b"X-Key: 1" in head
    assert b"User-Agent: crossdock" in head
    assert body == b"{}"


async def test_a_refused_connection_was_not_sent() -> None:
    async with open_session() as session:
        with pytest.raises(NotSent, match=r"POST 127\.0\.0\.1:1: not sent, cannot connect"):
            await call(session, "POST", "http://127.0.0.1:1/x?key=hunter2", body=b"x")


async def test_an_unknown_host_was_not_sent() -> None:
    async with open_session() as session:
        with pytest.raises(NotSent, match="not sent"):
            await call(session, "POST", "http://nothing.invalid/", body=b"x")


async def test_tls_to_a_server_without_it_was_not_sent() -> None:
    async with server(silent) as address, open_session(connect=2) as session:
        with pytest.raises(NotSent):
            await call(session, "POST", address.replace("http:", "https:"), body=b"x", total=2)


async def test_waiting_for_a_free_connection_was_not_sent() -> None:
    async with server(silent) as address, open_session(connections=1) as session:
        first = asyncio.create_task(call(session, "POST", address, body=b"x", total=1.5))
        await asyncio.sleep(0.1)
        with pytest.raises(NotSent, match="out of time"):
            await call(session, "POST", address, body=b"x", total=0.3)
        with pytest.raises(OutcomeUnknown):
            await first


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (answering(b""), "outcome unknown, the connection broke"),
        (
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"),
            "outcome unknown after status 200, the connection",
        ),
        (answering(b"what?\r\n\r\n"), "outcome unknown, the connection broke"),
        (silent, "outcome unknown, out of time"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b"x" * 99), "larger than 50 bytes"),
    ],
)
async def test_after_sending_the_outcome_is_unknown_unless_it_was_a_reading(handler: Handler, says: str) -> None:
    posted = await _called(handler, body=b"x", total=0.5, largest=50)
    assert isinstance(posted, OutcomeUnknown)
    assert says in str(posted)
    assert "hunter2" not in str(posted)
    read = await _called(handler, "GET", total=0.5, largest=50)
    assert isinstance(read, NoAnswer)


async def test_a_small_answer_that_unpacks_to_a_large_one_is_bounded() -> None:
    packed = zlib.compress(b"\0" * 10_000_000)
    assert len(packed) < 20_000
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    error = await _called(answering(head + packed), largest=100_000)
    assert isinstance(error, OutcomeUnknown)
    assert "larger than 100000 bytes" in str(error)


@asynccontextmanager
async def talking(*rounds: bytes, hang_up: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers one request after the other on each connection; what it was asked, by connection."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(seen)
        seen.append(b"")
        try:
            for text in rounds:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                seen[place] += head + await reader.readexactly(length)
                writer.write(text)
                await writer.drain()
            if not hang_up:
                await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", seen
    finally:
        listening.close()


EMPTY = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"


async def test_a_connection_serves_one_call_after_the_other_and_keeps_no_cookies() -> None:
    async with talking(EMPTY, EMPTY) as (address, seen), open_session() as session:
        await call(session, "POST", address, body=b"1")
        await call(session, "POST", address, body=b"2")
    assert len(seen) == 1
    assert seen[0].count(b"POST / HTTP/1.1\r\n") == 2
    assert b"cookie" not in seen[0].lower()


async def test_calls_at_the_same_time_have_connections_of_their_own() -> None:
    async with talking(EMPTY) as (address, seen), open_session() as session:
        await asyncio.gather(*(call(session, "GET", f"{address}/{number}") for number in range(3)))
    assert sorted(request.split(b" ")[1] for request in seen) == [b"/0", b"/1", b"/2"]


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        EMPTY + b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nforeign",
    ],
)
async def test_a_connection_is_not_used_again_when_it_may_end_or_holds_more(text: bytes) -> None:
    async with talking(text, EMPTY) as (address, seen), open_session() as session:
        for _ in range(2):
            answer = await call(session, "POST", address, body=b"x")
            assert answer.body == b""
    assert len(seen) == 2


@asynccontextmanager
async def hanging_up() -> AsyncIterator[str]:
    """A server that answers the first request on a connection, and hangs up upon reading the second."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(EMPTY)
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_what_may_be_done_twice_is_asked_anew_when_its_connection_had_just_ended(method: str) -> None:
    async with hanging_up() as address, open_session() as session:
        assert (await call(session, "GET", address)).ok
        assert (await call(session, method, address)).ok


async def test_what_may_not_be_done_twice_is_unknown_when_its_connection_had_just_ended() -> None:
    async with hanging_up() as address, open_session() as session:
        assert (await call(session, "GET", address)).ok
        with pytest.raises(OutcomeUnknown, match="hung up"):
            await call(session, "POST", address)


async def test_a_call_that_was_given_up_takes_its_connection_with_it() -> None:
    async with server(silent) as address, open_session(connections=1) as session:
        with pytest.raises(OutcomeUnknown, match="out of time"):
            await call(session, "POST", address, total=0.2)
        with pytest.raises(OutcomeUnknown, match="out of time"):
            await call(session, "POST", address, total=0.2)


async def test_a_closed_session_ends_what_is_under_way() -> None:
    async with server(silent) as address:
        session = open_session()
        under_way = asyncio.create_task(call(session, "POST", address, body=b"x"))
        await asyncio.sleep(0.1)
        await session.close()
        with pytest.raises(OutcomeUnknown, match="the connection broke"):
            await under_way


@pytest.mark.parametrize("url", ["ftp://h/x", "http:///x", "http://h:port/", "no address"])
async def test_an_address_that_cannot_be_called_was_not_sent(url: str) -> None:
    async with open_session() as session:
        with pytest.raises(NotSent):
            await call(session, "POST", url)


@pytest.mark.parametrize(
    "headers", [{"X-Key": "a\r\nX-Other: b"}, {"X Key": "a"}, {"Content-Length": "3"}, {"X": "\0"}]
)
async def test_a_header_that_would_say_something_else_is_not_sent(headers: dict[str, str]) -> None:
    async with open_session() as session:
        with pytest.raises(NotSent, match="header"):
            await call(session, "POST", "http://127.0.0.1:1/", headers=headers)
