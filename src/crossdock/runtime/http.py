# SPDX-License-Identifier: Apache-2.0
"""The HTTP client of every connector. It tells a request that was never sent from one whose outcome nobody knows.

HTTP/1.1 without what a connector has no use for (redirects, cookies, proxies, uploads): a call costs a sixth of what a
general client takes for it, and calls are a good part of what an order costs.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import msgspec

from crossdock.errors import OutcomeUnknown, RetryLater
from crossdock.runtime.http_lines import Broken, Line, Origin
from crossdock.runtime.http_wire import Headers, Reader, TooLarge, Unreadable, request_bytes

LARGEST_ANSWER = 16 * 1024 * 1024
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# RFC 9110, 9.2.2: doing it twice is doing it once.
_IDEMPOTENT = _READING | {"PUT", "DELETE", "TRACE"}
_URL = re.compile(r"(https?://[^/?#]+)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_UNSAFE = re.compile(r"[^!-~]")
_HEADERS = {"User-Agent": "crossdock", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}


class NotSent(RetryLater):
    """The other side could not be reached and has seen nothing; the call is safe to repeat."""

    code = "not_sent"


class NoAnswer(RetryLater):
    """A reading request got no usable answer; it has no effect and is safe to repeat."""

    code = "no_answer"


class Answer(msgspec.Struct, frozen=True):
    """What the other side answered. `headers`: looked up in any case. `body`: decompressed."""

    status: int
    headers: Headers
    body: bytes

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300


class Session:
    """Connections kept for the life of a sender; made by `open_session`."""

    def __init__(
        self, connections: int, per_host: int, connect: float, total: float, headers: Mapping[str, str]
    ) -> None:
        self.total = total
        self._connect = connect
        self._headers = {**_HEADERS, **headers}
        self._per_host = min(per_host or connections, connections)
        self._slots = asyncio.Semaphore(connections)
        self._origins: dict[str, Origin] = {}

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End every connection, those in use too."""
        for origin in self._origins.values():
            origin.close()
        # The loop closes their sockets in its next step.
        await asyncio.sleep(0)

    def origin(self, url: str) -> Origin:
        """The server that `url`, cut off before its path, names. ValueError when it names none."""
        origin = self._origins.get(url)
        if origin is None:
            origin = self._origins[url] = Origin(urlsplit(url), self._per_host, self._headers)
        return origin

    async def exchange(self, origin: Origin, method: str, request: bytes, reader: Reader, progress: Progress) -> None:
        """Send `request` and wait until `reader` has the whole answer."""
        loop = asyncio.get_running_loop()
        async with origin.slots, self._slots:
            line = origin.free(loop.time())
            if line is not None:
                try:
                    await self._on(line, origin, request, reader, progress)
                    return
                except Broken:
                    # The server closed it as idle in that very moment; what may be done twice is asked anew.
                    if reader.begun or method not in _IDEMPOTENT:
                        raise
            await self._on(await origin.open(loop, self._connect), origin, request, reader, progress)

    async def _on(self, line: Line, origin: Origin, request: bytes, reader: Reader, progress: Progress) -> None:
        loop = asyncio.get_running_loop()
        whole = False
        # From the first byte on, the other side may act on the request.
        progress.sent = True
        try:
            await line.ask(request, reader, loop)
            whole = True
        finally:
            origin.give_back(line, loop.time(), keep=whole and reader.keeps)


class Progress:
    """How far a request came."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


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
    return Session(connections, per_host, connect, total, headers or {})


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
    method = method.upper()
    parts = _URL.fullmatch(url)
    if parts is None:
        raise NotSent(f"{method}: not sent, the address is no http address")
    try:
        origin = session.origin(parts[1])
        request = request_bytes(method, _target(parts[2]), origin.always, headers or {}, body or b"")
    except ValueError as error:
        raise NotSent(f"{method}: not sent, {error}") from error
    reader, progress = Reader(method, largest), Progress()
    try:
        async with asyncio.timeout(session.total if total is None else total):
            await session.exchange(origin, method, request, reader, progress)
        return Answer(reader.status, reader.headers, reader.body())
    except (OSError, TimeoutError, Broken, Unreadable, TooLarge) as error:
        raise _typed(error, progress, reader.status, method, parts[1]) from error


def _target(path: str) -> str:
    """Path and query as they are sent; what is no plain character is percent-encoded."""
    if not path.startswith("/"):
        path = "/" + path
    if _UNSAFE.search(path) is not None:
        path = quote(path, safe="!#$%&'()*+,/:;=?@[]~-._")
    return path


def _typed(error: Exception, progress: Progress, status: int, method: str, origin: str) -> RetryLater | OutcomeUnknown:
    # The user part of an address holds credentials.
    place = origin.split("://", 1)[-1].rpartition("@")[2]
    why = _why(error)
    if not progress.sent:
        return NotSent(f"{method} {place}: not sent, {why}")
    seen = f" after status {status}" if status else ""
    if method in _READING:
        return NoAnswer(f"{method} {place}: no answer{seen}, {why}")
    return OutcomeUnknown(f"{method} {place}: outcome unknown{seen}, {why}")


def _why(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "the host name does not resolve"
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return "TLS failed (certificate or protocol)"
    if isinstance(error, TimeoutError):
        return "out of time"
    if isinstance(error, TooLarge):
        return str(error)
    if isinstance(error, Unreadable):
        return f"the connection broke (the answer cannot be read: {error})"
    if isinstance(error, OSError):
        return f"cannot connect ({error.strerror or type(error).__name__})"
    return f"the connection broke ({error})"
