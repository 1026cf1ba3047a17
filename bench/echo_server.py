# SPDX-License-Identifier: Apache-2.0
"""The limit of the order API: the gateway's server, embedded in the same way, that decodes a body and echoes it."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import uvloop

from bench.decoding_server import Receive, Send, serve

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Decode, encode and answer."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    answer = _encode(_decode(body)) if body else b"{}"
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [_JSON, (b"content-length", b"%d" % len(answer))],
        }
    )
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), application))
