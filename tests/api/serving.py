# SPDX-License-Identifier: Apache-2.0
"""A gateway process that takes orders."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
from msgspec import Struct

from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.canonical.master_data import Customer, Product
from crossdock.catalog.accept import accept_customers, accept_products
from tests.api.ordering import write_estate

ROOT = Path(__file__).resolve().parents[2]


class Ground(Struct, frozen=True):
    """What gateways stand on: an estate, a database prepared for it, and the environment that names it."""

    estate: Path
    environment: dict[str, str]


async def ground(pool: asyncpg.Pool, database: str, nats_url: str, folder: Path) -> Ground:
    """Products and accounts are there."""
    estate = write_estate(folder)
    await prepare(database, wire(estate))
    async with pool.acquire() as conn, conn.transaction():
        await accept_products(conn, [(None, Product(sku=sku)) for sku in ("CD-1001", "CD-1002")])
        await accept_customers(conn, [(None, Customer(customer_id="ACME"))])
    named = {"DATABASE_URL": database, "NATS_URL": nats_url, "CROSSDOCK_DATA": str(folder / "data")}
    return Ground(estate, {**os.environ, **named})


@asynccontextmanager
async def gateway(
    on: Ground, module: str = "crossdock", log: Path | None = None
) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    """A gateway process, `python -m MODULE gateway`, as long as the block; its address, once it is ready. `log`: the
    file for all it prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", module, "gateway", "--estate", str(on.estate), "--port", str(port)]
    process = _started(words, on, log or Path(os.devnull))
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while not await _ready(session, url):
                assert process.poll() is None
                await asyncio.sleep(0.05)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)


def _started(words: list[str], on: Ground, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as printed:
        return subprocess.Popen(words, env=on.environment, cwd=ROOT, stdout=printed, stderr=printed)


async def _ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
