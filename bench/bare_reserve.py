# SPDX-License-Identifier: Apache-2.0
"""The limit of `reserve`: one conditional UPDATE for each line, one commit for each reservation, and nothing else.

`python -m bench.bare_reserve DATABASE_URL FILE`: no HTTP, no key, no record of the reservation, no rules, no events.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import uvloop
from msgspec import Struct

from bench.stand import apart

TAKE = """
UPDATE bare_level SET reserved = reserved + $3
WHERE sku = $1 AND location = $2 AND on_hand - reserved >= $3
"""
Lines = list[tuple[str, str, int]]


class Bare(Struct, frozen=True):
    """How many reservations were committed in how many seconds, and the CPU seconds of the client."""

    count: int
    seconds: float
    cpu: float


async def take(url: str, wanted: list[Lines], connections: int) -> Bare:
    """Take the lines of every reservation, those of one SKU after the other so that no two wait crosswise."""
    queue = iter(wanted)
    opened = [await asyncpg.connect(url) for _ in range(connections)]
    for conn in opened:
        await conn.fetch("SELECT * FROM bare_level WHERE false")
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_take_all(conn, queue) for conn in opened))
    bare = Bare(len(wanted), time.perf_counter() - began, time.process_time() - cpu)
    for conn in opened:
        await conn.close()
    return bare


async def _take_all(conn: asyncpg.Connection, queue: Iterator[Lines]) -> None:
    for lines in queue:
        if len(lines) == 1:
            _one(await conn.execute(TAKE, *lines[0]))
            continue
        async with conn.transaction():
            for line in sorted(lines):
                _one(await conn.execute(TAKE, *line))


def _one(status: str) -> None:
    if status != "UPDATE 1":
        raise RuntimeError(f"there was not enough: {status}")


async def take_apart(url: str, file: Path, connections: int) -> Bare:
    """The same in a process of its own, with the lines stored in `file`."""
    return await apart("bench.bare_reserve", url, str(file), "--connections", str(connections), told=Bare)


def main() -> None:
    """Take, and print what came of it as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--connections", type=int, default=16)
    given = parser.parse_args()
    wanted = msgspec.json.decode(given.file.read_bytes(), type=list[Lines])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        bare = runner.run(take(given.url, wanted, given.connections))
    sys.stdout.write(msgspec.json.encode(bare).decode())


if __name__ == "__main__":
    main()
