# SPDX-License-Identifier: Apache-2.0
"""Whether the demo has come to rest: nobody knows what waits for a channel that is not told its stock yet."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from crossdock.app.demo.figures import publishers, publishing, read_figures
from tests.app.estates import idle_estate


def test_those_who_are_told_stock_are_the_systems_of_channels_that_publish(tmp_path: Path) -> None:
    estate = idle_estate(tmp_path)
    assert publishers(estate) == ["shopify-us"]
    estate.write_text(
        estate.read_text("utf-8") + "inventory: {channels: {shopify-us: {locations: [DC-EAST], publish: false}}}\n",
        "utf-8",
    )
    assert publishers(estate) == []


async def test_stock_is_told_when_every_channel_is_and_not_the_first_of_them(pool: asyncpg.Pool) -> None:
    assert await publishing(pool, [])
    begun = []
    for system in ("shop", "market"):
        begun.append(await publishing(pool, ["shop", "market"]))
        assert (await read_figures(pool)).at_rest, "of what nobody has begun to tell nothing is seen to wait"
        await pool.execute("INSERT INTO publication (system) VALUES ($1)", system)
    assert begun == [False, False]
    assert await publishing(pool, ["shop", "market"])
