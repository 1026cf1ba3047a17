# SPDX-License-Identifier: Apache-2.0
"""Call an ASGI application directly, and serve one over HTTP for simulators that send webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

App = Callable[[Any, Any, Any], Awaitable[None]]


class Answer(Struct):
    """What an application answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


async def call(
    app: App,
    path: str,
    body: bytes | Sequence[bytes] = b"",
    headers: dict[str, str] | None = None,
    method: str = "POST",
    cut: bool = False,
    query: str = "",
) -> Answer:
    """One request; a sequence of bodies comes in pieces, with `cut` the sender hangs up after them."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": cut or number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]
    if cut:
        messages.append({"type": "http.disconnect"})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": encoded}
    await app(scope, receive, send)
    start = sent[0]
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    whole = b"".join(message["body"] for message in sent[1:])
    assert answered.get("content-length", "0") == str(len(whole))
    return Answer(start["status"], answered, whole)


@asynccontextmanager
async def served(app: App) -> AsyncIterator[str]:
    """`app` on a free port of this machine; its address."""

    async def handle(request: web.BaseRequest) -> web.Response:
        headers = dict(request.headers.items())
        answer = await call(app, request.path, await request.read(), headers, request.method)
        return web.Response(status=answer.status, body=answer.body)

    def large(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=64 * 1024 * 1024)

    runner = web.ServerRunner(web.Server(handle, request_factory=large), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
