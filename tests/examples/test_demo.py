# SPDX-License-Identifier: Apache-2.0
"""The demo's estate, the one that ships with the package: a good first read, so it must be beyond reproach."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from crossdock.app.demo.simulators import write_key
from crossdock.app.wiring import Wired, hook_routes, wire
from crossdock.cli.check import findings_of


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    """The estate as the demo lays it out, with the files that it makes beside it."""
    with as_file(files("crossdock.app.demo").joinpath("estate.yaml")) as shipped:
        shutil.copyfile(shipped, tmp_path / "estate.yaml")
    with as_file(files("crossdock.app.demo").joinpath("selling.yaml")) as shipped:
        shutil.copyfile(shipped, tmp_path / "selling.yaml")
    (tmp_path / "products.csv").write_text("sku,location\nCD-00001,DC-EAST\n")
    (tmp_path / "customers.csv").write_text("customer_id\nWEB-STORE\n")
    write_key(tmp_path / "netsuite-key.pem")
    return tmp_path / "estate.yaml"


@pytest.fixture
def wired(estate: Path) -> Wired:
    return wire(estate)


def test_nothing_is_to_be_mended(estate: Path) -> None:
    assert findings_of(estate) == []


def test_it_says_who_takes_what(wired: Wired) -> None:
    assert {key: route.interface for key, route in hook_routes(wired).items()} == {
        ("shopify-us", "orders/create"): "shopify-us.orders",
        ("shopify-us", "orders/updated"): "shopify-us.orders",
        ("shopify-us", "orders/cancelled"): "shopify-us.orders",
        ("warehouse", "stock.movements"): "warehouse.stock",
        ("warehouse", "shipment.confirmed"): "warehouse.shipments",
        ("warehouse", "stock.counted"): "warehouse.counts",
        ("warehouse", "return.received"): "warehouse.returns",
        ("portal", "order.placed"): "portal.orders",
        ("portal", "order.cancelled"): "portal.orders",
        ("marketplace", "order.placed"): "marketplace.orders",
        ("marketplace", "order.cancelled"): "marketplace.orders",
    }


def test_everything_that_is_owed_has_an_interface(wired: Wired) -> None:
    owed = {
        ("netsuite", "sales_order"),
        ("netsuite", "order_cancel"),
        ("netsuite", "item_fulfillment"),
        ("netsuite", "return_authorization"),
        ("netsuite", "return_cancel"),
        ("netsuite", "item_receipt"),
        ("netsuite", "credit_memo"),
        ("business-central", "sales_order"),
        ("business-central", "order_cancel"),
        ("business-central", "item_fulfillment"),
        ("business-central", "item_receipt"),
        ("business-central", "credit_memo"),
        ("warehouse", "expected_return"),
        ("warehouse", "return_cancel"),
        ("warehouse", "fulfillment_order"),
        ("warehouse", "fulfillment_cancel"),
        ("shopify-us", "fulfillment"),
        ("shopify-us", "stock_levels"),
        ("portal", "fulfillment"),
        ("portal", "stock_levels"),
        ("marketplace", "fulfillment"),
        ("marketplace", "stock_levels"),
    }
    assert set(wired.estate.outgoing) == owed


def test_every_system_knows_every_location(wired: Wired) -> None:
    places = set(wired.estate.declared.locations)
    assert places == {"DC-EAST", "DC-WEST"}
    for system in ("warehouse", "netsuite", "business-central", "shopify-us"):
        assert set(wired.estate.names(system)["location"]) == places
    assert (wired.estate.erp_of("us"), wired.estate.erp_of("de")) == ("netsuite", "business-central")
    told = {name: rules.locations for name, (_, rules) in wired.estate.stock_channels.items()}
    assert told == dict.fromkeys(("shopify-us", "portal", "marketplace"), ("DC-EAST", "DC-WEST"))
