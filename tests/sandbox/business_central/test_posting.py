# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import aiohttp

from crossdock.sandbox.business_central import BusinessCentralConfig, BusinessCentralSim
from crossdock.sandbox.business_central.entities import BLANK_ID
from tests.sandbox.business_central.trading import EAST, WEST, Answer, Trader, line, sign_in


async def ship(erp: Trader, number: str, *lines: dict[str, Any], **more: Any) -> Answer:
    body = {"orderNumber": number, "externalReference": "shp/1", "lines": list(lines), **more}
    return await erp.extension("POST", "salesOrderShipments", body)


async def on_hand(erp: Trader, sku: str = "CD-00001", place: str = "DC-EAST") -> float:
    rows = (
        await erp.extension("GET", f"locationStock?$filter=itemNumber eq '{sku}' and locationCode eq '{place}'")
    ).rows
    return float(rows[0]["quantityOnHand"])


async def post(erp: Trader, order: dict[str, Any]) -> Answer:
    return await erp("POST", f"salesOrders({order['id']})/Microsoft.NAV.shipAndInvoice")


async def test_ship_and_invoice_takes_the_order_away(erp: Trader) -> None:
    order = await erp.order(line(quantity=3, locationId=EAST), {"lineType": "Comment", "description": "Thanks"})
    before = await on_hand(erp)
    assert (await post(erp, order)).status == 204
    assert (await erp("GET", f"salesOrders({order['id']})")).status == 404
    assert (await erp("GET", "salesOrders?$filter=externalDocumentNumber eq 'SHOP-1001'")).rows == []
    invoice = (await erp("GET", f"salesInvoices?$filter=orderNumber eq '{order['number']}'")).rows[0]
    assert (invoice["status"], invoice["externalDocumentNumber"]) == ("Open", "SHOP-1001")
    assert (invoice["totalAmountIncludingTax"], invoice["remainingAmount"]) == (29.97, 29.97)
    shipment = (await erp("GET", "salesShipments?$expand=salesShipmentLines")).rows[0]
    assert shipment["orderNumber"] == order["number"]
    assert [(one["lineObjectNumber"], one["quantity"]) for one in shipment["salesShipmentLines"]] == [("CD-00001", 3)]
    assert await on_hand(erp) == before - 3
    counts = await erp.control("counts")
    assert [counts[name] for name in ("orders", "open_orders", "shipments", "invoices")] == [1, 0, 1, 1]
    kept = (await erp.control("orders"))["orders"]
    assert [(one["number"], one["state"], len(one["lines"])) for one in kept] == [(order["number"], "invoiced", 2)]


async def test_a_shipment_is_posted_without_an_invoice(erp: Trader) -> None:
    order = await erp.order(line(quantity=3, locationId=EAST), line("CD-00002", 1))
    before = await on_hand(erp)
    made = await ship(
        erp,
        order["number"],
        {"lineSequence": 10000, "quantity": 2},
        trackingNumber="1Z9",
        carrier="UPS Ground",
        shipmentDate="2026-09-20",
    )
    told = made.ok(201)
    assert {name: told[name] for name in ("orderNumber", "externalReference", "trackingNumber", "shipmentDate")} == {
        "orderNumber": order["number"],
        "externalReference": "shp/1",
        "trackingNumber": "1Z9",
        "shipmentDate": "2026-09-20",
    }
    assert await on_hand(erp) == before - 2
    shown = (await erp("GET", f"salesOrders({order['id']})?$expand=salesOrderLines")).ok()
    assert (shown["fullyShipped"], shown["status"]) == (False, "Draft")
    assert [
        (one["shippedQuantity"], one["shipQuantity"], one["invoiceQuantity"]) for one in shown["salesOrderLines"]
    ] == [
        (2, 1, 3),
        (0, 1, 1),
    ]
    assert (await erp("GET", "salesInvoices")).rows == []
    shipments = (await erp("GET", "salesShipments")).rows
    assert [(one["number"], one["postingDate"]) for one in shipments] == [(told["documentNumber"], "2026-09-20")]


