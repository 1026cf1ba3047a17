# SPDX-License-Identifier: Apache-2.0
"""Laws of the books: whatever is asked in whatever order, stock and papers add up."""

from __future__ import annotations

import contextlib
import copy
from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.sandbox.business_central import BusinessCentralConfig, BusinessCentralSim
from crossdock.sandbox.business_central.addresses import parse_address
from crossdock.sandbox.business_central.entities import STANDARD
from crossdock.sandbox.business_central.filters import parse_filter
from crossdock.sandbox.business_central.problems import BusinessCentralError
from crossdock.sandbox.business_central.route import Call, Reply
from crossdock.sandbox.catalog import CatalogConfig
from tests.sandbox.business_central.trading import COMPANY, EAST, line, order

CONFIG = BusinessCentralConfig(catalog=CatalogConfig(products=2, customers=1), reserve=True)
quantities = st.integers(min_value=0, max_value=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ship"), quantities, quantities),
        st.tuples(st.just("instruct"), quantities, quantities),
        st.tuples(st.just("invoice"), st.just(0), st.just(0)),
        st.tuples(st.just("return"), quantities, quantities),
    ),
    max_size=12,
)


def ask(sim: BusinessCentralSim, method: str, path: str, body: dict[str, Any], api: str = "v2.0") -> Reply | None:
    """The answer, or None when it was refused; a refusal must have changed nothing."""
    root = f"/v2.0/{sim.config.tenant}/{sim.config.environment}/api/{api}/companies({COMPANY})"
    before = held(sim)
    try:
        return sim.router.answer(Call(method, parse_address(f"{root}/{path}"), {}, {"if-match": "*"}, body))
    except BusinessCentralError:
        assert held(sim) == before
        return None


def held(sim: BusinessCentralSim) -> dict[str, Any]:
    return {name: copy.deepcopy(rows) for name, rows in sim.books.tables.items() if rows}


def do(sim: BusinessCentralSim, ident: str, number: int, step: tuple[str, int, int]) -> None:
    kind, first, second = step
    told = [
        {"lineSequence": place, "quantity": amount} for place, amount in ((10000, first), (20000, second)) if amount
    ]
    extension = "crossdock/distribution/v1.0"
    if kind == "ship":
        body = {"orderNumber": "S-ORD100001", "externalReference": f"shp/{number}", "lines": told}
        ask(sim, "POST", "salesOrderShipments", body, extension)
    elif kind == "invoice":
        if sim.store.find("salesOrders", ident) is not None:
            ask(sim, "POST", f"salesOrders({ident})/Microsoft.NAV.shipAndInvoice", {})
    elif kind == "instruct":
        for row, amount in zip(sim.store.lines("salesOrderLines", ident), (first, second), strict=False):
            ask(sim, "PATCH", f"salesOrderLines({row['id']})", {"shipQuantity": amount})
    else:
        lines = [{"itemNumber": "CD-00001", "quantity": first, "locationCode": "DC-EAST"}]
        made = ask(sim, "POST", "salesReturnOrders", {"customerNumber": "CUST-00001", "lines": lines}, extension)
        if made is not None and made.body is not None:
            receipt = {"lines": [{"lineSequence": 10000, "quantity": max(1, second)}]}
            ask(sim, "POST", f"salesReturnOrders({made.body['id']})/Microsoft.NAV.receive", receipt, extension)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_stock_shipments_and_invoices_add_up(chosen: list[tuple[str, int, int]]) -> None:
    sim = BusinessCentralSim(CONFIG)
    opening = {row["id"]: row["quantityOnHand"] for row in sim.store.all("locationStock").values()}
    body = order(line(quantity=5, unitPrice=0.35, locationId=EAST), line("CD-00002", 3, locationId=EAST))
    made = ask(sim, "POST", "salesOrders", body)
    assert made is not None
    assert made.body is not None
    ident = made.body["id"]
    for number, step in enumerate(chosen):
        do(sim, ident, number, step)
    store = sim.store
    kept = store.lines("salesOrderLines", ident) or store.all("archive")[ident]["_lines"]
    shipped = Counter[str]()
    for row in store.all("salesShipmentLines").values():
        shipped[row["lineObjectNumber"]] += row["quantity"]
    invoiced = Counter[str]()
    for row in store.all("salesInvoiceLines").values():
        invoiced[row["lineObjectNumber"]] += row["quantity"]
    for row in kept:
        assert shipped[row["lineObjectNumber"]] == row["shippedQuantity"] <= row["quantity"]
        assert invoiced[row["lineObjectNumber"]] == row["invoicedQuantity"] <= row["shippedQuantity"]
    moved = Counter[str]()
    for entry in store.all("itemLedgerEntries").values():
        moved[f"{entry['itemNumber']}@{entry['_place']}"] += entry["quantity"]
    for row in store.all("locationStock").values():
        assert row["quantityOnHand"] == opening[row["id"]] + moved[f"{row['itemNumber']}@{row['locationCode']}"]
        outstanding = [
            one for one in kept if (one["lineObjectNumber"], "DC-EAST") == (row["itemNumber"], row["locationCode"])
        ]
        assert row["quantityReserved"] == sum(one["quantity"] - one["shippedQuantity"] for one in outstanding)
    for item in store.all("items").values():
        stock = store.by("locationStock", "itemNumber", item["number"])
        assert item["inventory"] == sum(row["quantityOnHand"] for row in stock)
    if store.find("salesOrders", ident) is None:
        totals = [Decimal(str(row["totalAmountIncludingTax"])) for row in store.all("salesInvoices").values()]
        cents = Decimal("0.01") * len(totals)
        assert abs(sum(totals) - Decimal(str(made.body["totalAmountIncludingTax"]))) <= cents


texts = st.text(alphabet="aB'c-", max_size=4)


@settings(max_examples=200)
@given(st.lists(st.tuples(texts, st.integers(-3, 3)), max_size=8), texts, st.integers(-3, 3))
def test_a_filter_keeps_the_rows_it_says(rows: list[tuple[str, int]], name: str, price: int) -> None:
    made = [{"displayName": text, "unitPrice": number} for text, number in rows]
    quoted = name.replace("'", "''")
    condition = parse_filter(
        f"(displayName eq '{quoted}' or contains(displayName,'{quoted}')) and unitPrice ge {price}", STANDARD["items"]
    )
    kept = [(row["displayName"], row["unitPrice"]) for row in made if condition.holds(row)]
    assert kept == [(text, number) for text, number in rows if name in text and number >= price]


@settings(max_examples=300)
@given(st.text(alphabet="()'abeqndor ,1-.", max_size=30))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    # Anything else that is raised (an IndexError, a RecursionError) fails the test.
    with contextlib.suppress(BusinessCentralError):
        parse_filter(text, STANDARD["items"])
