# SPDX-License-Identifier: Apache-2.0
"""A partner's file through the scheduler: from the SFTP server, or the folder, into the real journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from crossdock.app.scheduler import run_scheduler
from crossdock.app.wiring import wire
from crossdock.runtime.embedded.state import Endpoints
from tests.connectors.file_drop.feeds import ORDERS
from tests.connectors.file_drop.partner import PASSWORD, Partner, serving

INTERFACE = "partner.orders"
FIRST = "Order,Sku,Qty\n1,A,2\n2,A,1\n1,B,5\n"
SECOND = "Order,Sku,Qty\n3,A,2\n"
TOPIC = {"topic": "order", "key": "order/partner/{Order}", "problem": "{Order} is looked at by hand", "fix": "Do so."}


def write_estate(folder: Path, feeds: dict[str, dict[str, Any]]) -> Path:
    """An estate of file feeds, each with a system of its own."""
    estate = {
        "estate": "partners",
        "owners": {"ops": {"email": "ops@example.com"}},
        "tiers": {"silver": {"settle_within": "4h"}},
        "systems": {name.partition(".")[0]: {"connector": "file_drop", "owner": "ops"} for name in feeds},
        "interfaces": {
            name: {
                "system": name.partition(".")[0],
                "topics": ["order"],
                "object": "sales_order",
                "owner": "ops",
                "tier": "silver",
                "version": 1,
                "state": "active",
            }
            for name in feeds
        },
        "files": {name: {**ORDERS, "topics": [TOPIC], **feed} for name, feed in feeds.items()},
    }
    path = folder / "estate.yaml"
    path.write_text(json.dumps(estate))  # JSON is YAML
    return path


@asynccontextmanager
async def scheduled(estate: Path, database: str, nats_url: str) -> AsyncIterator[None]:
    """The scheduler running as long as the block; what ended it is raised."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_scheduler(stop, wire(estate), Endpoints(database_url=database, nats_url=nats_url)))
    try:
        yield
    finally:
        stop.set()
        await task


async def kept(pool: asyncpg.Pool, count: int, *, within: float = 30.0) -> list[tuple[str, str, int]]:
    """Interface, key and rows of every document, once there are `count` of them or time is up."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while True:
        rows = await pool.fetch("SELECT interface, key, items FROM document ORDER BY interface, key")
        if len(rows) >= count or loop.time() > until:
            return [tuple(row) for row in rows]
        await asyncio.sleep(0.05)


async def archived(folder: Path, count: int, *, within: float = 30.0) -> list[str]:
    """Names in the feed's folder `done` without their stamps, once there are `count` files or time is up."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while True:
        names = sorted(path.name.split("-", 2)[2] for path in (folder / "done").glob("*"))
        if len(names) >= count or loop.time() > until:
            return names
        await asyncio.sleep(0.05)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)


def put(partner: Partner, name: str, content: str) -> None:
    """Upload as partners should: under another name first."""
    waiting = partner.root / "out" / f"{name}.part"
    waiting.write_text(content)
    waiting.rename(partner.root / "out" / name)


async def test_a_partners_file_becomes_orders_once(
    database: str, pool: asyncpg.Pool, nats_url: str, tmp_path: Path
) -> None:
    async with serving(tmp_path / "partner") as partner:
        estate = write_estate(tmp_path, {INTERFACE: {"sftp": {**partner.source, "every_seconds": 1}}})
        put(partner, "monday.csv", FIRST)
        async with scheduled(estate, database, nats_url):
            first = [(INTERFACE, "order/partner/1", 2), (INTERFACE, "order/partner/2", 1)]
            assert await kept(pool, 2) == first
            # The same content under another name, and with it something new, so that we know when both were seen.
            put(partner, "monday-again.csv", FIRST)
            put(partner, "tuesday.csv", SECOND)
            assert await kept(pool, 3) == [*first, (INTERFACE, "order/partner/3", 1)]
            assert await archived(tmp_path / "drop", 4) == [
                "monday-again.csv",
                "monday-again.csv.note.txt",
                "monday.csv",
                "tuesday.csv",
            ]
        assert await pool.fetchval("SELECT count(*) FROM message") == 3
        left = sorted(path.name.partition("-")[2] for path in (partner.root / "out" / "taken").iterdir())
        assert left == ["monday-again.csv", "monday.csv", "tuesday.csv"]
        assert [path.name for path in (partner.root / "out").iterdir()] == ["taken"]

        # A restart does not take what was put away.
        async with scheduled(estate, database, nats_url):
            put(partner, "wednesday.csv", "Order,Sku,Qty\n4,A,1\n")
            assert len(await kept(pool, 4)) == 4
    assert await pool.fetchval("SELECT count(*) FROM duplicate") == 0


async def test_a_server_that_is_away_holds_nobody_up(
    database: str, pool: asyncpg.Pool, nats_url: str, tmp_path: Path
) -> None:
    async with serving(tmp_path / "partner") as partner:
        away = {**partner.source, "port": 1, "every_seconds": 1}
        feeds: dict[str, dict[str, Any]] = {"partner.orders": {"sftp": away}, "other.orders": {"folder": "other"}}
        estate = write_estate(tmp_path, feeds)
        for folder in ("drop", "other"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "a.csv").write_text(SECOND)
        async with scheduled(estate, database, nats_url):
            assert await kept(pool, 2) == [
                ("other.orders", "order/partner/3", 1),
                ("partner.orders", "order/partner/3", 1),
            ]


async def test_a_refused_file_stops_nothing(database: str, pool: asyncpg.Pool, nats_url: str, tmp_path: Path) -> None:
    estate = write_estate(tmp_path, {INTERFACE: {}})
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "1-wrong.csv").write_text("Order;Sku;Qty\n")
    (tmp_path / "drop" / "2-right.csv").write_text(SECOND)
    async with scheduled(estate, database, nats_url):
        assert await kept(pool, 1) == [(INTERFACE, "order/partner/3", 1)]
    [reason] = list((tmp_path / "drop" / "refused").glob("*.reason.txt"))
    assert reason.read_text().startswith("column 'Order' is missing.")
