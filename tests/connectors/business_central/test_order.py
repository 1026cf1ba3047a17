# SPDX-License-Identifier: Apache-2.0
"""A sales order is looked for, made once with its lines, changed where it differs, and taken off when cancelled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from crossdock.canonical.money import Money
from crossdock.canonical.party import Address, Party
from crossdock.canonical.sales_order import Charge
from crossdock.errors import NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.sending import Delivered, Failed
from tests.connectors.business_central import answers
from tests.connectors.business_central.answers import EAST, ORDER, WEST, Script, rows
from tests.connectors.business_central.documents import line, order

AT = f"salesOrders({ORDER})"


def _usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


async def _sent(sender: Any, item: Any, operation: str = "sales_order") -> Any:
    (outcome,) = await sender.send(operation, [item])
    return outcome


def _error(outcome: Any, kind: type) -> Any:
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, kind), outcome.error
    return outcome.error


async def test_new_order_is_looked_for_then_made_with_its_lines(company: Script, sender: Any) -> None:
    company.says("GET locations", rows({"id": EAST, "code": "EAST"}))
    company.says("GET salesOrders", rows())
    company.says("GET salesInvoices", rows())
    company.says("POST salesOrders", answers.order(), 201)
    item = order(line(1, "CD-1", location="DC-EAST"), line(2, "CD-2", 3, "CS", discount=None))
    outcome = await _sent(sender, item)
    assert isinstance(outcome, Delivered)
    assert outcome.reference == "101005"
    places, look, posted, made = company.told
    assert places.query == {"$filter": "code eq 'EAST'", "$select": "id,code", "$top": "1"}
    assert look.query == {
        "$filter": "externalDocumentNumber eq 'SHOPIFY-US/1'",
        "$expand": "salesOrderLines",
        "$top": "2",
    }
    assert posted.query["$filter"] == "externalDocumentNumber eq 'SHOPIFY-US/1'"
    assert made.headers["Authorization"] == "Bearer token-1"
    assert made.body == {
        "externalDocumentNumber": "SHOPIFY-US/1",
        "orderDate": "2026-11-23",
        "customerNumber": "WEB-US",
        "currencyCode": "USD",
        "pricesIncludeTax": False,
        "email": "ada@example.com",
        "shipToName": "Ada Byron",
        "shipToContact": "",
        "shipToAddressLine1": "1 Main St",
        "shipToAddressLine2": "",
        "shipToCity": "Louisville",
        "shipToCountry": "US",
        "shipToState": "KY",
        "shipToPostCode": "40202",
        "salesOrderLines": [
            {
                "lineType": "Item",
                "lineObjectNumber": "CD-1",
                "description": "Article CD-1",
                "locationId": EAST,
                "unitOfMeasureCode": "PCS",
                "quantity": 2,
                "unitPrice": 10.5,
                "discountAmount": 1,
            },
            {
                "lineType": "Item",
                "lineObjectNumber": "CD-2",
                "description": "Article CD-2",
                "unitOfMeasureCode": "BOX",
                "quantity": 3,
                "unitPrice": 10.5,
                "discountAmount": 0,
            },
        ],
    }
    # What a later field may change comes before it.
    assert list(made.body["salesOrderLines"][0])[-3:] == ["quantity", "unitPrice", "discountAmount"]


async def test_ids_of_locations_are_asked_for_once(company: Script, sender: Any) -> None:
    company.says("GET locations", rows({"id": EAST, "code": "EAST"}))
    for _ in range(2):
        company.says("GET salesOrders", rows())
        company.says("GET salesInvoices", rows())
        company.says("POST salesOrders", answers.order(), 201)
        assert isinstance(await _sent(sender, order(line(1, "CD-1", location="DC-EAST"))), Delivered)


async def test_unknown_location_is_a_case_that_names_it(company: Script, sender: Any) -> None:
    company.says("GET locations", rows())
    error = _error(await _sent(sender, order(line(1, "CD-1", location="DC-MOON"))), NeedsEdit)
    assert (error.field, error.value) == ("lines[].location", "DC-MOON")


async def test_order_without_an_address_leaves_the_customers(company: Script, sender: Any) -> None:
    company.says("GET salesOrders", rows())
    company.says("GET salesInvoices", rows())
    company.says("POST salesOrders", answers.order(), 201)
    await _sent(sender, order(line(1, "CD-1"), ship_to=None))
    assert [name for name in company.told[-1].body if name.startswith("shipTo")] == []


@pytest.mark.parametrize(
    ("account", "crosswalk", "default", "booked_on"),
    [
        ("", {}, "WEB-US", "WEB-US"),
        ("ACME", {}, "WEB-US", "ACME"),
        ("ACME", {"ACME": "10000"}, "WEB-US", "10000"),
        ("", {}, "", None),
    ],
)
async def test_customer_an_order_is_booked_on(
    company: Script, open_sender: Any, account: str, crosswalk: dict[str, str], default: str, booked_on: str | None
) -> None:
    given = answers.settings(company.url, default_customer=default)
    sender = open_sender("business_central", **{**given, "names": {"customer": crosswalk}})
    item = order(line(1, "CD-1"), customer=Party(id=account))
    if booked_on is None:
        assert _error(await _sent(sender, item), NeedsEdit).field == "customer.id"
        return
    company.says("GET salesOrders", rows())
    company.says("GET salesInvoices", rows())
    company.says("POST salesOrders", answers.order(), 201)
    await _sent(sender, item)
    assert company.told[-1].body["customerNumber"] == booked_on


async def test_charges_are_lines_and_discounts_the_orders(company: Script, sender: Any) -> None:
    """The discount is said after the order is there: Business Central shares it out over its lines."""
    company.says("GET salesOrders", rows())
    company.says("GET salesInvoices", rows())
    company.says("POST salesOrders", answers.order(), 201)
    freight = answers.line(2, "FREIGHT", 1, unitPrice=7.5, discountAmount=0, description="Standard")
    made = answers.order(answers.line(1, "CD-1", 2), freight)
    company.says("GET salesOrders", rows(made))
    company.says(f"PATCH {AT}", answers.order())
    company.says("GET salesOrders", rows({**made, "discountAmount": 5.25, "@odata.etag": 'W/"order-2"'}))
    charges = (
        Charge(kind="shipping", description="Standard", amount=_usd("7.50")),
        Charge(kind="discount", amount=_usd("-5.00")),
        Charge(kind="discount", amount=_usd("-0.25")),
    )
    outcome = await _sent(sender, order(line(1, "CD-1"), charges=charges, tax=_usd("1.20")))
    assert isinstance(outcome, Delivered), outcome
    post, patch = company.told[2], company.told[4]
    assert "discountAmount" not in post.body
    assert post.body["salesOrderLines"][1:] == [
        {
            "lineType": "Item",
            "lineObjectNumber": "FREIGHT",
            "description": "Standard",
            "quantity": 1,
            "unitPrice": 7.5,
            "discountAmount": 0,
        }
    ]
    assert patch.body == {"discountAmount": 5.25}
    assert patch.headers["If-Match"] == 'W/"order-1"'


async def test_money_given_back_is_a_line_of_minus_one(company: Script, open_sender: Any) -> None:
    items = {"adjustment": "ADJUST", "tax": "TAX", "discount": "REBATE"}
    sender = open_sender("business_central", **answers.settings(company.url, charge_items=items))
    company.says("GET salesOrders", rows())
    company.says("GET salesInvoices", rows())
    company.says("POST salesOrders", answers.order(), 201)
    charges = (Charge(kind="adjustment", amount=_usd("-2.00")), Charge(kind="discount", amount=_usd("-5.00")))
    await _sent(sender, order(line(1, "CD-1"), charges=charges, tax=_usd("1.20")))
    told = [
        (one["lineObjectNumber"], one["quantity"], one["unitPrice"]) for one in company.told[2].body["salesOrderLines"]
    ]
    assert told == [("CD-1", 2, 10.5), ("ADJUST", -1, 2), ("REBATE", -1, 5), ("TAX", 1, 1.2)]


async def test_charge_without_an_item_is_a_case(company: Script, sender: Any) -> None:
    fee = Charge(kind="fee", amount=_usd("2.00"))
    assert _error(await _sent(sender, order(line(1, "CD-1"), charges=(fee,))), NeedsEdit).value == "fee"


async def test_order_that_is_there_and_the_same_is_left_alone(company: Script, sender: Any) -> None:
    there = answers.order(
        answers.line(1, "CD-1", 2), answers.line(2, "cd-2 ", 3, unitOfMeasureCode="box", description="Article CD-2")
    )
    for _ in range(2):
        company.says("GET salesOrders", rows(there))
    item = order(line(1, "CD-1"), line(2, "CD-2", 3, "CS"))
    assert (await _sent(sender, item)).reference == "101005"
    (found,) = await sender.find("sales_order", [item])
    assert found.reference == "101005"


async def test_cancelled_in_part_lines_shrink_and_go(company: Script, sender: Any) -> None:
    """Each call is matched with its record's etag; the order is read again, because etags hang together."""
    there = answers.order(answers.line(1, "CD-1", 4), answers.line(2, "CD-2", 1), answers.line(3, "CD-3", 2))
    less = [answers.line(1, "CD-1", 2), answers.line(3, "CD-3", 2)]
    company.says("GET salesOrders", rows(there))
    company.says(f"DELETE {AT}/salesOrderLines({there['salesOrderLines'][1]['id']})", None, 204)
    company.says(f"PATCH {AT}/salesOrderLines({there['salesOrderLines'][0]['id']})", less[0])
    company.says("GET salesOrders", rows(answers.order(*less)))
    outcome = await _sent(sender, order(line(1, "CD-1"), line(3, "CD-3"), known="101005"))
    assert isinstance(outcome, Delivered), outcome
    gone, shrunk = company.told[1:3]
    assert gone.headers["If-Match"] == 'W/"line-2"'
    assert shrunk.headers["If-Match"] == 'W/"line-1"'
    assert shrunk.body == {"quantity": 2, "unitPrice": 10.5, "discountAmount": 1}


