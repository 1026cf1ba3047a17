# SPDX-License-Identifier: Apache-2.0
"""The load generator, a process of its own: sends prepared requests once each over connections that stay open.

Plain sockets on uvloop and no HTTP library, so that it costs little beside what it measures (its CPU is printed).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import uvloop
from msgspec import Struct

from bench.figures import quantile
from bench.orders import load
from bench.stand import apart

PATIENCE = 300.0


class Poured(Struct, frozen=True, kw_only=True):
    """What came of it: answers by status; `began`, when the first request left (seconds since 1970); seconds from then
    to the last answer; latencies in seconds; CPU seconds of this process in that time."""

    statuses: dict[int, int]
    began: float
    seconds: float
    p50: float
    p99: float
    cpu: float


class _Line(asyncio.Protocol):
    """One connection: the next request leaves when the answer to the last one is complete, and not before it is due
    (`time.perf_counter`). What it waits for a free connection counts as its latency."""

    def __init__(
        self, requests: Iterator[tuple[float, bytes]], statuses: dict[int, int], latencies: list[float]
    ) -> None:
        self._requests = requests
        self._statuses = statuses
        self._latencies = latencies
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def begin(self) -> None:
        """Send the next request, or end when there is none."""
        assert self._transport is not None
        due, request = next(self._requests, (0.0, None))
        if request is None:
            self._transport.close()
            return
        wait = due - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._send, due, request)
        else:
            self._send(due or time.perf_counter(), request)

    def _send(self, due: float, request: bytes) -> None:
        assert self._transport is not None
        self._sent = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        head, separator, body = data.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            self._held = data
            return
        self._held = b""
        self._latencies.append(time.perf_counter() - self._sent)
        status = int(head[9:12])
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def pour(host: str, port: int, requests: list[bytes], connections: int, rate: float = 0.0) -> Poured:
    """Send every request once over `connections` at a time, `rate` of them a second (0: as fast as they are answered).
    TimeoutError after five minutes, RuntimeError when one was not answered."""
    loop = asyncio.get_running_loop()
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    start = time.perf_counter() + 0.2
    queue = ((start + number / rate if rate else 0.0, request) for number, request in enumerate(requests))
    lines = []
    for _ in range(connections):
        _, line = await loop.create_connection(lambda: _Line(queue, statuses, latencies), host, port)
        lines.append(line)
    at, began, cpu = time.time(), time.perf_counter(), time.process_time()
    for line in lines:
        line.begin()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(line.done for line in lines))
    if sum(statuses.values()) != len(requests):
        raise RuntimeError(f"{len(requests)} requests, {sum(statuses.values())} answers: a connection was closed")
    return Poured(
        statuses=statuses,
        began=at,
        seconds=time.perf_counter() - began,
        p50=quantile(latencies, 0.5),
        p99=quantile(latencies, 0.99),
        cpu=time.process_time() - cpu,
    )


async def pour_apart(url: str, file: Path, connections: int = 64, *, rate: float = 0.0, accepted: int = 200) -> Poured:
    """Pour the requests stored in `file` at `url` from a process of its own. RuntimeError when one was not answered
    with `accepted`: the benchmark is of accepted requests."""
    poured = await apart(
        "bench.pour", url, str(file), "--connections", str(connections), "--rate", str(rate), told=Poured
    )
    if set(poured.statuses) != {accepted}:
        raise RuntimeError(f"not every request was answered with {accepted}: {poured.statuses}")
    return poured


def main() -> None:
    """Pour and print what came of it as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.0)
    given = parser.parse_args()
    host, _, port = given.url.removeprefix("http://").partition(":")
    requests = load(given.file)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        poured = runner.run(pour(host, int(port), requests, given.connections, given.rate))
    sys.stdout.write(msgspec.json.encode(poured).decode())


if __name__ == "__main__":
    main()
