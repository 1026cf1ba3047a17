# SPDX-License-Identifier: Apache-2.0
"""What left is posted through the extension's page, once per shipment."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown
from crossdock.sdk.sending import Delivered, Failed
from tests.connectors.business_central import answers
from tests.connectors.business_central.answers import EAST, WEST, Script, rows
from tests.connectors.business_central.documents import shipment

PAGE = "x:salesOrderShipments"
POSTED = {
    "id": "55c99ea7-bde4-ea11-bbf2-00155df3a615",
    "documentNumber": "102042",
    "orderNumber": "101005",
    "externalReference": "shopify-us/1#1/shp_1",
}


def _there(company: Script, *lines: dict[str, Any], located: str = EAST, **header: Any) -> dict[str, Any]:
    """The shipment is not posted, and its order has `lines`, all at one location."""
    found = answers.order(*({**one, "locationId": located} for one in lines), **header)
    company.says(f"GET {PAGE}", rows())
    company.says("GET salesOrders", rows(found))
    return found


async def _sent(sender: Any, item: Any) -> Any:
    (outcome,) = await sender.send("item_fulfillment", [item])
    return outcome


def _error(outcome: Any, kind: type) -> Any:
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, kind), outcome.error
    return outcome.error


async def test_shipment_is_looked_for_then_posted(company: Script, sender: Any) -> None:
    """Lines are named by their sequence; what is charged goes with what leaves first, from nowhere."""
    _there(company, answers.line(1, "CD-1", 2), answers.line(2, "CD-2", 3), answers.line(3, "FREIGHT", 1))
    company.says(f"POST {PAGE}", POSTED, 201)
    outcome = await _sent(sender, shipment(("CD-2", 1), ("CD-1", 2)))
    assert isinstance(outcome, Delivered), outcome
    assert outcome.reference == "102042"
    look, _, posted = company.told
    assert look.query["$filter"] == "externalReference eq 'shopify-us/1#1/shp_1'"
    assert posted.body == {
        "orderNumber": "101005",
        "externalReference": "shopify-us/1#1/shp_1",
        "shipmentDate": "2026-11-23",
        "trackingNumber": "1Z1,1Z2",
        "carrier": "UPS-G",
        "lines": [
            {"lineSequence": 10000, "quantity": 2, "locationCode": "EAST"},
            {"lineSequence": 20000, "quantity": 1, "locationCode": "EAST"},
            {"lineSequence": 30000, "quantity": 1},
        ],
    }


async def test_lines_are_taken_by_unit_and_by_what_is_left(company: Script, sender: Any) -> None:
    lines = (
        answers.line(1, "CD-1", 2, unitOfMeasureCode="BOX"),
        answers.line(2, "CD-1", 3, shippedQuantity=2),
        answers.line(3, "CD-1", 4),
        answers.line(4, "FREIGHT", 1, shippedQuantity=1),
    )
    _there(company, *lines)
    company.says(f"POST {PAGE}", POSTED, 201)
    assert isinstance(await _sent(sender, shipment(("CD-1", 3))), Delivered)
    assert company.told[2].body["lines"] == [
        {"lineSequence": 20000, "quantity": 1, "locationCode": "EAST"},
        {"lineSequence": 30000, "quantity": 2, "locationCode": "EAST"},
    ]


async def test_shipment_that_is_posted_is_not_posted_again(company: Script, sender: Any) -> None:
    for _ in range(2):
        company.says(f"GET {PAGE}", rows(POSTED))
    item = shipment(("CD-1", 2))
    assert (await _sent(sender, item)).reference == "102042"
    (found,) = await sender.find("item_fulfillment", [item])
    assert found.reference == "102042"
    company.says(f"GET {PAGE}", rows())
    assert await sender.find("item_fulfillment", [item]) == [None]


async def test_shipment_posted_since_we_looked_is_found(company: Script, sender: Any) -> None:
    _there(company, answers.line(1, "CD-1", 2))
    company.refuses(f"POST {PAGE}", 400, "Internal_EntityWithSameKeyExists", "The record already exists.")
    company.says(f"GET {PAGE}", rows(POSTED))
    assert (await _sent(sender, shipment(("CD-1", 2)))).reference == "102042"


async def test_reference_of_another_shipment_is_not_ours(company: Script, sender: Any) -> None:
    """Business Central may compare texts without regard to capitals."""
    company.says(f"GET {PAGE}", rows({**POSTED, "externalReference": "SHOPIFY-US/1#1/SHP_1"}))
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 2, locationId=EAST))))
    company.refuses(f"POST {PAGE}", 400, "Internal_EntityWithSameKeyExists")
    company.says(f"GET {PAGE}", rows({**POSTED, "externalReference": "SHOPIFY-US/1#1/SHP_1"}))
    assert _error(await _sent(sender, shipment(("CD-1", 2))), NeedsEdit).rule == "Internal_EntityWithSameKeyExists"


async def test_more_than_is_left_is_a_case(company: Script, sender: Any) -> None:
    company.says(f"GET {PAGE}", rows())
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 2, shippedQuantity=1))))
    error = _error(await _sent(sender, shipment(("CD-1", 2))), NeedsEdit)
    assert (error.rule, error.value) == ("business_central.remaining", {"CD-1": "1"})


async def test_order_that_is_not_there_is_a_case(company: Script, sender: Any) -> None:
    company.says(f"GET {PAGE}", rows())
    company.says("GET salesOrders", rows())
    assert _error(await _sent(sender, shipment(("CD-1", 2))), NeedsEdit).rule == "business_central.order_known"


async def test_rule_of_business_central_is_a_case(company: Script, sender: Any) -> None:
    _there(company, answers.line(1, "CD-1", 2))
    company.refuses(f"POST {PAGE}", 400, "Application_DialogException", "You cannot ship more than 1 units.")
    error = _error(await _sent(sender, shipment(("CD-1", 2))), NeedsEdit)
    assert error.rule == "Application_DialogException"
    assert "You cannot ship more than 1 units.  CorrelationId:  1c8d41a3" in error.reason


@pytest.mark.parametrize("status", [500, 504])
async def test_posting_without_an_answer_is_unknown(company: Script, sender: Any, status: int) -> None:
    _there(company, answers.line(1, "CD-1", 2))
    company.says(f"POST {PAGE}", b"", status)
    _error(await _sent(sender, shipment(("CD-1", 2))), OutcomeUnknown)


async def test_missing_extension_stops_shipments_and_not_orders(company: Script, sender: Any) -> None:
    """NeedsConfig would pause the whole system."""
    company.refuses(f"GET {PAGE}", 404, "BadRequest_NotFound", "No HTTP resource was found.")
    error = _error(await _sent(sender, shipment(("CD-1", 2))), NeedsEdit)
    assert "extension" in error.fix
    assert not isinstance(error, NeedsConfig)


async def test_goods_leave_where_the_shipment_left_whatever_their_lines_say(company: Script, sender: Any) -> None:
    """No line is moved for it: a released one, or one of which a part has left from elsewhere, could not be."""
    _there(company, answers.line(1, "CD-1", 3, shippedQuantity=1), located=WEST, status="Open")
    company.says(f"POST {PAGE}", POSTED, 201)
    assert isinstance(await _sent(sender, shipment(("CD-1", 2))), Delivered)
    assert [told.method for told in company.told] == ["GET", "GET", "POST"]
    assert company.told[2].body["lines"] == [{"lineSequence": 10000, "quantity": 2, "locationCode": "EAST"}]


async def test_shipment_that_does_not_say_where_leaves_from_its_lines(company: Script, sender: Any) -> None:
    _there(company, answers.line(1, "CD-1", 2), located=WEST)
    company.says(f"POST {PAGE}", POSTED, 201)
    item = shipment(("CD-1", 2))
    assert isinstance(await _sent(sender, replace(item, document=replace(item.document, location=""))), Delivered)
    assert company.told[2].body["lines"] == [{"lineSequence": 10000, "quantity": 2}]


async def test_location_that_business_central_does_not_have_is_a_case(company: Script, sender: Any) -> None:
    _there(company, answers.line(1, "CD-1", 2))
    said = "contains a value (EAST) that cannot be found in the related table (Location)."
    company.refuses(f"POST {PAGE}", 400, "Internal_InvalidTableRelation", said)
    error = _error(await _sent(sender, shipment(("CD-1", 2))), NeedsEdit)
    assert (error.rule, error.field) == ("Internal_InvalidTableRelation", "lines[].location")