async def test_changed_order_gets_lines_location_and_address(company: Script, sender: Any) -> None:
    there = answers.order(answers.line(1, "CD-1", 2, locationId=EAST))
    moved = [answers.line(1, "CD-1", 2, locationId=WEST), answers.line(2, "CD-2", 2)]
    company.says("GET locations", rows({"id": WEST, "code": "DC-WEST"}))
    company.says("GET salesOrders", rows(there))
    company.says(f"PATCH {AT}/salesOrderLines({there['salesOrderLines'][0]['id']})", moved[0])
    company.says(f"POST {AT}/salesOrderLines", moved[1], 201)
    company.says("GET salesOrders", rows(answers.order(*moved, **{"@odata.etag": 'W/"order-2"'})))
    company.says(f"PATCH {AT}", answers.order())
    company.says("GET salesOrders", rows(answers.order(*moved, shipToCity="Lexington", shipToAddressLine2="Dock 4")))
    there_to = Address(
        name="Ada Byron",
        street="1 Main St",
        street2="Dock 4",
        city="Lexington",
        region="KY",
        postal_code="40202",
        country="US",
    )
    item = order(line(1, "CD-1", location="DC-WEST"), line(2, "CD-2"), ship_to=there_to, known="101005")
    outcome = await _sent(sender, item)
    assert isinstance(outcome, Delivered), outcome
    assert company.told[2].body == {"locationId": WEST, "quantity": 2, "unitPrice": 10.5, "discountAmount": 1}
    assert company.told[3].body["lineObjectNumber"] == "CD-2"
    header = company.told[5]
    assert header.body == {"shipToAddressLine2": "Dock 4", "shipToCity": "Lexington"}
    assert header.headers["If-Match"] == 'W/"order-2"'


