# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import aiohttp

from crossdock.sandbox.business_central import BusinessCentralConfig, BusinessCentralSim
from tests.sandbox.business_central.trading import Trader, line, sign_in


async def test_customers_and_items_are_made_once_by_number(erp: Trader) -> None:
    body = {"number": "new-1", "displayName": "New", "addressLine1": "1 Main St", "city": "Reno", "country": "US"}
    made = (await erp("POST", "customers", body)).ok(201)
    assert made["number"] == "NEW-1"
    assert (await erp("POST", "customers", body)).code == "Internal_EntityWithSameKeyExists"
    unnumbered = [(await erp("POST", "customers", {"displayName": "No number"})).ok(201)["number"] for _ in range(2)]
    assert len(set(unnumbered)) == 2
    order = await erp.order(customerNumber="new-1", shipToName="Dock 4", shipToCity="Sparks")
    assert [order[name] for name in ("sellToCity", "billToCity", "shipToCity", "shipToName", "shipToAddressLine1")] == [
        "Reno",
        "Reno",
        "Sparks",
        "Dock 4",
        "1 Main St",
    ]
    item = (await erp("POST", "items", {"number": "GIFT", "displayName": "Gift", "unitPrice": 2.5})).ok(201)
    assert (item["inventory"], item["type"]) == (0, "Inventory")
    assert (await erp("POST", "items", {"number": "X", "inventory": 4})).code == "Application_DialogException"
    assert (await erp("PATCH", f"items({item['id']})", {"inventory": 4}, If_Match="*")).status == 400
    assert (await erp("PATCH", f"items({item['id']})", {"unitPrice": 3}, If_Match="*")).ok()["unitPrice"] == 3


async def test_another_customer_for_an_order(erp: Trader) -> None:
    order = await erp.order()
    changed = await erp("PATCH", f"salesOrders({order['id']})", {"customerNumber": "CUST-00002"}, If_Match="*")
    told = changed.ok()
    assert (told["customerNumber"], told["billToCustomerNumber"]) == ("CUST-00002", "CUST-00002")
    assert told["customerId"] != order["customerId"]
    assert told["customerName"] != order["customerName"]


async def test_a_line_sells_something_else(erp: Trader) -> None:
    order = await erp.order(line(quantity=2))
    other = (await erp("GET", "items?$filter=number eq 'CD-00005'")).rows[0]
    path = f"salesOrderLines({order['salesOrderLines'][0]['id']})"
    changed = (await erp("PATCH", path, {"itemId": other["id"]}, If_Match="*")).ok()
    assert [changed[name] for name in ("lineObjectNumber", "description", "unitPrice")] == [
        "CD-00005",
        other["displayName"],
        other["unitPrice"],
    ]
    mismatched = await erp("PATCH", path, {"itemId": other["id"], "lineObjectNumber": "CD-00001"}, If_Match="*")
    assert mismatched.code == "Application_DialogException"
    comment = await erp("PATCH", path, {"lineType": "Comment", "lineObjectNumber": "X"}, If_Match="*")
    assert comment.code == "Internal_InvalidTableRelation"


async def test_services_are_sold_and_never_in_stock(http: aiohttp.ClientSession) -> None:
    async with BusinessCentralSim(BusinessCentralConfig(extra_items=("FEE",))) as sim:
        erp = await sign_in(http, sim)
        order = await erp.order(line("FEE", 1, unitPrice=4), customerNumber="WEB-STORE")
        assert (await erp("POST", f"salesOrders({order['id']})/Microsoft.NAV.shipAndInvoice")).status == 204
        assert (await erp("GET", "itemLedgerEntries")).rows == []
        assert (await erp.extension("GET", "locationStock?$filter=itemNumber eq 'FEE'")).rows == []
        assert (await erp("GET", "salesInvoices")).rows[0]["totalAmountIncludingTax"] == 4
