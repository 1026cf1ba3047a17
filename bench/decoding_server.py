# SPDX-License-Identifier: Apache-2.0
"""The limit of intake: the gateway's server, embedded in the same way, that reads and decodes an order, both its head
and the whole of it, and answers. It checks no signature and stores nothing."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from crossdock.connectors.shopify.receiver import OrderHead

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

_head = msgspec.json.Decoder(OrderHead)
_whole = msgspec.json.Decoder()
_JSON = (b"content-type", b"application/json")


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Decode and answer."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    if body:
        head = _head.decode(body)
        _whole.decode(body)
        answer = b'{"status":"kept","document":%d}' % head.id
    else:
        answer = b"{}"
    length = (b"content-length", str(len(answer)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length]})
    await send({"type": "http.response.body", "body": answer})


async def serve(port: int, app: Application) -> None:
    """Serve `app` until SIGTERM."""
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        log_access=False,
        websockets=False,
        backlog=1024,
    )
    serving = asyncio.create_task(server.serve())
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()  # type: ignore[no-untyped-call]  # granian's embedded server is not annotated
    await serving


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), application))
