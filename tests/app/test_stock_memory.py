# SPDX-License-Identifier: Apache-2.0
"""A real gateway beside a real scheduler: availability is answered with its age whichever engine is away, and is what
the database holds once they are back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.inventory.lock import lock_levels, write_levels
from crossdock.runtime.embedded import Engines, erase
from crossdock.runtime.postgres import connect
from crossdock.settings import Settings
from tests.app.estates import idle_estate
from tests.intake.test_gateway import Gateway, started

CHANNEL = "shopify-us"
PLACES = ("DC-EAST", "DC-WEST")


async def test_whichever_engine_is_away_availability_is_answered_with_its_age(tmp_path: Path) -> None:
    estate = idle_estate(tmp_path)
    engines = Engines(Settings.from_environment({}, data=tmp_path / "engines"), watch=False)
    await engines.open()
    assert engines.postgres is not None
    assert engines.nats is not None
    try:
        await prepare(engines.database_url, wire(estate))
        skus = await filled(engines.database_url)
        async with scheduler(estate, engines), started(estate, engines.database_url, engines.nats_url) as gateway:
            await until(lambda: ready(gateway))
            await change(engines.database_url, skus)
            await until(lambda: same(gateway, engines.database_url, skus))

            # NATS away: the outbox is followed, the answer stays young.
            os.kill(engines.nats.pid, signal.SIGKILL)
            await engines.nats.stop()
            await change(engines.database_url, skus)
            await until(lambda: same(gateway, engines.database_url, skus))
            assert (await asked(gateway, skus))["stale"] is False

            # PostgreSQL away too: memory answers, and says how old it is.
            before = await asked(gateway, skus)
            os.kill(engines.postgres.pid, signal.SIGQUIT)
            await engines.postgres.stop()
            await until(lambda: stale(gateway, skus))
            away = await asked(gateway, skus)
            assert away["items"] == before["items"]
            assert away["age_seconds"] > 5
            assert int(away["age"]) == int(away["age_seconds"])

            # Both back: nothing is missing.
            engines.postgres.start()
            await engines.postgres.ready(60)
            engines.nats.start()
            await engines.nats.ready(60)
            await change(engines.database_url, skus)
            await until(lambda: same(gateway, engines.database_url, skus))
            await until(lambda: fresh(gateway, skus))
    finally:
        await engines.stop()
        erase(tmp_path / "engines")


@asynccontextmanager
async def scheduler(estate: Path, engines: Engines) -> AsyncIterator[None]:
    """A scheduler process as long as the block."""
    command = [sys.executable, "-m", "crossdock", "scheduler", "--estate", str(estate)]
    environment = {**os.environ, "DATABASE_URL": engines.database_url, "NATS_URL": engines.nats_url}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)


async def filled(url: str) -> list[str]:
    """SKUs of the estate, with 50 of each at both places."""
    conn = await connect(url)
    skus = [row["sku"] for row in await conn.fetch("SELECT sku FROM product ORDER BY sku LIMIT 20")]
    assert len(skus) == 20
    for sku in skus:
        for place in PLACES:
            await conn.execute("INSERT INTO stock_level VALUES ($1, $2, 50, 1, now())", sku, place)
    await conn.close()
    return skus


async def change(url: str, skus: list[str]) -> None:
    """Hold goods of every SKU, in transactions that run beside each other."""

    async def hold(part: list[str]) -> None:
        conn = await connect(url)
        for sku in part:
            async with conn.transaction():
                levels = await lock_levels(conn, {(sku, place) for place in PLACES})
                for place in PLACES:
                    levels.change(sku, place, reserved=Decimal(1))
                await write_levels(conn, levels)
        await conn.close()

    await asyncio.gather(*(hold(skus[start::4]) for start in range(4)))


async def asked(gateway: Gateway, skus: list[str]) -> Any:
    query = "&".join(f"sku={sku}" for sku in skus)
    async with gateway.session.get(f"{gateway.url}/v1/availability?channel={CHANNEL}&{query}") as answer:
        assert answer.status == 200, await answer.text()
        return {**await answer.json(), "age": answer.headers["Age"]}


async def same(gateway: Gateway, url: str, skus: list[str]) -> bool:
    """Whether the gateway says what the database holds."""
    conn: asyncpg.Connection = await connect(url)
    rows = await conn.fetch("SELECT sku, sum(on_hand - reserved) AS free FROM stock_level GROUP BY sku")
    await conn.close()
    held = {row["sku"]: row["free"] for row in rows}
    said = {item["sku"]: Decimal(item["available"]) for item in (await asked(gateway, skus))["items"]}
    return held == said


async def stale(gateway: Gateway, skus: list[str]) -> bool:
    return bool((await asked(gateway, skus))["stale"])


async def fresh(gateway: Gateway, skus: list[str]) -> bool:
    return not await stale(gateway, skus)


async def ready(gateway: Gateway) -> bool:
    async with gateway.session.get(f"{gateway.url}/readyz") as answer:
        return answer.status == 200


async def until(holds: Callable[[], Awaitable[bool]], within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110 - it is time that is waited for
            await asyncio.sleep(0.1)
