# SPDX-License-Identifier: Apache-2.0
"""Orders of the API and a gateway that is killed: whoever asks again with the same key has the one order."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest

from tests.api.ordering import an_order
from tests.api.serving import gateway, ground


async def place(url: str, key: str) -> tuple[int, str, bytes]:
    """Status, whether it was replayed, and the answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/orders", json=an_order(), headers={"Idempotency-Key": key}) as answer,
    ):
        return answer.status, answer.headers.get("Idempotency-Replayed", ""), await answer.read()


async def test_a_gateway_that_dies_between_commit_and_answer_has_one_answer_for_the_key(
    pool: asyncpg.Pool, database: str, nats_url: str, tmp_path: Path
) -> None:
    on = await ground(pool, database, nats_url, tmp_path)
    async with gateway(on, "tests.crash.dying_gateway") as (url, process):
        with pytest.raises(aiohttp.ClientError):
            await place(url, "k")
        assert await asyncio.to_thread(process.wait, 30) == -signal.SIGKILL
    (kept,) = await pool.fetch("SELECT dedup_key, body FROM message")
    assert kept["dedup_key"] == "local/k"
    async with gateway(on) as (first, _), gateway(on) as (second, _):
        answers = [await place(first, "k"), await place(second, "k"), await place(first, "k")]
        assert {(status, replayed) for status, replayed, _ in answers} == {(201, "true")}
        assert len({body for _, _, body in answers}) == 1
        told = msgspec.json.decode(answers[0][2])
        assert [row["key"] for row in await pool.fetch("SELECT key FROM document")] == [f"order/{told['order_key']}"]
        # Another key is another order.
        assert (await place(second, "k2"))[:2] == (201, "")
