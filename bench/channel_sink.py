# SPDX-License-Identifier: Apache-2.0
"""Sales channels that do nothing but keep what they are told within their limits: `python -m bench.channel_sink PORT
NAME=RATE…`; each speaks the contract of connector channel_rest under /NAME and says under /NAME/shown what it shows."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
from aiohttp import web

# A little more at once than Crossdock is told to use: what is measured is the rate.
BURST_SECONDS, LEAST_BURST = 2.0, 3.0


class Item(msgspec.Struct):
    """A number of the contract."""

    sku: str
    available: int
    sequence: int


class Body(msgspec.Struct):
    """A call of the contract."""

    items: list[Item]


class Channel:
    """What one channel shows, and how it was called. `rate`: calls a second it takes."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(rate * BURST_SECONDS, LEAST_BURST)
        self._tokens = self._most
        self._at = 0.0
        self._decoder = msgspec.json.Decoder(Body)
        self.shown: dict[str, tuple[int, int]] = {}
        self.calls = 0
        self.throttled = 0
        self.numbers = 0

    async def put(self, request: web.Request) -> web.Response:
        """Take numbers, newer sequences only; 429 beyond the rate."""
        body = await request.read()
        clock = asyncio.get_running_loop().time()
        self._tokens = min(self._most, self._tokens + (clock - self._at) * self._rate)
        self._at = clock
        self.calls += 1
        if self._tokens < 1:
            self.throttled += 1
            return web.Response(status=429, headers={"Retry-After": "1"})
        self._tokens -= 1
        results: list[dict[str, Any]] = []
        for item in self._decoder.decode(body).items:
            if item.sequence > self.shown.get(item.sku, (0, 0))[1]:
                self.shown[item.sku] = (item.available, item.sequence)
            results.append({"sku": item.sku, "status": 200, "result": "updated", "sequence": item.sequence})
        self.numbers += len(results)
        return web.Response(status=207, body=msgspec.json.encode({"results": results}), content_type="application/json")

    async def state(self, _: web.Request) -> web.Response:
        """What it shows by SKU, and the counts."""
        shown = {sku: number for sku, (number, _) in self.shown.items()}
        counts = {"calls": self.calls, "throttled": self.throttled, "numbers": self.numbers}
        return web.Response(body=msgspec.json.encode({**counts, "shown": shown}), content_type="application/json")


def main() -> None:
    """Serve until stopped."""
    application = web.Application(client_max_size=2_000_000)
    for word in sys.argv[2:]:
        name, _, rate = word.partition("=")
        channel = Channel(float(rate))
        application.router.add_put(f"/{name}/api/v1/availability", channel.put)
        application.router.add_get(f"/{name}/shown", channel.state)
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
