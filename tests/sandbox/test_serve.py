# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp

from crossdock.sandbox.serve import main

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}


async def start(config: dict[str, object]) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "crossdock.sandbox.serve",
        "--json",
        json.dumps(config),
        stdout=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    assert line["ready"] is True
    return process, line["urls"]


async def test_a_killed_simulator_still_knows_what_it_has(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    config: dict[str, object] = {"shopify": {"state": str(tmp_path / "shop.jsonl")}, "netsuite": {}}
    process, urls = await start(config)
    assert set(urls) == {"shopify", "netsuite"}
    async with http.post(f"{urls['shopify']}/_sim/orders", json={"count": 25}) as answer:
        run = (await answer.json())["id"]
    async with asyncio.timeout(20):
        while True:
            async with http.get(f"{urls['shopify']}/_sim/runs/{run}") as answer:
                if (await answer.json())["state"] == "done":
                    break
            await asyncio.sleep(0.05)
    process.kill()
    await process.wait()
    process, urls = await start(config)
    async with http.get(f"{urls['shopify']}/_sim/counts") as answer:
        counts = await answer.json()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert counts["orders"] == 25


def test_wrong_settings_are_told(capsys: object) -> None:
    assert main(["--json", '{"shopify": {"colour": 1}}']) == 2
    assert main(["--json", "{}"]) == 2
    assert main(["--config", "/nonexistent.json"]) == 2


async def test_business_central_is_served_beside_the_others(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    config: dict[str, object] = {"business_central": {"state": str(tmp_path / "bc.jsonl"), "catalog": {"products": 3}}}
    wanted = {"sku": "CD-00001", "location": "DC-EAST", "quantity": 7}
    before = None
    for _ in range(2):
        process, urls = await start(config)
        async with http.get(f"{urls['business_central']}/_sim/stock") as answer:
            stock = {(row["itemNumber"], row["locationCode"]): row for row in (await answer.json())["stock"]}
        level = stock["CD-00001", "DC-EAST"]["quantityOnHand"]
        assert len(stock) == 6
        assert before is None or level == before + 7
        before = level
        async with http.post(f"{urls['business_central']}/_sim/adjust", json=wanted) as answer:
            assert (await answer.json())["on_hand"] == before + 7
        process.kill()
        await process.wait()
