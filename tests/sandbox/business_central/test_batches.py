# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
from typing import Any

from tests.sandbox.business_central.trading import COMPANY, Trader, line, order


def operation(method: str, path: str, body: Any = None, ident: str | None = None, **headers: str) -> dict[str, Any]:
    told: dict[str, Any] = {"method": method, "url": f"companies({COMPANY})/{path}"}
    told |= {"headers": headers} if headers else {}
    told |= {"id": ident} if ident else {}
    return {**told, "body": body} if body is not None else told


async def batch(erp: Trader, *operations: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    reply = await erp("POST", "/v2.0/$batch", {"requests": list(operations)}, **headers)
    responses: list[dict[str, Any]] = reply.ok()["responses"]
    return responses


async def test_operations_are_answered_one_by_one(erp: Trader) -> None:
    told = await batch(
        erp,
        operation("POST", "salesOrders", order(), "one"),
        operation("GET", "salesOrders?$filter=externalDocumentNumber eq 'SHOP-1001'&$select=number"),
        {"method": "GET", "url": f"{erp.sim.company_url}/items?$top=1"},
    )
    assert [(one["id"], one["status"]) for one in told] == [("one", 201), (None, 200), (None, 200)]
    assert [row["number"] for row in told[1]["body"]["value"]] == [told[0]["body"]["number"]]


async def test_the_first_failure_ends_it_unless_told_to_go_on(erp: Trader) -> None:
    three = [
        operation("POST", "salesOrders", order()),
        operation("POST", "salesOrders", order(customerNumber="NOBODY")),
        operation("POST", "salesOrders", order()),
    ]
    assert [one["status"] for one in await batch(erp, *three)] == [201, 400]
    assert (await erp.control("counts"))["orders"] == 1
    told = await batch(erp, *three, Prefer="odata.continue-on-error")
    assert [one["status"] for one in told] == [201, 400, 201]
    assert told[1]["body"]["error"]["code"] == "Application_DialogException"
    assert (await erp.control("counts"))["orders"] == 3


async def test_a_snapshot_is_all_or_nothing(erp: Trader) -> None:
    held = await erp.order(line(quantity=2))
    store = erp.sim.store
    names = (
        "salesOrders",
        "salesOrderLines",
        "salesInvoices",
        "salesShipments",
        "archive",
        "creations",
        "locationStock",
    )
    before = copy.deepcopy({name: store.all(name) for name in names})
    told = await batch(
        erp,
        operation("POST", f"salesOrders({held['id']})/Microsoft.NAV.shipAndInvoice"),
        operation("POST", "salesOrders", order()),
        operation("PATCH", f"salesOrders({held['id']})", {"email": "a@b.example"}, **{"If-Match": "*"}),
        Isolation="snapshot",
    )
    assert [one["status"] for one in told] == [204, 201, 404]
    assert {name: store.all(name) for name in names} == before
    found = await erp("GET", "salesOrders?$filter=externalDocumentNumber eq 'SHOP-1001'")
    assert [row["@odata.etag"] for row in found.rows] == [held["@odata.etag"]]
    whole = await batch(
        erp,
        operation("PATCH", f"salesOrders({held['id']})", {"email": "a@b.example"}, **{"If-Match": held["@odata.etag"]}),
        operation("POST", f"salesOrders({held['id']})/Microsoft.NAV.shipAndInvoice"),
        Isolation="snapshot",
    )
    assert [one["status"] for one in whole] == [200, 204]
    assert (await erp.control("counts"))["invoices"] == 1


async def test_what_is_no_batch(erp: Trader) -> None:
    many = [operation("GET", "items?$top=1")] * 101
    for body in ({"requests": many}, {}, {"requests": [1]}):
        assert (await erp("POST", "/v2.0/$batch", body)).code == "BadRequest"
    assert len(await batch(erp, *many[:100])) == 100
    told = await batch(
        erp,
        {"method": "TRACE", "url": "items"},
        {"method": "GET", "url": "/v2.0/other/production/api/v2.0/companies"},
        operation("POST", "$batch", {"requests": []}),
        Prefer="odata.continue-on-error",
    )
    assert [one["status"] for one in told] == [400, 400, 404]
