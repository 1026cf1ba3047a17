# SPDX-License-Identifier: Apache-2.0
"""Asking a simulated warehouse what it has counted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crossdock.errors import RetryLater
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.warehouse.simulator import WarehouseConfig, WarehouseSim
from tests.connectors.listing import act, all_pages


async def test_pages_hold_every_level_once(open_lister: Any) -> None:
    catalog = CatalogConfig(products=700)
    async with WarehouseSim(WarehouseConfig(catalog=catalog)) as warehouse:
        lister = open_lister(
            "warehouse_rest", settings={"url": warehouse.url}, secrets={"token": warehouse.config.token}
        )
        rows, pages = await all_pages(lister)
        expected = {
            (product.sku, place): Decimal(level)
            for product in warehouse.catalog.products
            for place, level in product.stock.items()
        }
        assert {(row.sku, row.location): row.quantity for row in rows} == expected
        assert len(rows) == len(expected)
        assert pages == -(-len(expected) // 1000)
        assert {row.unit for row in rows} == {"EA"}


async def test_some_skus_are_asked_for_after_they_moved(open_lister: Any) -> None:
    async with WarehouseSim(WarehouseConfig()) as warehouse:
        place = warehouse.catalog.locations[0].code
        lister = open_lister(
            "warehouse_rest", settings={"url": warehouse.url}, secrets={"token": warehouse.config.token}
        )
        before = {(row.sku, row.location): row for row in (await all_pages(lister, ["CD-00002", "NO SUCH, SKU"]))[0]}
        assert {sku for sku, _ in before} == {"CD-00002"}
        move = {"type": "receipt", "sku": "CD-00002", "location": place, "quantity": 7, "tell": 0}
        await act(warehouse.url, "move", move)
        after = {(row.sku, row.location): row for row in (await all_pages(lister, ["CD-00002"]))[0]}
        moved = after["CD-00002", place]
        assert moved.quantity == before["CD-00002", place].quantity + 7
        assert moved.as_of > before["CD-00002", place].as_of
        assert moved.changed_at is not None


async def test_a_busy_warehouse_is_asked_later(open_lister: Any) -> None:
    async with WarehouseSim(WarehouseConfig()) as warehouse:
        lister = open_lister(
            "warehouse_rest", settings={"url": warehouse.url}, secrets={"token": warehouse.config.token}
        )
        warehouse.faults.add(Fault(kind="throttled", count=1))
        with pytest.raises(RetryLater) as raised:
            await lister.stock()
        assert (raised.value.throttled, raised.value.after) == (True, 1)
