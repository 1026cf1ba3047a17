# SPDX-License-Identifier: Apache-2.0
"""What is peculiar to the channel: orders told out of order, numbers to show, lines of shipments."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossdock.canonical.fulfillment import FulfillmentLine, Package
from crossdock.canonical.quantity import Quantity
from crossdock.connectors.channel_rest.converters import (
    available,
    line_number,
    lines_of,
    shipping_charge,
    tracking_numbers,
)
from crossdock.connectors.channel_rest.mapping import ORDER
from crossdock.errors import NeedsEdit
from crossdock.sdk.conformance.kit import CONTEXT, load_kit
from crossdock.sdk.connector import load_connector
from crossdock.sdk.receiving import Identified

SAMPLES = Path(load_kit("channel_rest").folder) / "samples"


def sample(case: str) -> Any:
    return msgspec.json.decode((SAMPLES / f"channel_rest.order.{case}.in.json").read_bytes())


def identified(topic: str, event: Any) -> Identified:
    kit = load_kit("channel_rest")
    receiver = load_connector("channel_rest").receiver
    assert receiver is not None
    assert kit.webhook is not None
    return receiver.identify(kit.request(topic, msgspec.json.encode(event), kit.webhook.headers))


def test_both_events_are_of_one_order_and_the_later_one_is_newer() -> None:
    placed = identified("order.placed", sample("reserved"))
    cancelled = identified("order.cancelled", sample("cancelled"))
    assert placed.key == cancelled.key == "order/sample/ord_00000417"
    assert (placed.version, cancelled.version) == (1_795_445_881_250, 1_795_450_244_007)
    assert not placed.problem + cancelled.problem


def test_version_is_the_same_before_and_after_translation(translate: Any) -> None:
    for topic, case in (("order.placed", "reserved"), ("order.cancelled", "cancelled")):
        order = translate(ORDER, sample(case), CONTEXT).document
        assert order.version == identified(topic, sample(case)).version


def test_event_that_tells_of_no_order_is_a_problem() -> None:
    assert "stock.movements" in identified("order.placed", {**sample("reserved"), "type": "stock.movements"}).problem


def test_order_counts_as_it_stands_whatever_address_it_came_to(translate: Any) -> None:
    found = identified("order.placed", sample("cancelled"))
    assert (found.problem, found.key) == ("", "order/sample/ord_00000417")
    assert translate(ORDER, sample("cancelled"), CONTEXT).document.status == "cancelled"


@pytest.mark.parametrize("identity", ["", "x" * 101, "a\nb", 17, None])
def test_order_without_a_usable_id_is_a_problem(identity: Any) -> None:
    event = sample("reserved")
    event["data"]["order"]["id"] = identity
    found = identified("order.placed", event)
    assert found.problem
    assert found.key == "order/sample/unreadable/msg_7c1Rt0"


@pytest.mark.parametrize("moment", [None, "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_time_that_is_none_is_version_zero(moment: Any) -> None:
    event = sample("reserved")
    event["data"]["order"]["updated_at"] = moment
    assert identified("order.placed", event).version == 0


def test_order_without_the_time_of_its_change_is_a_case(translate: Any) -> None:
    event = sample("reserved")
    event["data"]["order"]["updated_at"] = None
    with pytest.raises(NeedsEdit) as caught:
        translate(ORDER, event, CONTEXT)
    assert caught.value.field == "data.order.updated_at"


def test_what_may_be_sold_is_whole_and_never_below_zero() -> None:
    assert available([Decimal("10.9"), Decimal(1), Decimal(2), Decimal(1), Decimal(3)]) == 3
    assert available([Decimal(3), Decimal(0), Decimal(4), Decimal(0), Decimal(0)]) == 0
    assert available([Decimal(-5), None, None, None, None]) == 0


def test_shipping_that_costs_nothing_is_no_charge() -> None:
    assert shipping_charge("0.00") == []
    assert shipping_charge("9.95") == [{"amount": "9.95"}]
    assert shipping_charge("free") == [{"amount": "free"}]


def packed(*lines: tuple[str, str], number: str = "") -> Package:
    made = tuple(FulfillmentLine(line=line, sku="A", quantity=Quantity(Decimal(value))) for line, value in lines)
    return Package(tracking_number=number, lines=made)


def test_a_line_in_several_packages_is_told_once() -> None:
    packages = (packed(("1", "2"), ("2", "10"), number="1Z1"), packed(("1", "3"), number="1Z1"), packed())
    assert lines_of(packages) == [{"line": "1", "quantity": "5"}, {"line": "2", "quantity": "10"}]
    assert tracking_numbers(packages) == ["1Z1"]
    with pytest.raises(ValueError, match="what is in its packages"):
        lines_of((packed(),))


def test_line_numbers() -> None:
    assert line_number("12") == 12
    for line in ("0", "-1", "A-1", "1.5", "", "9" * 30):
        with pytest.raises(ValueError, match="number above zero"):
            line_number(line)
