# SPDX-License-Identifier: Apache-2.0
"""Webhooks while the worker that sends them is killed again and again: none is lost, and each key comes in order."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
import pytest_asyncio

from crossdock.app.demo.control import Control
from crossdock.app.demo.stage import Stage
from crossdock.journal.record import Event, record_events
from crossdock.runtime.embedded import erase
from tests.crash.stack import PATIENT, Stack
from tests.subscriptions.receiving import Got, Receiver, receiving

pytestmark = pytest.mark.xdist_group("crash-webhooks")
KEYS = 12
EVENTS = 25
KILLS = 5
ESTATE = """\
estate: told
owners: {web: {email: web@example.com}}
tiers: {gold: {settle_within: 15m}}
entities: {us: {name: Northstar, currency: USD, erp: portal}}
systems:
  portal: {connector: channel_rest, owner: web, settings: {url: "http://127.0.0.1:9"},
           secrets: {webhook: "file:secret", token: "file:secret"}}
webhooks: {loopback: true}
"""


@pytest_asyncio.fixture
async def told(programs: None, tmp_path: Path) -> AsyncIterator[Stack]:
    """A running Crossdock that may send webhooks to this machine."""
    (tmp_path / "secret").write_text("whsec_c2FtcGxlLXNlY3JldC1vZi10aGUtY2hhbm5lbC1ub3ctLS0=", "utf-8")
    (tmp_path / "estate.yaml").write_text(ESTATE, "utf-8")
    stage = Stage(estate=tmp_path / "estate.yaml", environment={}, urls={}, catalog=cast(Any, None))
    stack = Stack(tmp_path, stage, cast(Control, None), PATIENT)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()
        erase(stack.settings.data)


async def _subscribe(stack: Stack, receiver: Receiver, path: str) -> str:
    wish = {"url": receiver.url + path, "types": ["sales_order.*"]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stack.url}/v1/subscriptions", json=wish) as answer,
    ):
        assert answer.status == 201, await answer.text()
        secret: str = (await answer.json())["secret"]
        return secret


async def _tell(stack: Stack, key: str, rng: random.Random) -> list[str]:
    """Events of one key, one transaction after the other; their ids, in that order."""
    pool, ids = await stack.pool(), []
    for number in range(EVENTS):
        async with pool.acquire() as conn, conn.transaction():
            data = json.dumps({"n": number}).encode()
            await record_events(conn, [Event(type="sales_order.changed", key=key, document_id=1, data=data)])
            row = await conn.fetchrow("SELECT xid::text AS xid, id FROM event WHERE key = $1 ORDER BY id DESC", key)
        ids.append(f"{row['xid']}-{row['id']}")
        await asyncio.sleep(rng.uniform(0.0, 0.3))
    return ids


async def _kill(stack: Stack, receiver: Receiver, rng: random.Random) -> list[str]:
    """Kill the worker whenever it has sent a little more; whom it hit."""
    killed = []
    for _ in range(KILLS):
        before = len(receiver.got)
        async with asyncio.timeout(30):
            while len(receiver.got) < before + 20:  # noqa: ASYNC110 - whoever comes may be of a worker to come
                await asyncio.sleep(0.01)
        killed.append(await stack.kill("worker", rng))
    return killed


async def test_no_webhook_is_lost_and_each_key_comes_in_order(told: Stack) -> None:
    rng = random.Random(7)
    async with receiving() as receiver:

        async def behave(got: Got) -> int:
            await asyncio.sleep(rng.uniform(0.0, 0.02))
            return 500 if got.tries == 1 and rng.random() < 0.05 else 200

        receiver.behave = behave
        secrets = [await _subscribe(told, receiver, path) for path in ("/one", "/two")]
        keys = [f"order/shop/{number}" for number in range(KEYS)]
        killing = asyncio.create_task(_kill(told, receiver, rng))
        ids = dict(zip(keys, await asyncio.gather(*(_tell(told, key, rng) for key in keys)), strict=True))
        killed = await killing
        assert len(set(killed)) == KILLS, killed
        wanted = KEYS * EVENTS
        async with asyncio.timeout(90):
            while any(len(receiver.taken(path)) < wanted for path in ("/one", "/two")):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        for path, secret in zip(("/one", "/two"), secrets, strict=True):
            taken = receiver.taken(path)
            for key in keys:
                of_key = set(ids[key])
                assert [one for one in taken if one in of_key] == ids[key], (path, key, killed)
            assert all(got.signed_by(secret) for got in receiver.got if got.path == path)
        async with asyncio.timeout(30):
            while (await told.fetch("SELECT count(*) AS n FROM webhook"))[0]["n"]:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
