# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from crossdock.sandbox.business_central.records import guid_of
from tests.sandbox.business_central.trading import COMPANY, EAST, Clock, Trader, line, order


async def test_an_order_comes_with_its_lines(erp: Trader) -> None:
    made = await erp.order(line(quantity=3), line("CD-00002", 1, unitPrice=5, locationId=EAST))
    assert made["number"] == "S-ORD100001"
    assert (made["customerName"], made["status"], made["fullyShipped"]) == ("Edsger Perlman", "Draft", False)
    assert (made["totalAmountExcludingTax"], made["totalAmountIncludingTax"]) == (34.97, 34.97)
    lines = made["salesOrderLines"]
    assert [(one["sequence"], one["lineObjectNumber"], one["quantity"]) for one in lines] == [
        (10000, "CD-00001", 3),
        (20000, "CD-00002", 1),
    ]
    assert [(one["shipQuantity"], one["invoiceQuantity"], one["shippedQuantity"]) for one in lines] == [
        (3, 3, 0),
        (1, 1, 0),
    ]
    assert lines[1]["locationId"] == EAST
    shown = (await erp("GET", f"salesOrders({made['id']})")).ok()
    assert "salesOrderLines" not in shown
    assert shown["@odata.etag"] == made["@odata.etag"]


async def test_the_number_is_not_ours_to_give_and_the_external_one_does_not_stop_a_second_order(erp: Trader) -> None:
    assert (await erp("POST", "salesOrders", order(number="MINE"))).code == "BadRequest_InvalidOperation"
    await erp.order()
    await erp.order()
    found = await erp("GET", "salesOrders?$filter=externalDocumentNumber eq 'SHOP-1001'&$select=number")
    assert [row["number"] for row in found.rows] == ["S-ORD100001", "S-ORD100002"]
    counts = await erp.control("counts")
    assert counts["orders"] == 2
    assert counts["created_more_than_once"]["salesOrders"] == 1


async def test_a_code_is_kept_in_capitals_and_found_in_any(erp: Trader) -> None:
    made = await erp.order(externalDocumentNumber=" shop-us-6001 ")
    assert made["externalDocumentNumber"] == "SHOP-US-6001"
    found = await erp("GET", "salesOrders?$filter=externalDocumentNumber eq 'shop-us-6001'")
    assert [row["id"] for row in found.rows] == [made["id"]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"externalDocumentNumber": "X" * 36}, "Application_StringExceededLength"),
        ({"colour": "blue"}, "BadRequest"),
        ({"orderDate": "yesterday"}, "BadRequest"),
        ({"email": None}, "BadRequest_RequiredParamNotProvided"),
        ({"status": "Open"}, "BadRequest_InvalidOperation"),
        ({"customerNumber": "NOBODY"}, "Application_DialogException"),
        ({"customerNumber": ""}, "Application_DialogException"),
        ({"customerId": guid_of("customer/CUST-00002")}, "Application_DialogException"),
        ({"paymentTermsId": COMPANY}, "Application_DialogException"),
        ({"currencyCode": "XXX"}, "Application_DialogException"),
        ({"salesOrderLines": {}}, "BadRequest"),
        ({"salesOrderLines": [line("NO-SUCH")]}, "Internal_InvalidTableRelation"),
        ({"salesOrderLines": [line(quantity="2")]}, "BadRequest"),
        ({"salesOrderLines": [line(quantity=True)]}, "BadRequest"),
        ({"salesOrderLines": [line(lineType="Gift")]}, "Unknown"),
        ({"salesOrderLines": [line(), line(unitOfMeasureCode="BOX")]}, "Internal_InvalidTableRelation"),
        ({"salesOrderLines": [line(sequence=5), line(sequence=5)]}, "Internal_EntityWithSameKeyExists"),
        ({"salesOrderLines": [line(shippedQuantity=1)]}, "BadRequest_InvalidOperation"),
        ({"salesOrderLines": [line(shipQuantity=3)]}, "Application_DialogException"),
    ],
)
async def test_a_wrong_order_leaves_nothing(erp: Trader, change: dict[str, Any], code: str) -> None:
    reply = await erp("POST", "salesOrders", order(**change))
    assert (reply.status, reply.code) == (400, code)
    assert reply.body["error"]["message"].count("  CorrelationId:  ") == 1
    assert (await erp("GET", "salesOrders")).rows == []
    assert (await erp.control("counts"))["orders"] == 0


