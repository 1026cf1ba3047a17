# SPDX-License-Identifier: Apache-2.0
"""The HTTP client of every connector. It tells a request that was never sent from one whose outcome nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

import msgspec
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, PyreqwestError
from pyreqwest.response import Response

from crossdock.errors import OutcomeUnknown, RetryLater

LARGEST_ANSWER = 16 * 1024 * 1024
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# What the client says of an error before a connection was there. The classes of its errors do not tell: a server that
# hangs up on a request it has read is a "ConnectError" too. What we do not know counts as sent.
_NOT_CONNECTED = "client error (Connect)"
_TIMEOUT = "operation timed out"


class NotSent(RetryLater):
    """The other side could not be reached and has seen nothing; the call is safe to repeat."""

    code = "not_sent"


class NoAnswer(RetryLater):
    """A reading request got no usable answer; it has no effect and is safe to repeat."""

    code = "no_answer"


class Answer(msgspec.Struct, frozen=True):
    """What the other side answered. `headers`: looked up in any case. `body`: decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300


class Session:
    """Connections to a system, kept open between calls. `open_session` makes one."""

    def __init__(self, client: Client, connections: int, total: float) -> None:
        self.client = client
        self.free = asyncio.Semaphore(connections)
        self.total = total

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up. Calls that are under way raise."""
        await self.client.close()


def open_session(
    *,
    connections: int = 64,
    connect: float = 5.0,
    total: float = 30.0,
    headers: Mapping[str, str] | None = None,
    pinned: tuple[str, str] | None = None,
) -> Session:
    """A session to be kept for the life of a sender; call it inside a running event loop and close it.

    `connections`: calls at once. `connect`: seconds for TCP and TLS, `total`: seconds for the whole call, DNS and
    waiting for a free connection included. No cookies, no proxies from the environment; redirects are answers, never
    followed (they would repeat a signed request elsewhere). HTTP/1.1 only: there, nothing that was sent is repeated.
    `pinned`: (host name, address): this name is not resolved, calls to it go to this address.
    """
    builder = (
        ClientBuilder()
        .connect_timeout(timedelta(seconds=connect))
        .timeout(timedelta(seconds=total))
        .pool_max_idle_per_host(connections)
        .default_headers({"User-Agent": "crossdock", **(headers or {})})
        .follow_redirects(False)
        .referer(False)
        .error_for_status(False)
        .http1_only()
        .no_proxy()
    )
    if pinned is not None:
        # The port is the URL's own.
        builder = builder.resolve(*pinned, 0)
    return Session(builder.build(), connections, total)


async def call(
    session: Session,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    largest: int = LARGEST_ANSWER,
    total: float | None = None,
) -> Answer:
    """Make one request and read the answer whole; every status is an answer. `total` overrides the session's seconds.

    Raises NotSent (refused, DNS, TLS, no connection in time: the other side has seen nothing); else, when the
    connection is cut, time runs out or the answer is larger than `largest` bytes: NoAnswer for a reading method,
    OutcomeUnknown for any other. Messages name method and host, never query or headers, which may hold credentials.
    """
    return await _call(session, method, url, _Ask(headers or {}, body, largest, cut=False, total=total))


async def post(
    session: Session, url: str, body: bytes, *, headers: Mapping[str, str], kept: int = 1024, total: float | None = None
) -> Answer:
    """POST to somebody of whose answer only the status matters: at most `kept` bytes of its body are read.

    Raises as `call`.
    """
    return await _call(session, "POST", url, _Ask(headers, body, kept, cut=True, total=total))


class _Ask(msgspec.Struct, frozen=True):
    """A request, and how much of its answer is read: of a longer one the beginning (`cut`), or it is an error."""

    headers: Mapping[str, str]
    body: bytes | None
    largest: int
    cut: bool
    total: float | None


async def _call(session: Session, method: str, url: str, ask: _Ask) -> Answer:
    seconds = session.total if ask.total is None else ask.total
    left = await _place(session, seconds, method, url)
    status = 0
    try:
        request = session.client.request(method, url)
        if ask.headers:
            request = request.headers(ask.headers)
        if ask.body is not None:
            request = request.body_bytes(ask.body)
        if left != session.total:
            request = request.timeout(timedelta(seconds=left))
        async with request.build_streamed() as response:
            status = response.status
            return Answer(status, response.headers, await _bounded(response, ask.largest, cut=ask.cut))
    except (PyreqwestError, _TooLarge) as error:
        raise _typed(error, status, method, url) from error
    finally:
        session.free.release()


async def _place(session: Session, seconds: float, method: str, url: str) -> float:
    """Wait for a free connection; how many of `seconds` are left."""
    if not session.free.locked():
        await session.free.acquire()
        return seconds
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    try:
        async with asyncio.timeout_at(until):
            await session.free.acquire()
    except TimeoutError as error:
        raise NotSent(f"{method} {_host(url)}: not sent, out of time") from error
    return max(until - loop.time(), 0.001)


class _TooLarge(Exception):
    """The answer is larger than the caller takes."""


async def _bounded(response: Response, largest: int, *, cut: bool) -> bytes:
    read = response.body_reader.read
    whole = bytes(await read(largest + 1) or b"")
    while len(whole) <= largest and (more := await read(largest + 1 - len(whole))):
        whole += bytes(more)
    if len(whole) > largest:
        if cut:
            return whole[:largest]
        raise _TooLarge(f"the answer is larger than {largest} bytes")
    return whole


def _typed(error: PyreqwestError | _TooLarge, status: int, method: str, url: str) -> RetryLater | OutcomeUnknown:
    causes = _causes(error)
    why = _why(error, causes)
    if _NOT_CONNECTED in causes:
        return NotSent(f"{method} {_host(url)}: not sent, {why}")
    seen = f" after status {status}" if status else ""
    if method.upper() in _READING:
        return NoAnswer(f"{method} {_host(url)}: no answer{seen}, {why}")
    return OutcomeUnknown(f"{method} {_host(url)}: outcome unknown{seen}, {why}")


def _host(url: str) -> str:
    # Query and user part of a URL may hold credentials.
    return url.split("?", 1)[0].split("://", 1)[-1].split("/", 1)[0].rpartition("@")[2]


def _causes(error: Exception) -> list[str]:
    details = error.details if isinstance(error, DetailedPyreqwestError) else {"causes": None}
    return [cause["message"] for cause in details["causes"] or ()]


def _why(error: Exception, causes: list[str]) -> str:
    if isinstance(error, _TooLarge):
        return str(error)
    if _TIMEOUT in causes:
        return "out of time"
    if _NOT_CONNECTED not in causes:
        return f"the connection broke ({type(error).__name__})"
    if "dns error" in causes:
        return "the host name does not resolve"
    if "tcp connect error" in causes:
        return f"cannot connect ({causes[-1]})"
    return "TLS failed (certificate or protocol)"
