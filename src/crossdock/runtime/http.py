# SPDX-License-Identifier: Apache-2.0
"""The HTTP client of every connector. It tells a request that was never sent from one whose outcome nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
import msgspec
from aiohttp import hdrs
from aiohttp.connector import Connection
from multidict import CIMultiDictProxy

from crossdock.errors import OutcomeUnknown, RetryLater

LARGEST_ANSWER = 16 * 1024 * 1024
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class NotSent(RetryLater):
    """The other side could not be reached and has seen nothing; the call is safe to repeat."""

    code = "not_sent"


class NoAnswer(RetryLater):
    """A reading request got no usable answer; it has no effect and is safe to repeat."""

    code = "no_answer"


class Answer(msgspec.Struct, frozen=True):
    """What the other side answered. `headers`: looked up in any case. `body`: decompressed."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300


Session = aiohttp.ClientSession
"""Connections to a system, kept open between calls."""


def open_session(
    *,
    connections: int = 64,
    per_host: int = 0,
    connect: float = 5.0,
    total: float = 30.0,
    headers: Mapping[str, str] | None = None,
) -> Session:
    """A session to be kept for the life of a sender; call it inside a running event loop and close it.

    `connections`: open at once in all, `per_host` to one host (0 = no bound of its own). `connect`: seconds for TCP
    and TLS, `total`: seconds for the whole call, DNS and waiting for a free connection included. No cookies, no
    proxies from the environment; redirects are answers, never followed (they would repeat a signed request
    elsewhere).
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, limit_per_host=per_host, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(total=total, sock_connect=connect, connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "crossdock", **(headers or {})},
        request_class=_Request,
        trust_env=False,
    )


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
    progress = _Progress()
    _PROGRESS.set(progress)
    options: dict[str, Any] = {} if total is None else {"timeout": _shortened(session.timeout, total)}
    try:
        async with session.request(
            method, url, headers=headers, data=body, allow_redirects=False, **options
        ) as response:
            progress.status = response.status
            content = await _bounded(response, largest)
            return Answer(response.status, response.headers, content)
    except (aiohttp.ClientError, TimeoutError, OSError, _TooLarge) as error:
        raise _typed(error, progress, method, url) from error


class _Progress:
    """How far a request came."""

    __slots__ = ("sent", "status")

    def __init__(self) -> None:
        self.sent = False
        self.status = 0


# The request that the running task is making.
_PROGRESS: ContextVar[_Progress] = ContextVar("crossdock_http_progress")


class _Request(aiohttp.ClientRequest):
    """Notes when it is written to its connection. Tracing would tell as much for a fifth of a call's time."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        # From the first byte of the headers on, the other side may act on the request.
        _PROGRESS.get().sent = True
        return await super().send(conn)


class _TooLarge(Exception):
    """The answer is larger than the caller takes."""


async def _bounded(response: aiohttp.ClientResponse, largest: int) -> bytes:
    length = response.content_length
    if length is not None and length <= largest and hdrs.CONTENT_ENCODING not in response.headers:
        return await response.read()
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > largest:
            raise _TooLarge(f"the answer is larger than {largest} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _typed(error: Exception, progress: _Progress, method: str, url: str) -> RetryLater | OutcomeUnknown:
    # Query and user part of a URL may hold credentials.
    place = url.split("?", 1)[0].split("://", 1)[-1].rpartition("@")[2].split("/", 1)[0]
    why = _why(error)
    if not progress.sent:
        return NotSent(f"{method} {place}: not sent, {why}")
    seen = f" after status {progress.status}" if progress.status else ""
    if method.upper() in _READING:
        return NoAnswer(f"{method} {place}: no answer{seen}, {why}")
    return OutcomeUnknown(f"{method} {place}: outcome unknown{seen}, {why}")


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name does not resolve"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "TLS failed (certificate or protocol)"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect ({error.os_error.strerror or type(error.os_error).__name__})"
    if isinstance(error, TimeoutError):
        return "out of time"
    if isinstance(error, _TooLarge):
        return str(error)
    return f"the connection broke ({type(error).__name__})"


def _shortened(timeout: aiohttp.ClientTimeout, total: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=timeout.sock_connect, connect=timeout.connect)
