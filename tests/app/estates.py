# SPDX-License-Identifier: Apache-2.0
"""The staged estate without anything running behind it."""

from __future__ import annotations

from pathlib import Path

from crossdock.sandbox.netsuite.simulator import NetSuiteSim
from crossdock.sandbox.shopify.simulator import ShopifyConfig, ShopifySim
from crossdock.sandbox.warehouse.simulator import WarehouseConfig, WarehouseSim
from tests.flow.staging import MASTER, write_estate, write_key


def idle_estate(folder: Path) -> Path:
    """Three systems at addresses where nobody answers; the estate's file."""
    shop, erp = ShopifySim(ShopifyConfig(catalog=MASTER)), NetSuiteSim()
    warehouse = WarehouseSim(WarehouseConfig(catalog=MASTER))
    shop.url, erp.url, warehouse.url = "http://127.0.0.1:9", "http://127.0.0.1:9", "http://127.0.0.1:9"
    write_key(folder / "key.pem")
    return write_estate(folder, shop, erp, warehouse)
