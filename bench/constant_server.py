# SPDX-License-Identifier: Apache-2.0
"""The limit of reading availability: the gateway's server, embedded in the same way, that answers a constant whose
size is given on the command line."""

from __future__ import annotations

import sys
from typing import Any

import uvloop

from bench.decoding_server import Receive, Send, serve

_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-cache"), (b"age", b"0")]


class Constant:
    """Answers every request with the same body."""

    def __init__(self, size: int) -> None:
        self._body = b'{"constant":"%s"}' % (b"x" * (size - 15))
        self._headers = [*_HEADERS, (b"content-length", b"%d" % len(self._body))]

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer."""
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Constant(int(sys.argv[2]))))
