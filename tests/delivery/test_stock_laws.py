# SPDX-License-Identifier: Apache-2.0
"""Whatever fails in whatever order: at rest a channel shows what it may sell."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from crossdock.delivery import tell
from crossdock.errors import OutcomeUnknown, RetryLater
from crossdock.inventory import conflate
from crossdock.inventory.rules import Held
from crossdock.sdk.manifest import Sends
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing
from tests.delivery.publishing import SHOP, at_rest, publishing
from tests.delivery.scripted import until
from tests.inventory.test_apply import entered, movement


def key_of(document: Any) -> tuple[str, str]:
    return document.sku, getattr(document, "location", "")


class Flaky:
    """A channel with a memory of what it shows, that fails by chance: before or after it took the numbers."""

    def __init__(self, seed: int) -> None:
        self.shows: dict[tuple[str, str], Decimal] = {}
        self._rng = random.Random(seed)
        self.healthy = False

    async def send(self, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
        await asyncio.sleep(self._rng.random() * 0.02)
        how = 1.0 if self.healthy else self._rng.random()
        if how < 0.2:
            return [Failed(error=RetryLater("429", throttled=True, after=0.05))] * len(batch)
        if 0.2 <= how < 0.3:
            return [Failed(error=RetryLater("503", after=0.05))] * len(batch)
        self.shows.update({key_of(one.document): self.number(one.document) for one in batch})
        if how < 0.6:
            return [Failed(error=OutcomeUnknown("cut"))] * len(batch)
        return [Delivered(reference="ok") for _ in batch]

    def number(self, document: Any) -> Decimal:
        """What the channel shows from now on."""
        shown: Decimal = document.on_hand
        return shown

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        return [None] * len(batch)

    async def close(self) -> None:
        return None


@pytest.mark.parametrize("seed", range(3))
async def test_at_rest_the_channel_shows_what_it_may_sell_whatever_happened_before(
    pool: asyncpg.Pool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conflate, "QUIET_SECONDS", 0.02)
    monkeypatch.setattr(conflate, "GATHER_SECONDS", 0.05)
    monkeypatch.setattr(tell, "LONGEST_WAIT", 0.1)
    rng, channel = random.Random(seed), replace(SHOP, locations=("EAST", "WEST"), held=Held(safety=2))
    shop = Flaky(seed)
    batch = Sends(operation="stock_levels", object="stock_level", batch=2, idempotency="absolute")
    for life in range(3):
        shop.healthy = life == 2
        async with publishing(pool, shop, batch, channel=channel, worker=f"w{life}"):
            for number in range(25):
                move = movement(
                    f"{life}-{number}", str(rng.choice([-3, -1, 1, 4])), "adjustment",
                    sku=rng.choice(["CD-1", "CD-2"]), location=rng.choice(["EAST", "WEST"]),
                )  # fmt: skip
                await entered(pool, [move])
                await asyncio.sleep(rng.random() * 0.05)
            if life == 2:
                await until(lambda: at_rest(pool))
    rows = await pool.fetch("SELECT sku, location, on_hand FROM stock_level WHERE sequence > 0")
    may_sell = {(row["sku"], row["location"]): max(row["on_hand"] - 2, Decimal(0)) for row in rows}
    assert shop.shows == may_sell
    rows = await pool.fetch("SELECT sku, location, told FROM channel_stock")
    assert {(row["sku"], row["location"]): row["told"] for row in rows} == may_sell
