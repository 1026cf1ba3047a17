# SPDX-License-Identifier: Apache-2.0
"""A receiver of webhooks for the tests of senders."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web


@dataclass
class Got:
    path: str
    headers: dict[str, str]
    body: bytes


class Served:
    """A server on a free loopback port as long as the block; `url` is its address."""

    url: str = ""
    _runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self.answer), shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        raise NotImplementedError


@dataclass
class Inbox(Served):
    """Answers `status(nth request)` and keeps what came."""

    status: Callable[[int], int] = lambda _number: 200
    got: list[Got] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.got.append(Got(request.path, dict(request.headers), await request.read()))
        self._came.set()
        return web.Response(status=self.status(len(self.got)))

    async def wait(self, count: int, seconds: float = 10.0) -> list[Got]:
        """What came, once it is at least `count`."""
        async with asyncio.timeout(seconds):
            while len(self.got) < count:
                self._came.clear()
                await self._came.wait()
        return self.got


def verify(got: Got, secret: str) -> dict[str, Any]:
    """Check the Standard Webhooks signature and return the body."""
    headers = {name.lower(): value for name, value in got.headers.items()}
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + got.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    body: dict[str, Any] = json.loads(got.body)
    assert body["id"] == headers["webhook-id"]
    return body