async def test_the_same_reference_ships_once(erp: Trader) -> None:
    order = await erp.order(line(quantity=2))
    one = {"lineSequence": 10000, "quantity": 1}
    assert (await ship(erp, order["number"], one)).status == 201
    again = await ship(erp, order["number"], one)
    assert (again.status, again.code) == (400, "Internal_EntityWithSameKeyExists")
    path = "salesOrderShipments?$filter=externalReference eq 'shp/1'&$expand=lines"
    found = (await erp.extension("GET", path)).rows
    assert [[(row["lineSequence"], row["quantity"]) for row in one["lines"]] for one in found] == [[(10000, 1)]]
    assert (await erp.control("counts"))["shipments"] == 1
    assert (await ship(erp, order["number"], one, externalReference="SHP/1")).status == 201


async def test_no_more_is_shipped_than_was_ordered(erp: Trader) -> None:
    order = await erp.order(line(quantity=2), line("CD-00002", 1))
    number = order["number"]
    refusals = [
        await ship(erp, number, {"lineSequence": 20000, "quantity": 1}, {"lineSequence": 10000, "quantity": 3}),
        await ship(erp, number, {"lineSequence": 10000, "quantity": 1}, {"lineSequence": 10000, "quantity": 1}),
        await ship(erp, number, {"lineSequence": 30000, "quantity": 1}),
        await ship(erp, number, {"lineSequence": 10000, "quantity": 0}),
        await ship(erp, number),
        await ship(erp, "S-ORD9", {"lineSequence": 10000, "quantity": 1}),
    ]
    assert [(one.status, one.code) for one in refusals] == [(400, "Application_DialogException")] * 6
    long = await ship(erp, number, {"lineSequence": 10000, "quantity": 1}, externalReference="x" * 101)
    assert long.code == "Application_StringExceededLength"
    missing = await ship(erp, number, {"lineSequence": 10000, "quantity": 1}, externalReference="")
    assert missing.code == "BadRequest_RequiredParamNotProvided"
    assert (await erp.control("counts"))["shipments"] == 0
    assert (await erp("GET", "itemLedgerEntries")).rows == []


async def test_what_is_posted_stays(erp: Trader) -> None:
    """The vendor's own action leaves the order released, and a shipment through the extension after it does too."""
    order = await erp.order(line(quantity=3))
    first = order["salesOrderLines"][0]["id"]
    await erp("PATCH", f"salesOrderLines({first})", {"shipQuantity": 1}, If_Match="*")
    assert (await post(erp, order)).status == 204
    await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 1})
    assert (await erp("GET", f"salesOrders({order['id']})")).ok()["status"] == "Open"
    for refused in (
        await erp("PATCH", f"salesOrderLines({first})", {"quantity": 2}, If_Match="*"),
        await erp("DELETE", f"salesOrderLines({first})", If_Match="*"),
        await erp("POST", f"salesOrders({order['id']})/salesOrderLines", line("CD-00002")),
        await erp("DELETE", f"salesOrders({order['id']})", If_Match="*"),
    ):
        assert (refused.status, refused.code) == (400, "Application_FieldValidationException")


async def test_an_order_that_was_open_is_open_after_a_shipment(erp: Trader) -> None:
    """What is left may be changed; what was shipped and is not invoiced stays, where it was."""
    order = await erp.order(line(quantity=3, locationId=EAST), line("CD-00002", 2))
    first, second = (f"salesOrderLines({one['id']})" for one in order["salesOrderLines"])
    assert (await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 1})).status == 201
    for refused in (
        await erp("PATCH", first, {"quantity": 0}, If_Match="*"),
        await erp("PATCH", first, {"locationId": WEST}, If_Match="*"),
        await erp("PATCH", first, {"lineObjectNumber": "CD-00003"}, If_Match="*"),
        await erp("DELETE", first, If_Match="*"),
        await erp("DELETE", f"salesOrders({order['id']})", If_Match="*"),
    ):
        assert (refused.status, refused.code[:12]) == (400, "Application_")
    assert (await erp("PATCH", first, {"quantity": 1, "locationId": EAST}, If_Match="*")).status == 200
    assert (await erp("PATCH", second, {"locationId": WEST}, If_Match="*")).status == 200
    assert (await erp("DELETE", second, If_Match="*")).status == 204
    shown = (await erp("GET", f"salesOrders({order['id']})")).ok()
    assert (shown["fullyShipped"], shown["status"]) == (True, "Draft")