async def test_etag_that_an_earlier_call_moved_is_read_again(company: Script, sender: Any) -> None:
    there = answers.order(answers.line(1, "CD-1", 4), answers.line(2, "CD-2", 4))
    first, second = (f"{AT}/salesOrderLines({one['id']})" for one in there["salesOrderLines"])
    company.says("GET salesOrders", rows(there))
    company.says(f"PATCH {first}", {})
    company.refuses(f"PATCH {second}", 409, "Request_EntityChanged")
    half = [answers.line(1, "CD-1", 2), answers.line(2, "CD-2", 4, **{"@odata.etag": 'W/"line-2b"'})]
    company.says("GET salesOrders", rows(answers.order(*half)))
    company.says(f"PATCH {second}", {})
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 2), answers.line(2, "CD-2", 2))))
    assert isinstance(await _sent(sender, order(line(1, "CD-1"), line(2, "CD-2"), known="101005")), Delivered)
    assert company.told[4].headers["If-Match"] == 'W/"line-2b"'


async def test_order_that_somebody_changes_meanwhile_is_tried_again(company: Script, sender: Any) -> None:
    there = answers.order(answers.line(1, "CD-1", 4))
    company.says("GET salesOrders", rows(there))
    company.refuses(f"PATCH {AT}/salesOrderLines({there['salesOrderLines'][0]['id']})", 409, "Request_EntityChanged")
    assert not _error(await _sent(sender, order(line(1, "CD-1"), known="101005")), RetryLater).throttled