async def test_if_match_is_needed_and_must_be_the_newest(erp: Trader) -> None:
    made = await erp.order()
    path = f"salesOrders({made['id']})"
    assert (await erp("PATCH", path, {"email": "a@b.example"})).code == "BadRequest_InvalidToken"
    assert (await erp("PATCH", path, {"email": "a@b.example"}, If_Match="newest")).status == 400
    changed = (await erp("PATCH", path, {"email": "a@b.example"}, If_Match=made["@odata.etag"])).ok()
    assert changed["email"] == "a@b.example"
    stale = await erp("PATCH", path, {"email": "c@d.example"}, If_Match=made["@odata.etag"])
    assert (stale.status, stale.code) == (409, "Request_EntityChanged")
    assert (await erp("DELETE", path, If_Match=made["@odata.etag"])).status == 409
    assert (await erp("GET", path)).ok()["email"] == "a@b.example"
    assert (await erp("DELETE", path, If_Match="*")).status == 204
    assert (await erp("GET", path)).code == "BadRequest_NotFound"
    assert (await erp.control("counts"))["orders"] == 0


async def test_a_change_of_a_line_changes_the_order(erp: Trader, clock: Clock) -> None:
    made = await erp.order()
    clock.now += 60
    of = f"salesOrders({made['id']})"
    added = (await erp("POST", f"{of}/salesOrderLines", line("CD-00002", 1, unitPrice=1))).ok(201)
    assert (added["sequence"], added["documentId"]) == (20000, made["id"])
    shown = (await erp("GET", of)).ok()
    assert shown["@odata.etag"] != made["@odata.etag"]
    assert shown["lastModifiedDateTime"] > made["lastModifiedDateTime"]
    assert shown["totalAmountIncludingTax"] == 20.98
    first = made["salesOrderLines"][0]
    changed = await erp("PATCH", f"salesOrderLines({first['id']})", {"quantity": 5}, If_Match="*")
    assert (changed.ok()["shipQuantity"], changed.ok()["netAmount"]) == (5, 49.95)
    assert (await erp("DELETE", f"{of}/salesOrderLines({added['id']})", If_Match="*")).status == 204
    assert (await erp("GET", of)).ok()["totalAmountIncludingTax"] == 49.95


async def test_lines_are_asked_for_by_their_document(erp: Trader) -> None:
    made = await erp.order(line(), line("CD-00002"))
    assert (await erp("GET", "salesOrderLines")).code == "Application_DialogException"
    by_filter = await erp("GET", f"salesOrderLines?$filter=documentId eq {made['id']}")
    nested = await erp("GET", f"salesOrders({made['id']})/salesOrderLines")
    assert [row["sequence"] for row in by_filter.rows] == [row["sequence"] for row in nested.rows] == [10000, 20000]


async def test_items_accounts_and_comments_are_sold(erp: Trader) -> None:
    made = await erp.order(
        {"itemId": (await erp("GET", "items?$filter=number eq 'CD-00003'")).rows[0]["id"], "quantity": 1},
        {"lineType": "Account", "lineObjectNumber": "40300", "quantity": 1, "unitPrice": 12.5},
        {"lineType": "Comment", "description": "Leave at the gate"},
        line(discountPercent=10, quantity=10, unitPrice=1),
    )
    item = (await erp("GET", "items?$filter=number eq 'CD-00003'&$select=unitPrice,displayName")).rows[0]
    kinds = [(one["lineType"], one["description"], one["netAmount"]) for one in made["salesOrderLines"][:3]]
    assert kinds == [
        ("Item", item["displayName"], item["unitPrice"]),
        ("Account", "Freight Income", 12.5),
        ("Comment", "Leave at the gate", 0),
    ]
    last = made["salesOrderLines"][3]
    assert (last["discountAmount"], last["netAmount"]) == (1, 9)


async def test_a_blocked_customer_and_a_blocked_item_are_not_sold_to(erp: Trader) -> None:
    customer = (await erp("GET", "customers?$filter=number eq 'CUST-00002'")).rows[0]
    await erp("PATCH", f"customers({customer['id']})", {"blocked": "All"}, If_Match="*")
    refused = await erp("POST", "salesOrders", order(customerNumber="CUST-00002"))
    assert refused.code == "Application_DialogException"
    item = (await erp("GET", "items?$filter=number eq 'CD-00009'")).rows[0]
    await erp("PATCH", f"items({item['id']})", {"blocked": True}, If_Match="*")
    refused = await erp("POST", "salesOrders", order(line("CD-00009")))
    assert refused.code == "Application_FieldValidationException"
