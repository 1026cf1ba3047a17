# SPDX-License-Identifier: Apache-2.0
"""The real gateway beside a server that is its limit: an estate of one portal, both processes, and what they use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from bench.stand import LOOPBACK, answering, process
from bench.usage import Used, cpu_by_part
from crossdock.runtime.embedded import Engines
from crossdock.runtime.processes import step_port

PORTAL = """\
estate: bench
owners: {web: {email: web@example.com}}
tiers: {gold: {settle_within: 15m}}
entities: {us: {name: Northstar, currency: USD, erp: portal}}
systems:
  portal: {connector: channel_rest, owner: web, settings: {url: "http://127.0.0.1:9"},
           secrets: {webhook: "env:BENCH_SECRET", token: "env:BENCH_SECRET"}}
"""
"""The beginning of an estate: it lacks the channels of system `portal`, and locations."""
_SECRET = "whsec_c2FtcGxlLXNlY3JldC1vZi10aGUtY2hhbm5lbC1ub3ctLS0="


class Opposed(Struct, frozen=True):
    """The gateway and its limit: addresses and processes."""

    ours: str
    theirs: str
    gateway: int
    limit: int

    def cpu(self) -> Used:
        """CPU seconds so far: of the gateway's tree by part, and of the limit's as `limit`."""
        return {**cpu_by_part(self.gateway), "limit": sum(cpu_by_part(self.limit).values())}


def surroundings(engines: Engines) -> dict[str, str]:
    """What a process of an estate that begins with PORTAL needs to know."""
    return {
        "DATABASE_URL": engines.database_url,
        "NATS_URL": engines.nats_url,
        "CROSSDOCK_LOG_LEVEL": "warning",
        "BENCH_SECRET": _SECRET,
    }


@asynccontextmanager
async def gateway_of(folder: Path, estate: Path, environment: Mapping[str, str]) -> AsyncIterator[tuple[str, int]]:
    """`crossdock gateway` of an estate as long as the block: its address once it is ready, and its process."""
    port, log = step_port(LOOPBACK, 18480), folder / "gateway.log"
    words = ("crossdock", "gateway", "--estate", str(estate), "--host", LOOPBACK, "--port", str(port))
    async with process(*words, log=log, environment=environment) as child:
        url = f"http://{LOOPBACK}:{port}"
        await answering(f"{url}/readyz", child, log)
        yield url, child.pid


@asynccontextmanager
async def limit_of(folder: Path, module: str, *words: str) -> AsyncIterator[tuple[str, int]]:
    """`python -m MODULE PORT WORDS` as long as the block: its address once it answers, and its process."""
    port, log = step_port(LOOPBACK, 18580), folder / "limit.log"
    async with process(module, str(port), *words, log=log) as child:
        url = f"http://{LOOPBACK}:{port}"
        await answering(f"{url}/", child, log)
        yield url, child.pid
