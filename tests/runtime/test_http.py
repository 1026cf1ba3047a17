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
    lines = {line.lower() for line in head.split(b"\r\n")}
    assert {b"x-key: 1", b"user-agent: crossdock"} <= lines
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
    async with server(silent) as address, open_session(connect=1) as session:
        with pytest.raises(NotSent, match="out of time"):
            await call(session, "POST", address.replace("http:", "https:"), body=b"x")


async def test_what_speaks_something_else_than_tls_was_not_sent() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, open_session() as session:
        with pytest.raises(NotSent, match="TLS failed"):
            await call(session, "POST", f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}", body=b"x")


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
            "outcome unknown, the connection broke",
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


async def test_a_session_keeps_no_cookies() -> None:
    seen: list[bytes] = []

    async def handler(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request.lower())
        await answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")(request, writer)

    async with server(handler) as address, open_session() as session:
        for _ in range(2):
            assert (await call(session, "GET", address)).headers["set-cookie"] == "a=b"
    assert len(seen) == 2
    assert not any(b"\ncookie:" in request for request in seen)


async def test_what_was_sent_is_never_sent_again() -> None:
    """A connection that the server closes after reading a PUT: some clients repeat it, because PUT may be repeated."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # One good answer, so that the next request travels on a connection that was used before.
        for answer in (b"HTTP/1.1 204 No Content\r\n\r\n", b""):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, open_session() as session:
        address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        assert (await call(session, "PUT", address)).status == 204
        with pytest.raises(OutcomeUnknown):
            await call(session, "PUT", address)
    assert len(seen) == 2


async def test_a_path_travels_as_it_was_written() -> None:
    seen: list[bytes] = []

    async def handler(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request.split(b" ")[1])
        await answering(b"HTTP/1.1 204 No Content\r\n\r\n")(request, writer)

    async with server(handler) as address, open_session() as session:
        await call(session, "GET", f"{address}/record/eid:shop%3A%231%2F2?q=a%20b+c&limit=1000")
    assert seen == [b"/record/eid:shop%3A%231%2F2?q=a%20b+c&limit=1000"]
