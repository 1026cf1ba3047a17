# SPDX-License-Identifier: Apache-2.0
"""What left is posted through the extension's page, once per shipment."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown
from crossdock.sdk.sending import Delivered, Failed
from tests.connectors.business_central import answers
from tests.connectors.business_central.answers import EAST, ORDER, WEST, Script, rows
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
    company.says("GET locations", rows({"id": EAST, "code": "EAST"}))
    return found


async def _sent(sender: Any, item: Any) -> Any:
    (outcome,) = await sender.send("item_fulfillment", [item])
    return outcome


def _error(outcome: Any, kind: type) -> Any:
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, kind), outcome.error
    return outcome.error


async def test_shipment_is_looked_for_then_posted(company: Script, sender: Any) -> None:
    """Lines are named by their sequence; what is charged goes with what leaves first."""
    _there(company, answers.line(1, "CD-1", 2), answers.line(2, "CD-2", 3), answers.line(3, "FREIGHT", 1))
    company.says(f"POST {PAGE}", POSTED, 201)
    outcome = await _sent(sender, shipment(("CD-2", 1), ("CD-1", 2)))
    assert isinstance(outcome, Delivered), outcome
    assert outcome.reference == "102042"
    look, _, places, posted = company.told
    assert places.query["$filter"] == "code eq 'EAST'"
    assert look.query["$filter"] == "externalReference eq 'shopify-us/1#1/shp_1'"
    assert posted.body == {
        "orderNumber": "101005",
        "externalReference": "shopify-us/1#1/shp_1",
        "shipmentDate": "2026-11-23",
        "trackingNumber": "1Z1,1Z2",
        "carrier": "UPS-G",
        "lines": [
            {"lineSequence": 10000, "quantity": 2},
            {"lineSequence": 20000, "quantity": 1},
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
    assert company.told[3].body["lines"] == [
        {"lineSequence": 20000, "quantity": 1},
        {"lineSequence": 30000, "quantity": 2},
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
    company.says("GET locations", rows({"id": EAST, "code": "EAST"}))
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


async def test_lines_ship_from_where_the_shipment_left(company: Script, sender: Any) -> None:
    """Orders seldom say a location; lines that are nowhere go along, because posting releases the order."""
    nowhere = "00000000-0000-0000-0000-000000000000"
    lines = [answers.line(1, "CD-1", 2, locationId=WEST), answers.line(2, "CD-2", 1, locationId=nowhere)]
    elsewhere = answers.line(3, "CD-3", 1, locationId=WEST)
    company.says(f"GET {PAGE}", rows())
    company.says("GET salesOrders", rows(answers.order(*lines, elsewhere)))
    company.says("GET locations", rows({"id": EAST, "code": "EAST"}))
    for one in lines:
        company.says(f"PATCH salesOrders({ORDER})/salesOrderLines({one['id']})", {})
    company.says("GET salesOrders", rows(answers.order(*({**one, "locationId": EAST} for one in lines), elsewhere)))
    company.says(f"POST {PAGE}", POSTED, 201)
    assert isinstance(await _sent(sender, shipment(("CD-1", 2))), Delivered)
    first, second = company.told[3:5]
    assert (first.body, second.body) == ({"locationId": EAST}, {"locationId": EAST})
    assert (first.headers["If-Match"], second.headers["If-Match"]) == ('W/"line-1"', 'W/"line-2"')
    assert company.told[6].body["lines"] == [{"lineSequence": 10000, "quantity": 2}]


async def test_released_order_that_leaves_from_elsewhere_is_a_case(company: Script, sender: Any) -> None:
    """Lines that do not leave now are left alone."""
    there = _there(company, answers.line(1, "CD-1", 2), answers.line(2, "CD-2", 2), located=WEST, status="Open")
    at = f"salesOrders({ORDER})/salesOrderLines({there['salesOrderLines'][0]['id']})"
    company.refuses(f"PATCH {at}", 400, "Application_FieldValidationException", "Status must be equal to 'Open'.")
    error = _error(await _sent(sender, shipment(("CD-1", 2))), NeedsEdit)
    assert (error.field, error.value) == ("status", "Open")


async def test_line_that_left_from_elsewhere_before_is_a_case(company: Script, sender: Any) -> None:
    _there(company, answers.line(1, "CD-1", 2, shippedQuantity=1), located=WEST, status="Open")
    error = _error(await _sent(sender, shipment(("CD-1", 1))), NeedsEdit)
    assert (error.rule, error.value) == ("business_central.location_of_line", "DC-EAST")