async def test_one_line_is_shipped_from_two_places(http: aiohttp.ClientSession) -> None:
    """A shipment says where its goods leave; the line keeps its own location. What has no stock leaves nowhere."""
    async with BusinessCentralSim(BusinessCentralConfig(extra_items=("FREIGHT",))) as sim:
        await _ships_from_two_places(await sign_in(http, sim))


async def _ships_from_two_places(erp: Trader) -> None:
    order = await erp.order(line(quantity=3, locationId=EAST), line("FREIGHT", 1))
    east, west = await on_hand(erp), await on_hand(erp, place="DC-WEST")
    away = {"lineSequence": 10000, "quantity": 2, "locationCode": "dc-west"}
    freight = {"lineSequence": 20000, "quantity": 1, "locationCode": "DC-WEST"}
    made = (await ship(erp, order["number"], away, freight)).ok(201)
    assert (await on_hand(erp), await on_hand(erp, place="DC-WEST")) == (east, west - 2)
    await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 1}, externalReference="shp/2")
    assert (await on_hand(erp), await on_hand(erp, place="DC-WEST")) == (east - 1, west - 2)
    shown = (await erp("GET", f"salesOrders({order['id']})?$expand=salesOrderLines")).ok()
    assert [(one["shippedQuantity"], one["locationId"]) for one in shown["salesOrderLines"]] == [
        (3, EAST),
        (1, BLANK_ID),
    ]
    told = (await erp.extension("GET", f"salesOrderShipments({made['id']})?$expand=lines")).ok()["lines"]
    assert [(one["lineSequence"], one["locationCode"]) for one in told] == [(10000, "DC-WEST"), (20000, "DC-WEST")]


async def test_a_location_that_is_not_there_ships_nothing(erp: Trader) -> None:
    order = await erp.order(line(quantity=3, locationId=EAST))
    before = await on_hand(erp)
    refused = await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 1, "locationCode": "DC-MOON"})
    assert (refused.status, refused.code) == (400, "Internal_InvalidTableRelation")
    assert await on_hand(erp) == before
    assert (await erp.control("counts"))["shipments"] == 0


async def test_only_what_was_shipped_is_invoiced_when_nothing_more_is_to_ship(erp: Trader) -> None:
    order = await erp.order(line(quantity=3, unitPrice=10))
    first = order["salesOrderLines"][0]["id"]
    await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 2})
    changed = await erp("PATCH", f"salesOrderLines({first})", {"shipQuantity": 0}, If_Match="*")
    assert changed.ok()["invoiceQuantity"] == 2
    assert (await post(erp, order)).status == 204
    assert [row["totalAmountIncludingTax"] for row in (await erp("GET", "salesInvoices")).rows] == [20]
    again = (await erp("GET", f"salesOrderLines({first})")).ok()
    assert (again["invoicedQuantity"], again["shippedQuantity"], again["invoiceQuantity"]) == (2, 2, 0)
    nothing = await post(erp, order)
    assert (nothing.status, nothing.code) == (400, "Application_DialogException")
    await erp("PATCH", f"salesOrderLines({first})", {"shipQuantity": 1}, If_Match="*")
    assert (await post(erp, order)).status == 204
    assert [row["totalAmountIncludingTax"] for row in (await erp("GET", "salesInvoices")).rows] == [20, 10]
    assert (await erp.control("counts"))["open_orders"] == 0


async def test_an_order_that_ships_whole_or_not_at_all(erp: Trader) -> None:
    order = await erp.order(line(quantity=2), partialShipping=False)
    refused = await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 1})
    assert refused.code == "Application_DialogException"
    assert (await erp("GET", "salesShipments")).rows == []
    assert (await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 2})).status == 201


