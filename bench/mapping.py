# SPDX-License-Identifier: Apache-2.0
"""Microseconds to translate one order: the compiled mapping against the same written by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from time import process_time
from typing import Any

import msgspec

from bench.figures import Figure, Finding, Plan, Say
from crossdock.canonical.money import Money
from crossdock.canonical.objects import encode
from crossdock.canonical.party import Address, Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Charge, OrderLine, SalesOrder
from crossdock.mapping.compile import compile_mapping
from crossdock.sdk.words import Mapping, Rule

NAME = "mapping"
MONEY = (("money", "$.currency"),)
SKUS = {"CD-1001": "CD-1001", "CD-1002": "CD-1002", "CD-1003": "CD-1003"}

IN = Mapping(
    name="bench.order",
    version=1,
    direction="in",
    source="order webhook",
    target="sales_order",
    rules=(
        Rule(target="order_key", sources=("~.channel", "id"), via=(("concat", "/"),)),
        Rule(target="number", source="name"),
        Rule(target="channel", source="~.channel"),
        Rule(target="version", source="updated_at", via=("epoch_ms",)),
        Rule(target="status", source="cancelled_at", via=(("then", "cancelled"),), default="open"),
        Rule(target="placed_at", source="created_at", via=("datetime",)),
        Rule(target="updated_at", source="updated_at", via=("datetime",)),
        Rule(target="currency", source="currency"),
        Rule(target="customer.id", source="customer.id", via=("text",)),
        Rule(target="customer.name", source="customer.name"),
        Rule(target="customer.email", source="email"),
        Rule(target="ship_to.name", source="shipping_address.name"),
        Rule(target="ship_to.company", source="shipping_address.company"),
        Rule(target="ship_to.street", source="shipping_address.address1"),
        Rule(target="ship_to.street2", source="shipping_address.address2"),
        Rule(target="ship_to.city", source="shipping_address.city"),
        Rule(target="ship_to.region", source="shipping_address.province_code"),
        Rule(target="ship_to.postal_code", source="shipping_address.zip"),
        Rule(target="ship_to.country", source="shipping_address.country_code"),
        Rule(target="ship_to.phone", source="shipping_address.phone"),
        Rule(target="po_number", source="po_number"),
        Rule(target="tax", source="total_tax", via=MONEY),
        Rule(target="taxes_included", source="taxes_included"),
        Rule(target="total", source="total_price", via=MONEY),
        Rule(target="note", source="note"),
        Rule(
            target="lines",
            source="line_items",
            each=(
                Rule(target="line", source="id", via=("text",)),
                Rule(target="sku", source="sku", crosswalk="sku"),
                Rule(target="description", source="title"),
                Rule(target="quantity", source="quantity", via=(("quantity", "EA"),)),
                Rule(target="unit_price", source="price", via=MONEY),
                Rule(target="discount", source="total_discount", via=MONEY),
                Rule(target="tax", source="tax", via=MONEY),
                Rule(target="total", source="line_total", via=MONEY),
                Rule(target="location", source="origin"),
            ),
        ),
        Rule(
            target="charges",
            source="shipping_lines",
            each=(
                Rule(target="kind", const="shipping"),
                Rule(target="code", source="code"),
                Rule(target="amount", source="price", via=MONEY),
            ),
        ),
    ),
)

OUT = Mapping(
    name="bench.sales_order",
    version=1,
    direction="out",
    source="sales_order",
    target="json",
    rules=(
        Rule(target="externalId", source="reference", via=(("replace", "/", "-"),)),
        Rule(target="entity.externalId", source="document.customer.id"),
        Rule(target="otherRefNum", source="document.number"),
        Rule(target="tranDate", source="document.placed_at", via=(("iso_date", "UTC"),)),
        Rule(target="memo", source="document.note"),
        Rule(target="currency.refName", source="document.currency"),
        Rule(target="shippingAddress.addressee", source="document.ship_to.name"),
        Rule(target="shippingAddress.addr1", source="document.ship_to.street"),
        Rule(target="shippingAddress.city", source="document.ship_to.city"),
        Rule(target="shippingAddress.zip", source="document.ship_to.postal_code"),
        Rule(target="shippingAddress.country.id", source="document.ship_to.country"),
        Rule(
            target="item.items",
            source="document.lines",
            each=(
                Rule(target="item.externalId", source="sku"),
                Rule(target="quantity", source="quantity.value", via=("json_number",)),
                Rule(target="rate", source="unit_price.amount", via=("json_number",)),
                Rule(target="amount", source="total.amount", via=("json_number",)),
                Rule(target="custcol_line", source="line"),
                Rule(target="description", source="description"),
            ),
        ),
    ),
)


def order() -> dict[str, Any]:
    """A store's order: 25 fields, three lines of nine fields, one shipping line."""
    line = {"title": "Bracket", "quantity": 2, "price": "12.50", "total_discount": "0.00", "tax": "2.10", "origin": ""}
    lines = [{**line, "id": 9001 + n, "sku": f"CD-{1001 + n}", "line_total": "25.00"} for n in range(3)]
    return {
        "id": 5123456789012345678,
        "name": "#1001",
        "created_at": "2026-11-23T09:00:00-05:00",
        "updated_at": "2026-11-23T09:00:01-05:00",
        "cancelled_at": None,
        "currency": "USD",
        "email": "ada@example.com",
        "customer": {"id": 77, "name": "Ada Moore"},
        "shipping_address": {
            "name": "Ada Moore",
            "company": "Moore Tools",
            "address1": "1 Harbour Way",
            "address2": "",
            "city": "Portland",
            "province_code": "ME",
            "zip": "04101",
            "country_code": "US",
            "phone": "+1 207 555 0100",
        },
        "po_number": "PO-7",
        "total_tax": "6.30",
        "taxes_included": False,
        "total_price": "91.30",
        "note": "leave at dock",
        "line_items": lines,
        "shipping_lines": [{"code": "GROUND", "price": "10.00"}],
    }


