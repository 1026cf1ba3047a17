# SPDX-License-Identifier: Apache-2.0
"""A ledger of any size in a database of its own, and movements to apply to it by the batch."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import asyncpg
from msgspec import Struct

from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import StockMovement, StockMovements
from crossdock.catalog.cache import Catalog
from crossdock.decide import decide
from crossdock.decide_orders import Rules
from crossdock.inventory.rules import StockRules
from crossdock.journal.claim import Claimed
from crossdock.journal.decided import Translated
from crossdock.routing.policy import LocationFacts, Policy
from crossdock.runtime.embedded import Engines
from crossdock.runtime.migrate import migrate
from crossdock.runtime.postgres import open_pool, parse_queries
from crossdock.settings import Settings

SQL = parse_queries(Path(__file__).with_name("ledger.sql").read_text("utf-8"), "bench/ledger.sql")
PER_DOCUMENT, PER_TRANSACTION = 500, 4
WORKERS = 2
CHUNK = 1_000_000
LONG = 1_800.0
"""Seconds that making a ledger may take, a statement."""
Batch = list[StockMovements]


class Size(Struct, frozen=True):
    """How large a ledger is."""

    skus: int
    locations: int
    rows: int

    def __str__(self) -> str:
        return f"{self.skus:,} SKUs × {self.locations} locations, {self.rows:,} ledger rows"


class Store(Struct, frozen=True):
    """A database with a ledger of `size`. `pool` as the worker's, `rules` of an estate with its locations."""

    size: Size
    pool: asyncpg.Pool
    rules: Rules


@asynccontextmanager
async def engines(folder: Path) -> AsyncIterator[str]:
    """PostgreSQL as `crossdock up` runs it; the URL of its database."""
    running = Engines(Settings.from_environment({}, data=folder), watch=False)
    await running.open()
    try:
        yield running.database_url
    finally:
        await running.stop()


@asynccontextmanager
async def store(url: str, name: str, size: Size) -> AsyncIterator[Store]:
    """A database called `name` filled to `size`; gone at the end."""
    admin = await asyncpg.connect(url)
    await admin.execute(f"CREATE DATABASE {name}")  # CD009: no placeholder for a name; ours
    before, _, after = url.partition("/crossdock?")
    own = f"{before}/{name}?{after}"
    try:
        await migrate(own)
        await _fill(own, size)
        pool = await open_pool(own, min_size=1, max_size=WORKERS + 1, statement_timeout=600, by_index=True)
        try:
            yield Store(size, pool, await _rules(pool, size))
        finally:
            await pool.close()
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")  # CD009: no placeholder for a name; ours
        await admin.close()


async def _fill(url: str, size: Size) -> None:
    conn = await asyncpg.connect(url)
    # Rows first, indexes after: the same in the end, in a third of the time.
    dropped = await conn.fetch(SQL.indexes)
    await conn.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET work_mem = '256MB'")
    await conn.execute("ALTER TABLE stock_movement DROP CONSTRAINT stock_movement_pkey")
    for row in dropped:
        await conn.execute(f"DROP INDEX {row['indexname']}")  # CD009: an index as PostgreSQL tells it
    await conn.execute(SQL.products, size.skus)
    for first in range(0, size.rows, CHUNK):
        last = min(first + CHUNK, size.rows)
        await conn.execute(SQL.ledger, size.skus, size.locations, first, last, size.rows, timeout=LONG)
    await conn.execute("ALTER TABLE stock_movement ADD PRIMARY KEY (source, movement_id)", timeout=LONG)
    for row in dropped:
        await conn.execute(row["indexdef"], timeout=LONG)
    await conn.execute(SQL.levels, timeout=LONG)
    await conn.execute("VACUUM (ANALYZE, FREEZE) stock_movement", timeout=LONG)
    await conn.execute("VACUUM (ANALYZE, FREEZE) stock_level", timeout=LONG)
    await conn.execute("CHECKPOINT", timeout=LONG)
    await conn.close()