async def test_invoices_and_credit_memos_are_drafted_and_posted(erp: Trader) -> None:
    body = {"customerNumber": "CUST-00001", "salesInvoiceLines": [line(quantity=2, unitPrice=10, locationId=EAST)]}
    before = await on_hand(erp)
    draft = (await erp("POST", "salesInvoices", body)).ok(201)
    assert (draft["status"], draft["number"]) == ("Draft", "S-INV100001")
    assert (await erp("POST", f"salesInvoices({draft['id']})/Microsoft.NAV.post")).status == 204
    posted = (await erp("GET", f"salesInvoices({draft['id']})")).ok()
    assert (posted["status"], posted["number"], posted["remainingAmount"]) == ("Open", "PS-INV100001", 20)
    assert (await erp("POST", f"salesInvoices({draft['id']})/Microsoft.NAV.Post")).status == 400
    assert (await erp("PATCH", f"salesInvoices({draft['id']})", {"email": "x@y.example"}, If_Match="*")).status == 400
    assert await on_hand(erp) == before - 2
    memo = {"customerNumber": "CUST-00001", "invoiceNumber": "PS-INV100001", "externalDocumentNumber": "RMA-1"}
    memo["salesCreditMemoLines"] = [line(quantity=1, unitPrice=10, locationId=EAST)]  # type: ignore[assignment]
    made = (await erp("POST", "salesCreditMemos", memo)).ok(201)
    assert (made["invoiceId"], made["totalAmountIncludingTax"]) == (draft["id"], 10)
    assert await on_hand(erp) == before - 2
    assert (await erp("POST", f"salesCreditMemos({made['id']})/Microsoft.NAV.post")).status == 204
    assert await on_hand(erp) == before - 1
    counts = await erp.control("counts")
    assert (counts["invoices"], counts["credit_memos"]) == (1, 1)
    unknown = await erp("POST", "salesCreditMemos", {**memo, "invoiceNumber": "PS-INV9"})
    assert unknown.code == "Application_DialogException"


async def test_a_posted_invoice_is_cancelled_by_a_credit_memo(erp: Trader) -> None:
    order = await erp.order(line(quantity=2, locationId=EAST))
    before = await on_hand(erp)
    await post(erp, order)
    invoice = (await erp("GET", "salesInvoices")).rows[0]
    assert (await erp("POST", f"salesInvoices({invoice['id']})/Microsoft.NAV.cancel")).status == 204
    shown = (await erp("GET", f"salesInvoices({invoice['id']})")).ok()
    assert (shown["status"], shown["remainingAmount"]) == ("Canceled", 0)
    memo = (await erp("GET", "salesCreditMemos?$expand=salesCreditMemoLines")).rows[0]
    assert (memo["status"], memo["invoiceNumber"], memo["totalAmountIncludingTax"]) == (
        "Corrective",
        invoice["number"],
        invoice["totalAmountIncludingTax"],
    )
    assert await on_hand(erp) == before
    again = await erp("POST", f"salesInvoices({invoice['id']})/Microsoft.NAV.makeCorrectiveCreditMemo")
    assert again.code == "Application_DialogException"


async def test_goods_come_back_on_a_return_order(erp: Trader) -> None:
    before = await on_hand(erp)
    body = {
        "externalDocumentNumber": "RMA-7",
        "customerNumber": "CUST-00001",
        "orderNumber": "S-ORD100001",
        "reasonCode": "DAMAGED",
        "lines": [{"itemNumber": "CD-00001", "quantity": 3, "unitPrice": 9.99, "locationCode": "DC-EAST"}],
    }
    made = (await erp.extension("POST", "salesReturnOrders?$expand=lines", body)).ok(201)
    assert [(one["lineSequence"], one["receivedQuantity"]) for one in made["lines"]] == [(10000, 0)]
    found = await erp.extension("GET", "salesReturnOrders?$filter=externalDocumentNumber eq 'RMA-7'")
    assert [row["id"] for row in found.rows] == [made["id"]]
    receive = f"salesReturnOrders({made['id']})/Microsoft.NAV.receive"
    part = {"lines": [{"lineSequence": 10000, "quantity": 2}]}
    assert (await erp.extension("POST", receive, part)).status == 204
    assert await on_hand(erp) == before + 2
    shown = (await erp.extension("GET", f"salesReturnOrders({made['id']})?$expand=lines")).ok()
    assert (shown["status"], shown["lines"][0]["receivedQuantity"]) == ("Partially Received", 2)
    assert (await erp.extension("POST", receive, part)).code == "Application_DialogException"
    assert (await erp.extension("POST", receive, {})).code == "Application_DialogException"
    assert await on_hand(erp) == before + 2
    wrong = {**body, "lines": [{"itemNumber": "NO-SUCH", "quantity": 1}]}
    assert (await erp.extension("POST", "salesReturnOrders", wrong)).code == "Internal_InvalidTableRelation"
    assert (await erp.control("counts"))["return_orders"] == 1


