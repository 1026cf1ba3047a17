# SPDX-License-Identifier: Apache-2.0
"""A real gateway process: what is acknowledged over HTTP is in the database, what is refused is told why."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest_asyncio

from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.runtime.embedded import Engines, erase
from crossdock.sdk.signatures import hmac_sha256_base64
from crossdock.settings import Settings
from tests.app.estates import idle_estate
from tests.intake.test_hooks import GOOD, HOSTILE

SECRET = "shopify-app-secret"


class Gateway:
    """A running gateway."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], session: aiohttp.ClientSession) -> None:
        self.url, self.process, self.session = url, process, session

    async def post(
        self, body: bytes, webhook_id: str, topic: str = "orders/create", secret: str = SECRET
    ) -> tuple[int, Any, str]:
        """Status, decoded answer and Retry-After."""
        headers = {"X-Shopify-Hmac-Sha256": hmac_sha256_base64(body, secret), "X-Shopify-Webhook-Id": webhook_id}
        url = f"{self.url}/hooks/shopify-us/{topic}"
        async with self.session.post(url, data=BytesIO(body), headers=headers) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers.get("Retry-After", "")


@asynccontextmanager
async def started(estate: Path, database_url: str, nats_url: str) -> AsyncIterator[Gateway]:
    """A gateway process that answers, as long as the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "crossdock", "gateway", "--estate", str(estate), "--port", str(port)]
    engines = {"DATABASE_URL": database_url, "NATS_URL": nats_url, "CROSSDOCK_DATA": str(estate.parent / "data")}
    environment = {**os.environ, **engines}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    async with aiohttp.ClientSession() as session:
        running = Gateway(f"http://127.0.0.1:{port}", process, session)
        try:
            async with asyncio.timeout(60):
                while not await _healthy(running):
                    assert process.poll() is None
                    await asyncio.sleep(0.1)
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 30)


@pytest_asyncio.fixture
async def gateway(database: str, nats_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    estate = idle_estate(tmp_path)
    await prepare(database, wire(estate))
    async with started(estate, database, nats_url) as running:
        yield running


async def _healthy(gateway: Gateway) -> bool:
    try:
        async with gateway.session.get(f"{gateway.url}/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_a_gateway_takes_in_what_it_should_and_nothing_else(gateway: Gateway, pool: asyncpg.Pool) -> None:
    bodies = {f"good{number}": b'{"id": %d}' % number for number in range(60)}
    bodies |= {name: body for name, body in HOSTILE.items() if name.isascii()}
    answers = await asyncio.gather(*(gateway.post(body, name) for name, body in bodies.items()))
    assert {(status, answer["status"]) for status, answer, _ in answers} == {(200, "kept")}
    rows = await pool.fetch("SELECT dedup_key, body FROM message")
    by_id = {row["dedup_key"]: row["body"] for row in rows}
    assert len(rows) == len(bodies)
    assert all(by_id[name] == body for name, body in bodies.items() if name in by_id)
    assert {name for name in by_id if name.startswith("good")} == {f"good{number}" for number in range(60)}

    status, problem, _ = await gateway.post(GOOD, "forged", secret="wrong")
    assert (status, problem["type"]) == (401, "/problems/signature")
    status, problem, _ = await gateway.post(GOOD, "nowhere", topic="orders/paid")
    assert (status, problem["type"]) == (404, "/problems/unknown_interface")
    status, problem, _ = await gateway.post(GOOD, "odd", topic="%ff%00/../x")
    assert status in (400, 404)
    status, problem, _ = await gateway.post(b"x" * 5_000_001, "huge")
    assert (status, problem["type"]) == (413, "/problems/body_size")
    async with gateway.session.get(f"{gateway.url}/hooks/shopify-us/orders/create") as answer:
        assert answer.status == 405
    assert await pool.fetchval("SELECT count(*) FROM message") == len(bodies)


async def test_without_its_database_it_says_503_and_recovers(tmp_path: Path) -> None:
    estate = idle_estate(tmp_path)
    engines = Engines(Settings.from_environment({}, data=tmp_path / "engines"), watch=False)
    await engines.open()
    try:
        await prepare(engines.database_url, wire(estate))
        async with started(estate, engines.database_url, engines.nats_url) as gateway:
            assert (await gateway.post(GOOD, "before"))[0] == 200
            await engines.stop()
            for _ in range(3):
                status, problem, retry_after = await gateway.post(GOOD + b" ", "away")
                assert (status, problem["type"], retry_after) == (503, "/problems/engine_away", "5")
            await engines.open()
            assert (await gateway.post(GOOD + b" ", "away"))[:2] == (200, {"status": "kept", "document": 2})
        connection = await asyncpg.connect(engines.database_url)
        rows = await connection.fetch("SELECT dedup_key FROM message ORDER BY id")
        await connection.close()
        assert [row["dedup_key"] for row in rows] == ["before", "away"]
    finally:
        await engines.stop()
        erase(tmp_path / "engines")