def by_hand(source: dict[str, Any], channel: str) -> SalesOrder:
    """The same order written out, trusting its input."""
    currency = source["currency"]
    address = source["shipping_address"]
    updated = datetime.fromisoformat(source["updated_at"]).astimezone(UTC)
    return SalesOrder(
        order_key=f"{channel}/{source['id']}",
        number=source["name"],
        channel=channel,
        version=int(updated.timestamp() * 1000),
        status="cancelled" if source["cancelled_at"] else "open",
        placed_at=datetime.fromisoformat(source["created_at"]).astimezone(UTC),
        updated_at=updated,
        currency=currency,
        customer=Party(id=str(source["customer"]["id"]), name=source["customer"]["name"], email=source["email"]),
        ship_to=Address(
            name=address["name"],
            company=address["company"] or "",
            street=address["address1"],
            street2=address["address2"] or "",
            city=address["city"],
            region=address["province_code"],
            postal_code=address["zip"],
            country=address["country_code"],
            phone=address["phone"] or "",
        ),
        po_number=source["po_number"] or "",
        tax=Money(Decimal(source["total_tax"]), currency),
        taxes_included=source["taxes_included"],
        total=Money(Decimal(source["total_price"]), currency),
        note=source["note"] or "",
        lines=tuple(
            OrderLine(
                line=str(line["id"]),
                sku=SKUS[line["sku"]],
                description=line["title"],
                quantity=Quantity(Decimal(line["quantity"]), "EA"),
                unit_price=Money(Decimal(line["price"]), currency),
                discount=Money(Decimal(line["total_discount"]), currency),
                tax=Money(Decimal(line["tax"]), currency),
                total=Money(Decimal(line["line_total"]), currency),
                location=line["origin"] or "",
            )
            for line in source["line_items"]
        ),
        charges=tuple(
            Charge(kind="shipping", code=line["code"], amount=Money(Decimal(line["price"]), currency))
            for line in source["shipping_lines"]
        ),
    )


def microseconds(*calls: Callable[[], object], rounds: int = 400, repeats: int = 15) -> list[float]:
    """The median CPU time of each of `calls`, taken in turns so that a busy machine disturbs all of them alike."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, taken in zip(calls, times, strict=True):
            began = process_time()
            for _ in range(rounds):
                call()
            taken.append((process_time() - began) / rounds * 1e6)
    return [median(taken) for taken in times]


async def run(plan: Plan, say: Say) -> Finding:
    """Microseconds per order, in and out, and the ratio to the hand-written translation."""
    source = order()
    context = {"channel": "shopify-us"}
    translate = compile_mapping(IN, lambda table, theirs: SKUS.get(theirs))
    send = compile_mapping(OUT)
    built = translate(source, context)
    if built != by_hand(source, "shopify-us"):
        raise RuntimeError("the compiled mapping and the hand-written one disagree")
    outgoing = {"document": built, "reference": built.order_key}
    body = encode(source)
    hand, compiled, decoded, sent = microseconds(
        lambda: by_hand(source, "shopify-us"),
        lambda: translate(source, context),
        lambda: msgspec.json.decode(body),
        lambda: send(outgoing),
        repeats=5 if plan.quick else 15,
    )
    say(f"{compiled / hand:.2f} x by hand")
    return Finding(
        name=NAME,
        title="CPU to translate one order of 25 fields and three lines",
        figures=(
            Figure("order in, by hand", hand, "µs"),
            Figure("order in, compiled", compiled, "µs", f"{compiled / hand:.2f} x by hand"),
            Figure("decoding the same order", decoded, "µs"),
            Figure("order out, compiled", sent, "µs"),
        ),
    )