async def test_reserved_stock_follows_the_open_lines(http: aiohttp.ClientSession) -> None:
    async with BusinessCentralSim(BusinessCentralConfig(reserve=True, prevent_negative=True)) as sim:
        erp = await sign_in(http, sim)

        async def reserved() -> float:
            path = "locationStock?$filter=itemNumber eq 'CD-00001' and locationCode eq 'DC-EAST'"
            return float((await erp.extension("GET", path)).rows[0]["quantityReserved"])

        order = await erp.order(line(quantity=3, locationId=EAST))
        assert await reserved() == 3
        await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 1})
        assert await reserved() == 2
        too_many = await erp.order(line(quantity=10_000, locationId=EAST))
        refused = await ship(
            erp, too_many["number"], {"lineSequence": 10000, "quantity": 10_000}, externalReference="b"
        )
        assert refused.code == "Application_DialogException"
        await erp("DELETE", f"salesOrders({too_many['id']})", If_Match="*")
        assert await reserved() == 2


async def test_a_clerk_adjusts_and_invoices(erp: Trader) -> None:
    before = await on_hand(erp)
    wanted = {"sku": "CD-00001", "location": "DC-EAST", "quantity": -5}
    assert (await erp.control("adjust", "POST", wanted))["on_hand"] == before - 5
    entries = (await erp("GET", "itemLedgerEntries")).rows
    assert [(one["entryType"], one["quantity"]) for one in entries] == [("Negative Adjmt.", -5)]
    order = await erp.order(line(quantity=2))
    await ship(erp, order["number"], {"lineSequence": 10000, "quantity": 2})
    made = await erp.control("invoice", "POST", {"number": order["number"]})
    assert made["invoice"]["orderNumber"] == order["number"]
    assert (await erp("GET", "salesOrders")).rows == []


async def test_the_discount_of_an_order_goes_with_its_invoices(erp: Trader) -> None:
    order = await erp.order(line(quantity=4, unitPrice=25), discountAmount=10)
    assert order["totalAmountIncludingTax"] == 90
    first = order["salesOrderLines"][0]["id"]
    for amount in (1, 3):
        await erp("PATCH", f"salesOrderLines({first})", {"shipQuantity": amount}, If_Match="*")
        assert (await post(erp, order)).status == 204
    invoices = (await erp("GET", "salesInvoices?$expand=salesInvoiceLines")).rows
    assert [(one["discountAmount"], one["totalAmountIncludingTax"]) for one in invoices] == [(2.5, 22.5), (7.5, 67.5)]
    assert [one["salesInvoiceLines"][0]["quantity"] for one in invoices] == [1, 3]


async def test_actions_that_are_not_there(erp: Trader) -> None:
    order = await erp.order()
    for path in (f"salesOrders({order['id']})/Microsoft.NAV.ship", f"salesOrders({order['id']})/Microsoft.NAV.post"):
        assert (await erp("POST", path)).code == "BadRequest_MethodNotImplemented"
    assert (await erp("GET", f"salesOrders({order['id']})/Microsoft.NAV.shipAndInvoice")).status == 405
    draft = (await erp("POST", "salesInvoices", {"customerNumber": "CUST-00001"})).ok(201)
    assert (await erp("POST", f"salesInvoices({draft['id']})/Microsoft.NAV.post")).code == "Application_DialogException"
    assert (await erp("POST", f"salesInvoices({draft['id']})/Microsoft.NAV.send")).status == 400
    assert (await erp("DELETE", f"salesInvoices({draft['id']})", If_Match=draft["@odata.etag"])).status == 204
    assert (await erp("GET", "salesInvoices")).rows == []


async def test_reset_forgets_all_but_the_master_data(erp: Trader) -> None:
    before = await erp.control("stock")
    order = await erp.order(line(quantity=3, locationId=EAST))
    await post(erp, order)
    await erp.control("reset", "POST")
    assert (await erp("GET", "items?$top=1")).status == 401
    again = await sign_in(erp.http, erp.sim)
    counts = await again.control("counts")
    assert [counts[name] for name in ("orders", "shipments", "invoices")] == [0, 0, 0]
    levels = [(row["itemNumber"], row["quantityOnHand"]) for row in (await again.control("stock"))["stock"]]
    assert levels == [(row["itemNumber"], row["quantityOnHand"]) for row in before["stock"]]
    assert (await again.order())["number"] == order["number"]
