# SPDX-License-Identifier: Apache-2.0
"""The loopback server that every simulator is: vendor paths, fault injection around them, and the control surface
`/_sim/`."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

from crossdock.sandbox.books import Books
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.faults import REQUEST_KINDS, Fault, FaultBook

MAX_BODY = 104 * 1024 * 1024
"""NetSuite takes the largest requests: 104 MB."""


class SimConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What all simulators have in common. `latency` is the seconds each vendor call takes; `state` the file of the
    own books."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    state: str | None = None
    latency: float = 0.0
    catalog: CatalogConfig = CatalogConfig()

    def __repr__(self) -> str:
        # Tokens and secrets are fields of the vendors' settings: the representation shows none of them.
        return f"{type(self).__name__}(host={self.host!r}, port={self.port}, seed={self.seed})"


class ControlError(Exception):
    """The control request cannot be done; the message says why."""


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer, encoded with msgspec."""
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


class Simulator:
    """Base of the simulators. Use `async with`, then `url`."""

    name = "simulator"

    def __init__(self, config: SimConfig) -> None:
        self.settings = config
        self.books = Books(config.state)
        self.faults = FaultBook(config.seed)
        self.url = ""
        self.requests = 0
        self._runner: web.ServerRunner | None = None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a vendor call."""
        raise NotImplementedError

    async def control(self, method: str, tail: str, request: web.BaseRequest) -> Any:
        """Do what `/_sim/{tail}` asks; return a JSON value, or None when there is no such thing."""
        raise NotImplementedError

    def counts(self) -> dict[str, Any]:
        """The simulator's own counts, for `/_sim/counts`."""
        raise NotImplementedError

    def admit(self, request: web.BaseRequest) -> web.Response | None:
        """Refuse a call before anything is done for it, or None. Every admitted call is released once."""
        return None

    def release(self, request: web.BaseRequest) -> None:
        """An admitted call is over."""

    def failure(self, status: int, request: web.BaseRequest) -> web.Response:
        """A 500 or 503 in the vendor's shape."""
        return json_response({"errors": "Internal Server Error"}, status)

    async def throttled(self, request: web.BaseRequest) -> web.StreamResponse:
        """The vendor's way of saying: too much."""
        return json_response({"errors": "Too many requests"}, 429, {"Retry-After": "1"})

    async def opened(self) -> None:
        """Called once the server listens."""

    async def closing(self) -> None:
        """Called before the server stops."""

    def reset(self) -> None:
        """Forget everything but the seeded master data."""
        self.books.clear()
        self.faults.clear()

    async def start(self) -> None:
        server = web.Server(self._handle, request_factory=_big_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.settings.host, self.settings.port)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://{self.settings.host}:{port}"
        await self.opened()

    async def stop(self) -> None:
        await self.closing()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.books.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/_sim/"):
            return await self._control(request)
        self.requests += 1
        refusal = self.admit(request)
        if refusal is not None:
            return refusal
        try:
            drawn = self.faults.draw(REQUEST_KINDS, request.path)
            if self.settings.latency:
                await asyncio.sleep(self.settings.latency)
            return await (self._answer_badly(request, drawn) if drawn else self.answer(request))
        finally:
            self.release(request)

    async def _answer_badly(self, request: web.BaseRequest, drawn: dict[str, Fault]) -> web.StreamResponse:
        if "down" in drawn:
            return _cut(request)
        if "slow" in drawn:
            await asyncio.sleep(drawn["slow"].seconds)
        if "throttled" in drawn:
            return await self.throttled(request)
        if "error_before" in drawn:
            return self.failure(503, request)
        answer = await self.answer(request)
        if "cut_after" in drawn:
            return _cut(request)
        return self.failure(500, request) if "error_after" in drawn else answer

    async def _control(self, request: web.BaseRequest) -> web.Response:
        tail = request.path.removeprefix("/_sim/").strip("/")
        try:
            value = await self._common_control(request.method, tail, request)
        except (ControlError, ValueError) as error:
            return json_response({"error": str(error)}, 400)
        if value is None:
            return json_response(
                {"error": f"no {request.method} /_sim/{tail} here; see docs/reference/simulators.md"}, 404
            )
        return json_response(value)

    async def _common_control(self, method: str, tail: str, request: web.BaseRequest) -> Any:
        match method, tail:
            case "GET", "counts":
                return self.counts()
            case "GET", "faults":
                return {"faults": self.faults.faults}
            case "POST", "faults":
                return self.faults.add(msgspec.json.decode(await request.read(), type=Fault))
            case "DELETE", "faults":
                self.faults.clear()
                return {"faults": []}
            case "POST", "reset":
                self.reset()
                return {"reset": True}
        return await self.control(method, tail, request)


def _cut(request: web.BaseRequest) -> web.Response:
    """Cut the connection: the caller sees a reset and no answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _big_request(message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)
