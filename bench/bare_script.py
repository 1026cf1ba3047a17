# SPDX-License-Identifier: Apache-2.0
"""The limit of the path: what someone would write in an hour. Decode each order, insert them with asyncpg in batches of
200, post each once with aiohttp. No signature, no duplicates, no states, no retries, no second system."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import uvloop
from msgspec import Struct

from bench.orders import load
from bench.usage import cpu_by_part

BATCH = 200
AT_ONCE = 32
TABLE = "CREATE TABLE IF NOT EXISTS bare_order (id bigint PRIMARY KEY, name text, body bytea, at timestamptz)"
INSERT = "INSERT INTO bare_order (id, name, body, at) VALUES ($1, $2, $3, now())"


class Spent(Struct, frozen=True, kw_only=True):
    """CPU seconds of the script and of PostgreSQL, and the wall time."""

    script: float
    postgres: float
    seconds: float


async def work(database_url: str, postmaster: int, sink: str, orders: list[bytes]) -> Spent:
    """Do it; connections are open before the clock starts."""
    conn = await asyncpg.connect(database_url)
    await conn.execute(TABLE)
    async with aiohttp.ClientSession() as session:
        async with session.get(sink) as answer:
            await answer.read()
        before = cpu_by_part(postmaster)
        began, own = time.perf_counter(), time.process_time()
        for start in range(0, len(orders), BATCH):
            await _batch(conn, session, sink, orders[start : start + BATCH])
        spent, seconds = time.process_time() - own, time.perf_counter() - began
        after = cpu_by_part(postmaster)
    await conn.close()
    return Spent(script=spent, postgres=sum(after.values()) - sum(before.values()), seconds=seconds)


async def _batch(conn: asyncpg.Connection, session: aiohttp.ClientSession, sink: str, bodies: list[bytes]) -> None:
    rows = []
    for body in bodies:
        order = msgspec.json.decode(body)
        rows.append((order["id"], order["name"], body))
    await conn.executemany(INSERT, rows)
    waiting = iter(bodies)

    async def post() -> None:
        for body in waiting:
            async with session.post(sink, data=body, headers={"Content-Type": "application/json"}) as answer:
                await answer.read()

    await asyncio.gather(*(post() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    url, postmaster, sink, file = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(work(url, int(postmaster), sink, load(Path(file))))
    sys.stdout.write(msgspec.json.encode(result).decode())
