# SPDX-License-Identifier: Apache-2.0
"""Returns at a simulated warehouse: expected once, cancelled while nothing has come, told of when it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from crossdock.canonical.goods_return import GoodsReturn, ReturnLine
from crossdock.canonical.quantity import Quantity
from crossdock.errors import NeedsEdit, OutcomeUnknown
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.host import ControlError
from crossdock.sandbox.warehouse.expect import ComeBack, ReceiveRequest
from crossdock.sandbox.warehouse.simulator import WarehouseSim
from crossdock.sdk.sending import Delivered, Failed, Outgoing


@pytest.fixture
async def warehouse() -> AsyncIterator[WarehouseSim]:
    async with WarehouseSim() as simulator:
        yield simulator


@pytest.fixture
def sender(warehouse: WarehouseSim, open_sender: Any) -> Any:
    return open_sender(
        "warehouse_rest",
        name="warehouse",
        settings={"url": warehouse.url},
        secrets={"token": warehouse.config.token},
        names={"location": {"WH-EAST": warehouse.catalog.locations[0].code}},
    )


def back(quantity: str = "3", sku: str = "CD-00001", **changes: Any) -> Outgoing:
    given: dict[str, Any] = {
        "return_key": "shop/r1",
        "order_key": "shop/1",
        "number": "R-1",
        "channel": "shop",
        "requested_at": datetime(2026, 12, 1, tzinfo=UTC),
        "location": "WH-EAST",
        "lines": (
            ReturnLine(line="1", sku=sku, quantity=Quantity(Decimal(quantity)), reason="damaged"),
            ReturnLine(line="2", sku="CD-00002", quantity=Quantity(Decimal(1))),
        ),
    }
    document = GoodsReturn(**{**given, **changes})
    return Outgoing(
        delivery_id=1,
        operation="expected_return",
        reference=document.return_key,
        idempotency_key="00000000-0000-4000-8000-000000000001",
        document=document,
        known={},
    )


async def test_a_return_is_expected_once_and_found(warehouse: WarehouseSim, sender: Any) -> None:
    assert await sender.find("expected_return", [back()]) == [None]
    (first,), (again,) = [await sender.send("expected_return", [back()]) for _ in range(2)]
    assert isinstance(first, Delivered)
    assert isinstance(again, Delivered)
    assert again.reference == first.reference
    assert warehouse.counts()["returns"] == 1
    (found,) = await sender.find("expected_return", [back()])
    assert found == Delivered(reference=first.reference)
    (held,) = warehouse.desk.returns.values()
    assert held["content"]["lines"][0]["reason"] == "damaged"


async def test_an_answer_that_was_lost_makes_no_second_return(warehouse: WarehouseSim, sender: Any) -> None:
    warehouse.faults.add(Fault("cut_after", count=1))
    (lost,) = await sender.send("expected_return", [back()])
    assert isinstance(lost, Failed)
    assert isinstance(lost.error, OutcomeUnknown)
    (found,) = await sender.find("expected_return", [back()])
    assert found is not None
    assert warehouse.counts()["returns"] == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (back("0"), "lines[0].quantity"),
        (back(sku="NOPE"), "lines[0].sku"),
        (back(location="MOON"), "location"),
        (back(return_key="x" * 70), "reference"),
    ],
)
async def test_what_the_warehouse_cannot_expect_is_a_case(sender: Any, wrong: Outgoing, field: str) -> None:
    (outcome,) = await sender.send("expected_return", [wrong])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    if field != "location":
        assert outcome.error.field == field
        assert outcome.error.reason.startswith("the warehouse refuses to expect the return")


async def test_other_content_under_the_same_reference_is_a_case(sender: Any) -> None:
    await sender.send("expected_return", [back()])
    (outcome,) = await sender.send("expected_return", [back("2")])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert "another return under this reference" in outcome.error.reason


async def test_it_is_cancelled_while_nothing_has_come(warehouse: WarehouseSim, sender: Any) -> None:
    assert await sender.send("return_cancel", [back()]) == [Delivered(reference="none")]
    await sender.send("expected_return", [back()])
    for _ in range(2):
        (outcome,) = await sender.send("return_cancel", [back()])
        assert isinstance(outcome, Delivered)
    assert [one["status"] for one in warehouse.desk.returns.values()] == ["cancelled"]
    (found,) = await sender.find("return_cancel", [back()])
    assert found is not None
    with pytest.raises(ControlError):
        warehouse.desk.receive(ReceiveRequest(reference="shop/r1"))


async def test_after_goods_came_it_is_too_late(warehouse: WarehouseSim, sender: Any) -> None:
    await sender.send("expected_return", [back()])
    warehouse.desk.receive(ReceiveRequest(reference="shop/r1", lines=[ComeBack(1, 1)]))
    (outcome,) = await sender.send("return_cancel", [back()])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert "goods of the return have come back" in outcome.error.reason


async def test_the_warehouse_receives_what_it_expects_and_no_more(warehouse: WarehouseSim, sender: Any) -> None:
    await sender.send("expected_return", [back()])
    place = warehouse.catalog.locations[0].code
    had = Decimal(warehouse.warehouse.stock[f"CD-00001@{place}"]["on_hand"])
    came = [ComeBack(1, 1), ComeBack(1, 1, "quarantine"), ComeBack(1, 1, "scrap")]
    receipt = warehouse.desk.receive(ReceiveRequest(reference="shop/r1", lines=came))
    assert (receipt["final"], [line["disposition"] for line in receipt["lines"]]) == (
        False,
        ["restock", "quarantine", "scrap"],
    )
    assert Decimal(warehouse.warehouse.stock[f"CD-00001@{place}"]["on_hand"]) == had + 2
    with pytest.raises(ControlError):
        warehouse.desk.receive(ReceiveRequest(reference="shop/r1", lines=[ComeBack(1, 1)]))
    rest = warehouse.desk.receive(ReceiveRequest(reference="shop/r1"))
    assert (rest["final"], [(line["line"], line["quantity"]) for line in rest["lines"]]) == (True, [(2, "1")])
    assert msgspec.json.encode(rest)