async def test_value_that_is_written_in_another_way_ends_the_change(company: Script, sender: Any) -> None:
    """A postal code table may correct a city: asking for ours again would never end."""
    there = answers.order(answers.line(1, "CD-1", 2), shipToCity="LOUISVILLE")
    company.says("GET salesOrders", rows(there))
    company.says(f"PATCH {AT}", there)
    company.says("GET salesOrders", rows(there))
    assert isinstance(await _sent(sender, order(line(1, "CD-1"), known="101005")), Delivered)


async def test_lines_that_are_no_items_stay(company: Script, sender: Any) -> None:
    note = answers.line(2, "", 0, lineType="Comment", description="Gift wrap")
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 2), note)))
    assert isinstance(await _sent(sender, order(line(1, "CD-1"))), Delivered)


async def test_invoiced_order_was_there(company: Script, sender: Any) -> None:
    """Business Central deletes the sales order when all of it is invoiced."""
    invoice = {"id": ORDER, "number": "103020", "orderNumber": "101005"}
    for _ in range(3):
        company.says("GET salesOrders", rows())
        company.says("GET salesInvoices", rows(invoice))
    assert await sender.find("sales_order", [order(line(1, "CD-1"))]) == [Delivered(reference="101005")]
    assert await _sent(sender, order(line(1, "CD-1"))) == Delivered(reference="101005")
    changed = order(line(1, "CD-1", 1), known="101005")
    assert _error(await _sent(sender, changed), NeedsEdit).rule == "business_central.invoiced"


async def test_order_entered_twice_is_a_case(company: Script, sender: Any) -> None:
    company.says("GET salesOrders", rows(answers.order(), answers.order(id=WEST, number="101006")))
    assert _error(await _sent(sender, order(line(1, "CD-1"))), NeedsEdit).rule == "business_central.one_order"


async def test_order_made_without_an_answer_is_found(company: Script, sender: Any) -> None:
    company.says("GET salesOrders", rows())
    company.says("GET salesInvoices", rows())
    company.says("POST salesOrders", {"error": {"code": "Internal_ServerError", "message": "Oops"}}, 500)
    item = order(line(1, "CD-1"))
    _error(await _sent(sender, item), OutcomeUnknown)
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 2))))
    (found,) = await sender.find("sales_order", [item])
    assert found.reference == "101005"


