# SPDX-License-Identifier: Apache-2.0
"""The limit of quoting prices: the gateway's server, embedded in the same way, that decodes and echoes the question."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import uvloop

from bench.decoding_server import Receive, Send, serve
from crossdock.api.price_question import PriceQuestion
from crossdock.canonical.objects import encode

_DECODER = msgspec.json.Decoder(PriceQuestion)
_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Decode the body into the struct that the gateway decodes it into, and send that back."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    answer = encode(_DECODER.decode(body)) if body else b"{}"
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [*_HEADERS, (b"content-length", b"%d" % len(answer))],
        }
    )
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), echo))
