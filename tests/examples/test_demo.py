# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from pathlib import Path

from crossdock.cli.check import findings_of
from crossdock.estate.compile import compile_estate
from crossdock.estate.load import load_estate

DEMO = Path(__file__).parents[2] / "examples" / "demo"


def test_the_demo_estate_is_sound_and_says_who_takes_what(tmp_path):
    shutil.copytree(DEMO, tmp_path, dirs_exist_ok=True)
    (tmp_path / "products.csv").write_text("sku\nCD-00001\n")
    (tmp_path / "customers.csv").write_text("customer_id\nWEB\n")
    assert findings_of(tmp_path / "estate.yaml") == []
    estate = compile_estate(load_estate(tmp_path / "estate.yaml"))
    incoming = {(system, topic): face.name for (system, topic), face in estate.incoming.items()}
    assert incoming == {
        ("shopify-us", "orders/create"): "shopify-us.orders",
        ("shopify-us", "orders/updated"): "shopify-us.orders",
        ("shopify-us", "orders/cancelled"): "shopify-us.orders",
        ("warehouse", "stock.movements"): "warehouse.stock",
        ("warehouse", "shipment.confirmed"): "warehouse.shipments",
    }
    assert estate.names("warehouse")["location"] == {"DC-EAST": "DC-EAST", "DC-WEST": "DC-WEST"}
    assert estate.erp_of("us") == "netsuite"