async def _rules(pool: asyncpg.Pool, size: Size) -> Rules:
    catalog = Catalog()
    async with pool.acquire() as conn:
        await catalog.refresh(conn)
    places = {name: LocationFacts(name=name, system="wms") for name in map(location, range(size.locations))}
    policy = Policy(version="b", channels={}, locations=places, erp_of={}, default_location=location(0))
    stock = StockRules(version="b")
    return Rules(catalog=catalog, policy=policy, interfaces={}, outgoing={}, channel_system={}, stock=stock)


def sku(number: int) -> str:
    """A SKU of a store."""
    return f"S-{number:06}"


def location(number: int) -> str:
    """A location of a store."""
    return f"L-{number:02}"


def batches(size: Size, movements: int, seed: int) -> list[Batch]:
    """Receipts and adjustments by chance, as transactions of a few documents."""
    rng, at = random.Random(seed), datetime.now(UTC)
    documents = []
    for document in range(movements // PER_DOCUMENT):
        moves = tuple(
            StockMovement(
                movement_id=f"b{seed:08}-{document:06}-{number:03}",
                kind="adjustment",
                sku=sku(rng.randrange(size.skus)),
                location=location(rng.randrange(size.locations)),
                quantity=Quantity(Decimal(rng.randint(1, 9))),
                occurred_at=at,
            )
            for number in range(PER_DOCUMENT)
        )
        documents.append(StockMovements(source="wms", movements=moves))
    return [documents[start : start + PER_TRANSACTION] for start in range(0, len(documents), PER_TRANSACTION)]


async def applied(one: Store, work: Sequence[Batch]) -> float:
    """Movements a second through lock, apply and write, as the worker decides on them, two transactions at a time."""

    async def apply(conn: asyncpg.Connection, batch: Batch) -> None:
        await decide(conn, one.rules, [_translated(document, number) for number, document in enumerate(batch)])

    return await _rate(one.pool, work, apply)


async def bare(one: Store, work: Sequence[Batch]) -> float:
    """Movements a second through the bare statement, in transactions of the same size."""

    async def apply(conn: asyncpg.Connection, batch: Batch) -> None:
        moves = [(document.source, move) for document in batch for move in document.movements]
        await conn.execute(
            SQL.bare,
            [source for source, _ in moves],
            [move.movement_id for _, move in moves],
            [move.kind for _, move in moves],
            [move.sku for _, move in moves],
            [move.location for _, move in moves],
            [move.quantity.value for _, move in moves],
            [move.quantity.unit for _, move in moves],
            [move.occurred_at for _, move in moves],
            [1] * len(moves),
        )

    return await _rate(one.pool, work, apply)


Apply = Callable[[asyncpg.Connection, Batch], Awaitable[None]]


async def _rate(pool: asyncpg.Pool, work: Sequence[Batch], apply: Apply) -> float:
    queue = list(work)
    movements = sum(len(document.movements) for batch in work for document in batch)

    async def worker() -> None:
        while queue:
            batch = queue.pop()
            for attempt in range(20):
                try:
                    async with pool.acquire() as conn, conn.transaction():
                        await apply(conn, batch)
                    break
                except asyncpg.DeadlockDetectedError:
                    # The bare statement locks in no order.
                    await asyncio.sleep(0.001 * attempt)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    return movements / (time.perf_counter() - began)


def _translated(document: StockMovements, number: int) -> Translated:
    claimed = Claimed(
        id=number + 1, message_id=1, parent_id=None, interface="wms.stock", topic="stock.movements", kind="",
        key="", version=0, digest=0, step="translate", items=1, attempts=0, received_at=datetime.now(UTC), note="",
        overtakes=False, body=b"", stage="source", number=0, made_by="", same_bytes=False,
    )  # fmt: skip
    return Translated(claimed=claimed, kind="stock_movements", document=document, body=None, made_by="bench")
