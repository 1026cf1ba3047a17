# SPDX-License-Identifier: Apache-2.0
"""Availability: what the real gateway answers from memory, against the same server that answers a constant of the same
size, while stock changes all the time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from statistics import median
from urllib.parse import quote

import aiohttp
import asyncpg
import msgspec
from msgspec import Struct

from bench.constant_server import __name__ as LIMIT
from bench.figures import Check, Figure, Finding, Plan, Say, medians, quantile
from bench.opposed import Opposed, gateway_of, limit_of
from bench.orders import store
from bench.pour import Poured, pour_apart
from bench.stand import process, work_folder
from bench.usage import spent
from crossdock.app.demo.stage import staged
from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.inventory.lock import lock_levels, write_levels
from crossdock.runtime.embedded import Engines
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import open_pool
from crossdock.settings import Settings

NAME = "availability"
CHANNEL = "shopify-us"
PLACES = ("DC-EAST", "DC-WEST", "DC-THIRD")
CONNECTIONS = 32
SLICES = 4
CHANGES = 200
"""Levels that change a second."""
BATCH = 500
INVENTORY = (
    f"\ninventory: {{channels: {{{CHANNEL}: {{locations: [{', '.join(PLACES)}], safety: 1, publish: false}}}}}}\n"
)
PRODUCTS = "INSERT INTO product (sku, unit, body) SELECT 'BENCH-' || n, 'EA', '{}' FROM generate_series(1, $1) n"
LEVELS = (
    "INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at) "
    "SELECT 'BENCH-' || n, place, 20 + n % 100, 1, now() FROM generate_series(1, $1) n, unnest($2::text[]) place"
)
CATALOG = "UPDATE catalog_version SET value = value + 1"


class _Doors(Struct, frozen=True):
    """The gateway and the server that answers a constant, and how many SKUs there are."""

    folder: Path
    at: Opposed
    skus: int


async def run(plan: Plan, say: Say) -> Finding:
    """Both take turns within a round."""
    skus = 5_000 if plan.quick else 50_000
    with work_folder() as folder:
        async with staged(folder / "estate", seed=1, products=20) as stage:
            estate = stage.estate.with_name("bench.yaml")
            text = stage.estate.read_text("utf-8")
            third = "\nlocations:\n  DC-THIRD: {name: Third}\n"
            estate.write_text(text.replace("\nlocations:\n", third) + INVENTORY, "utf-8")
            async with Engines.start(Settings(data=folder / "data")) as engines:
                await prepare(engines.database_url, wire(estate))
                async with open_pool_of(engines) as pool:
                    await fill(pool, skus)
                    environment = {
                        **stage.environment,
                        "DATABASE_URL": engines.database_url,
                        "NATS_URL": engines.nats_url,
                        "CROSSDOCK_LOG_LEVEL": "warning",
                    }
                    rounds = await _rounds(plan, say, _Estate(folder, estate, environment, skus), pool)
    return _finding(skus, medians(rounds))


@asynccontextmanager
async def open_pool_of(engines: Engines) -> AsyncIterator[asyncpg.Pool]:
    """A pool for filling and changing stock."""
    pool = await open_pool(engines.database_url, max_size=2, statement_timeout=120, name="bench")
    try:
        yield pool
    finally:
        pool.terminate()


async def fill(pool: asyncpg.Pool, skus: int) -> None:
    """So many SKUs, each at every place."""
    await pool.execute(PRODUCTS, skus)
    await pool.execute(LEVELS, skus, PLACES)
    await pool.execute(CATALOG)


class _Estate(Struct, frozen=True):
    """What is measured: an estate with so many SKUs, what its processes need to know, and its folder."""

    folder: Path
    file: Path
    environment: dict[str, str]
    skus: int


async def _rounds(plan: Plan, say: Say, estate: _Estate, pool: asyncpg.Pool) -> list[dict[str, float]]:
    folder, environment, skus = estate.folder, estate.environment, estate.skus
    scheduler = ("crossdock", "scheduler", "--estate", str(estate.file))
    async with (
        process(*scheduler, log=folder / "scheduler.log", environment=environment),
        gateway_of(folder, estate.file, environment) as (ours, gateway),
        limit_of(folder, LIMIT, str(await _size(ours))) as (theirs, limit),
    ):
        doors = _Doors(folder, Opposed(ours, theirs, gateway, limit), skus)
        found = []
        async with _changing(pool, environment["NATS_URL"], skus) as changed:
            for number in range(1, plan.rounds + 1):
                found.append(await _round(doors, 2_000 if plan.quick else 10_000, number))
                found[-1]["changes"] = changed()
                say(
                    f"round {number}: {found[-1]['ours']:,.0f}/s availability, {found[-1]['theirs']:,.0f}/s a "
                    f"constant; {found[-1]['changes']:.0f} changes a second"
                )
        return found


async def _round(doors: _Doors, count: int, seed: int) -> dict[str, float]:
    batches = await _batches(doors, seed)
    ours: list[Poured] = []
    theirs: list[Poured] = []
    used = {"gateway": 0.0, "limit": 0.0}
    for part in range(SLICES):
        file = store(doors.folder / "requests", gets(doors.skus, count // SLICES, seed * SLICES + part))
        before = doors.at.cpu()
        theirs.append(await pour_apart(doors.at.theirs, file, CONNECTIONS))
        between = doors.at.cpu()
        ours.append(await pour_apart(doors.at.ours, file, CONNECTIONS))
        used["gateway"] += spent(between, doors.at.cpu())["gateway"]
        used["limit"] += spent(before, between)["limit"]
    rate = count / sum(one.seconds for one in ours)
    file = store(doors.folder / "requests", gets(doors.skus, count, -seed))
    half = await pour_apart(doors.at.ours, file, CONNECTIONS, rate=rate / 2)
    # As many a second of the constant: what the machine itself makes of waiting.
    bare = await pour_apart(doors.at.theirs, file, CONNECTIONS, rate=rate / 2)
    stale = await _age(doors.at.ours)
    return {
        "ours": rate,
        "theirs": count / sum(one.seconds for one in theirs),
        "ratio": sum(one.seconds for one in theirs) / sum(one.seconds for one in ours),
        "p50": half.p50 * 1000,
        "p99": half.p99 * 1000,
        "p99_limit": bare.p99 * 1000,
        "batch": median(batches) * 1000,
        "batch99": quantile(batches, 0.99) * 1000,
        "cpu": used["gateway"] * 1000 / count,
        "cpu_limit": used["limit"] * 1000 / count,
        "age": stale,
    }


def gets(skus: int, count: int, seed: int, header: bytes = b"") -> list[bytes]:
    """So many requests about one SKU each, drawn by `seed`; each carries the lines in `header` besides."""
    rng = random.Random(seed)
    channel = quote(CHANNEL)
    return [
        f"GET /v1/availability?channel={channel}&sku=BENCH-{rng.randint(1, skus)} HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n".encode()
        + header
        + b"\r\n"
        for _ in range(count)
    ]


async def _batches(doors: _Doors, seed: int) -> list[float]:
    """Seconds that each batch took; together they ask about every SKU once, so that what follows is warm."""
    numbers = list(range(1, doors.skus + 1))
    random.Random(seed).shuffle(numbers)
    took = []
    async with aiohttp.ClientSession() as session:
        for start in range(0, len(numbers), BATCH):
            body = {"channel": CHANNEL, "skus": [f"BENCH-{number}" for number in numbers[start : start + BATCH]]}
            began = time.perf_counter()
            async with session.post(f"{doors.at.ours}/v1/availability:batch", json=body) as answer:
                found = msgspec.json.decode(await answer.read())
            took.append(time.perf_counter() - began)
            if answer.status != 200 or len(found["items"]) != len(body["skus"]) or found["stale"]:
                raise RuntimeError(f"a batch was not answered in full and in time: {answer.status}")
    return took


async def _size(url: str) -> int:
    return len(await _read(url, 1000))


async def _age(url: str) -> float:
    age: float = msgspec.json.decode(await _read(url, 1))["age_seconds"]
    return age * 1000


async def _read(url: str, number: int) -> bytes:
    where = f"{url}/v1/availability?channel={CHANNEL}&sku=BENCH-{number}"
    async with aiohttp.ClientSession() as session, session.get(where) as answer:
        return await answer.read()


@asynccontextmanager
async def _changing(pool: asyncpg.Pool, nats_url: str, skus: int) -> AsyncIterator[Callable[[], float]]:
    """CHANGES levels a second change as long as the block; how many a second it has been."""
    bus = await Bus.connect(nats_url)
    began = time.monotonic()
    done = 0

    async def change() -> None:
        nonlocal done
        rng = random.Random(5)
        while True:
            pairs = {(f"BENCH-{rng.randint(1, skus)}", rng.choice(PLACES)) for _ in range(10)}
            async with pool.acquire() as conn, conn.transaction():
                levels = await lock_levels(conn, pairs)
                for sku, place in pairs:
                    levels.change(sku, place, reserved=Decimal(rng.choice((1, -1))))
                await write_levels(conn, levels)
            await bus.wake("scheduler")
            done += len(pairs)
            await asyncio.sleep(max(0.0, began + done / CHANGES - time.monotonic()))

    task = asyncio.create_task(change())
    try:
        yield lambda: done / (time.monotonic() - began)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await bus.close()


def _finding(skus: int, mid: dict[str, float]) -> Finding:
    return Finding(
        name=NAME,
        title=f"one SKU of {skus:,} at {len(PLACES)} locations a request, {CONNECTIONS} connections, stock changing",
        figures=(
            Figure("answered", mid["ours"], "requests/s"),
            Figure("the same server answering a constant", mid["theirs"], "requests/s"),
            Figure("answer p50 under half load", mid["p50"], "ms"),
            Figure("a constant's p99 under as many requests", mid["p99_limit"], "ms"),
            Figure(
                f"batch of {BATCH}, p99", mid["batch99"], "ms", "each SKU asked about for the first time in a round"
            ),
            Figure("CPU of the gateway", mid["cpu"], "s per 1,000"),
            Figure("CPU of the server answering a constant", mid["cpu_limit"], "s per 1,000"),
            Figure("age of an answer", mid["age"], "ms"),
            Figure("changes", mid["changes"], "levels/s"),
        ),
        checks=(
            Check(label="answered / constant", value=mid["ratio"], at_least=0.6),
            Check(label="answer p99 under half load", value=mid["p99"], unit="ms", at_most=5.0),
            Check(label=f"batch of {BATCH}, p50", value=mid["batch"], unit="ms", at_most=20.0),
        ),
    )
