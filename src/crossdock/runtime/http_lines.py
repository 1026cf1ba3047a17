# SPDX-License-Identifier: Apache-2.0
"""Connections to one server: opened when needed, used for one request at a time, kept for the next."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import cast
from urllib.parse import SplitResult, unquote

from crossdock.runtime.http_wire import Reader, TooLarge, Unreadable

# Servers close what has been idle for a while; a request written at that moment would be lost.
_IDLE_SECONDS = 15.0


class Broken(Exception):
    """The connection ended before the answer did."""


class Line(asyncio.Protocol):
    """A connection with at most one request under way."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._reader: Reader | None = None
        self._answered: asyncio.Future[None] | None = None

    @property
    def usable(self) -> bool:
        """It is open, and nothing of an earlier request is left in it."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and not transport.get_write_buffer_size()

    def ask(self, request: bytes, reader: Reader, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Write `request`; the future is done when `reader` has the answer, or fails with Broken, Unreadable, TooLarge.

        A caller who does not wait for it ends the connection with `cut`.
        """
        answered: asyncio.Future[None] = loop.create_future()
        if self._transport is None:
            answered.set_exception(Broken("it was closed"))
            return answered
        self._reader, self._answered = reader, answered
        self._transport.write(request)
        return answered

    def cut(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            # Nobody asked: whatever this is, it must not be taken for the next answer.
            self.cut()
            return
        try:
            if self._reader.feed(data):
                self._finish(None)
        except (Unreadable, TooLarge) as error:
            self._finish(error)
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._reader is not None:
            self._finish(
                None if exc is None and self._reader.end() else Broken(type(exc).__name__ if exc else "hung up")
            )

    def _finish(self, error: Exception | None) -> None:
        answered, self._reader, self._answered = self._answered, None, None
        if answered is not None and not answered.done():
            if error is None:
                answered.set_result(None)
            else:
                answered.set_exception(error)


class Origin:
    """A server: how to reach it, the header lines that go with every request, and the connections that are free."""

    def __init__(self, url: SplitResult, most: int, headers: Mapping[str, str]) -> None:
        """`most`: connections at once. ValueError when `url` names no host or an impossible port."""
        host = url.hostname or ""
        if not host:
            raise ValueError("the address names no host")
        self._tls = url.scheme.lower() == "https"
        self._host = host if host.isascii() else host.encode("idna").decode()
        self._port = url.port or (443 if self._tls else 80)
        self.slots = asyncio.Semaphore(most)
        self._idle: deque[Line] = deque()
        self._taken: set[Line] = set()
        self.always = {name.lower(): f"{name}: {value}\r\n" for name, value in headers.items()}
        named = f"[{self._host}]" if ":" in self._host else self._host
        port = "" if url.port is None else f":{url.port}"
        self.always["host"] = f"Host: {named}{port}\r\n"
        if url.username is not None:
            pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
            self.always["authorization"] = f"Authorization: Basic {b64encode(pair.encode()).decode()}\r\n"

    def free(self, clock: float) -> Line | None:
        """A connection that is open and free, the one used last; None when there is none."""
        while self._idle and clock - self._idle[0].idle_since > _IDLE_SECONDS:
            self._idle.popleft().cut()
        while self._idle:
            line = self._idle.pop()
            if line.usable:
                self._taken.add(line)
                return line
            line.cut()
        return None

    async def open(self, loop: asyncio.AbstractEventLoop, within: float) -> Line:
        """A new connection. OSError (refused, DNS, TLS), TimeoutError after `within` seconds."""
        context = _tls_context() if self._tls else None
        async with asyncio.timeout(within):
            _, line = await loop.create_connection(
                Line, self._host, self._port, ssl=context, server_hostname=self._host if context else None
            )
        self._taken.add(line)
        return line

    def give_back(self, line: Line, clock: float, *, keep: bool) -> None:
        """The request on `line` is over; with `keep` it serves the next one."""
        self._taken.discard(line)
        if keep and line.usable:
            line.idle_since = clock
            self._idle.append(line)
        else:
            line.cut()

    def close(self) -> None:
        """End every connection."""
        for line in (*self._idle, *self._taken):
            line.cut()
        self._idle.clear()
        self._taken.clear()


@cache
def _tls_context() -> ssl.SSLContext:
    """Certificates are checked against the system's authorities. Made once: reading them takes a while."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
