# SPDX-License-Identifier: Apache-2.0
"""Levels beyond the bound of memory: what is asked for together is there together."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
import pytest

from crossdock.catalog.cache import Catalog
from crossdock.inventory import bounded
from crossdock.inventory.bounded import BoundedView
from crossdock.inventory.rules import ChannelRule, StockRules

SHOP = ChannelRule(name="shop", system="shop", locations=("EAST",))


async def numbers(view: BoundedView, conn: asyncpg.Connection, *skus: str) -> list[int]:
    """What is answered of `skus` asked for in one request."""
    missing = view.missing(skus)
    if missing:
        await view.fetch(conn, missing)
    return [int(view.sellable(SHOP, sku).total) for sku in skus]


async def test_what_is_there_stays_while_what_is_not_is_read(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_ASKED", 2)
    await pool.executemany(
        "INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at) VALUES ($1, 'EAST', $2, 1, now())",
        [(f"SKU-{number}", Decimal(number)) for number in range(1, 8)],
    )
    view = BoundedView(StockRules(version="r/1", channels={"shop": SHOP}), Catalog(), most=1)
    async with pool.acquire() as conn:
        await view.load(conn)
        assert not view.whole
        assert await numbers(view, conn, "SKU-3") == [3]
        assert await numbers(view, conn, "SKU-4") == [4]
        # SKU-3 is the oldest of two; with a third it must not make room for what is asked for beside it.
        assert await numbers(view, conn, "SKU-3", "SKU-5") == [3, 5]
        assert await numbers(view, conn, "SKU-4", "SKU-3") == [4, 3]