async def test_change_that_was_not_made_is_not_found(company: Script, sender: Any) -> None:
    """The order is there in its former version: what is owed is still to be sent."""
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 5))))
    assert await sender.find("sales_order", [order(line(1, "CD-1"), known="101005")]) == [None]


async def test_cancelled_order_is_deleted_once(company: Script, sender: Any) -> None:
    cancel = replace(order(line(1, "CD-1"), known="101005"), operation="order_cancel")
    for _ in range(2):
        company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 2))))
    company.says(f"DELETE {AT}", None, 204)
    company.says("GET salesOrders", rows())
    assert await sender.find("order_cancel", [cancel]) == [None]
    assert (await _sent(sender, cancel, "order_cancel")).reference == "101005"
    assert company.told[2].headers["If-Match"] == 'W/"order-1"'
    for _ in range(2):
        company.says("GET salesOrders", rows())
        company.says("GET salesInvoices", rows())
    assert await sender.find("order_cancel", [cancel]) == [Delivered(reference="101005")]
    never = replace(cancel, known={})
    assert await _sent(sender, never, "order_cancel") == Delivered(reference="none")


async def test_partly_shipped_order_keeps_what_left(company: Script, sender: Any) -> None:
    there = answers.order(
        answers.line(1, "CD-1", 4, shippedQuantity=1),
        answers.line(2, "CD-2", 2),
        answers.line(3, "CD-3", 2, shippedQuantity=2),
    )
    first, second, _ = (f"{AT}/salesOrderLines({one['id']})" for one in there["salesOrderLines"])
    rest = answers.order(answers.line(1, "CD-1", 1, shippedQuantity=1), answers.line(3, "CD-3", 2, shippedQuantity=2))
    company.says("GET salesOrders", rows(there))
    company.says(f"PATCH {first}", {})
    company.says(f"DELETE {second}", None, 204)
    company.says("GET salesOrders", rows(rest))
    cancel = replace(order(line(1, "CD-1"), known="101005"), operation="order_cancel")
    assert (await _sent(sender, cancel, "order_cancel")).reference == "101005"
    assert company.told[1].body == {"quantity": 1}
    company.says("GET salesOrders", rows(rest))
    (found,) = await sender.find("order_cancel", [cancel])
    assert found.reference == "101005"


async def test_invoiced_order_is_not_cancelled_in_silence(company: Script, sender: Any) -> None:
    cancel = replace(order(line(1, "CD-1"), known="101005"), operation="order_cancel")
    for _ in range(2):
        company.says("GET salesOrders", rows())
        company.says("GET salesInvoices", rows({"id": ORDER, "number": "103020", "orderNumber": "101005"}))
    assert await sender.find("order_cancel", [cancel]) == [None]
    assert _error(await _sent(sender, cancel, "order_cancel"), NeedsEdit).rule == "business_central.invoiced"


async def test_released_order_has_to_be_reopened(company: Script, sender: Any) -> None:
    """Posting a shipment releases an order, and no call of the API reopens one."""
    there = answers.order(answers.line(1, "CD-1", 4, shippedQuantity=1), status="Open")
    company.says("GET salesOrders", rows(there))
    said = "Status must be equal to 'Open' in Sales Header. Current value is 'Released'."
    at = f"{AT}/salesOrderLines({there['salesOrderLines'][0]['id']})"
    company.refuses(f"PATCH {at}", 400, "Application_FieldValidationException", said)
    cancel = replace(order(line(1, "CD-1"), known="101005"), operation="order_cancel")
    error = _error(await _sent(sender, cancel, "order_cancel"), NeedsEdit)
    assert (error.field, error.value) == ("status", "Open")
    assert said in error.reason
    assert "reopen" in error.fix
