# SPDX-License-Identifier: Apache-2.0
"""What is peculiar to the warehouse: bad movements beside good ones, references, line numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossdock.connectors.warehouse_rest.converters import line_number, order_key_of
from crossdock.connectors.warehouse_rest.mapping import MOVEMENTS
from crossdock.sdk.conformance.kit import CONTEXT, load_kit
from crossdock.sdk.connector import load_connector

SAMPLES = Path(load_kit("warehouse_rest").folder) / "samples"


def test_bad_movement_is_a_failure_of_its_own(translate: Any) -> None:
    event = msgspec.json.decode((SAMPLES / "warehouse_rest.movements.mixed.in.json").read_bytes())
    event["data"]["movements"][1]["quantity"] = "1.5"
    parts = translate(MOVEMENTS, event, CONTEXT)
    assert [movement.movement_id for movement in parts.document.movements] == ["mov_000000000001", "mov_000000000003"]
    (failure,) = parts.failures
    assert failure.field == "data.movements[1].quantity"
    assert failure.value == "1.5"


@pytest.mark.parametrize(
    ("reference", "key"), [("shop/1#1", "shop/1"), ("shop/#7#12", "shop/#7"), ("shopify-us/61#3", "shopify-us/61")]
)
def test_order_key_is_what_stands_before_the_number(reference: str, key: str) -> None:
    assert order_key_of(reference) == key


@pytest.mark.parametrize("reference", ["", "#1", "shop/1", "shop/1#", "shop/1#x", "FO-1001-1", None])
def test_reference_of_somebody_else_is_refused(reference: Any) -> None:
    with pytest.raises(ValueError, match="reference of ours"):
        order_key_of(reference)


def test_line_numbers() -> None:
    assert line_number("15002233445566771") == 15002233445566771
    for line in ("0", "-1", "A-1", "1.5", "", "9" * 30):
        with pytest.raises(ValueError, match="number above zero"):
            line_number(line)


def test_movements_have_no_order_shipments_follow_their_order() -> None:
    kit = load_kit("warehouse_rest")
    receiver = load_connector("warehouse_rest").receiver
    assert receiver is not None
    assert kit.webhook is not None
    keys = {}
    for mapping, topic in (("movements.mixed", "stock.movements"), ("shipment.two_packages", "shipment.confirmed")):
        body = (SAMPLES / f"warehouse_rest.{mapping}.in.json").read_bytes()
        keys[topic] = receiver.identify(kit.request(topic, body, kit.webhook.headers)).key
    assert keys["shipment.confirmed"] == "order/shopify-us/6123456789012345671"
    assert keys["stock.movements"].startswith("stock/sample/")
    assert len(keys["stock.movements"].rpartition("/")[2]) == 16


def test_body_of_another_topic_is_a_problem() -> None:
    kit = load_kit("warehouse_rest")
    receiver = load_connector("warehouse_rest").receiver
    assert receiver is not None
    assert kit.webhook is not None
    body = (SAMPLES / "warehouse_rest.shipment.two_packages.in.json").read_bytes()
    assert "topic" in receiver.identify(kit.request("stock.movements", body, kit.webhook.headers)).problem
