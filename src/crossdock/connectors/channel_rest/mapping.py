# SPDX-License-Identifier: Apache-2.0
"""Message Translator: the channel's orders to sales orders; levels, prices and shipments to what it takes."""

from __future__ import annotations

from typing import Final

from crossdock.sdk.words import Mapping, Rule

FUNCTIONS: Final = "crossdock.connectors.channel_rest.converters"
_SHORT: Final = ("cut", 512)
_ADDRESS: Final = {
    "name": "name",
    "company": "company",
    "street": "address1",
    "street2": "address2",
    "city": "city",
    "region": "region",
    "postal_code": "postal_code",
    "phone": "phone",
}

_LINE: Final = (
    Rule(target="line", source="line", via=("text",), required=True),
    Rule(target="sku", source="sku", via=("text", "strip"), crosswalk="sku", required=True),
    Rule(target="quantity", source="quantity", via=(("quantity", "@.unit"),), required=True),
    Rule(target="unit_price", source="unit_price", via=(("money", "$.data.order.currency"),), required=True),
    Rule(target="total", source="total", via=(("money", "$.data.order.currency"),), required=True),
)

ORDER: Final = Mapping(
    name="channel_rest.order",
    version=1,
    direction="in",
    source="Channel events order.placed and order.cancelled, contract version 1",
    target="sales_order",
    functions=FUNCTIONS,
    rules=(
        Rule(target="order_key", sources=("~.channel", "data.order.id"), via=(("concat", "/"),), required=True),
        Rule(target="number", source="data.order.number", via=("text", "strip"), required=True),
        Rule(target="channel", source="~.channel"),
        Rule(target="version", source="data.order.updated_at", via=("epoch_ms",), required=True),
        Rule(
            target="status",
            source="data.order.status",
            via=(("match", {"open": "open", "cancelled": "cancelled"}),),
            required=True,
        ),
        Rule(target="placed_at", source="data.order.placed_at", via=("datetime",), required=True),
        Rule(target="updated_at", source="data.order.updated_at", via=("datetime",)),
        Rule(target="currency", source="data.order.currency", via=("text", "upper"), required=True),
        Rule(target="customer.id", source="data.order.customer.id", via=("text", "strip"), required=True),
        Rule(target="customer.name", source="data.order.customer.name", via=(_SHORT,)),
        Rule(target="customer.email", source="data.order.customer.email", via=(_SHORT,)),
        *(
            Rule(target=f"ship_to.{ours}", source=f"data.order.ship_to.{theirs}", via=(_SHORT,))
            for ours, theirs in _ADDRESS.items()
        ),
        Rule(target="ship_to.country", source="data.order.ship_to.country", via=("text", "upper")),
        Rule(target="po_number", source="data.order.po_number", via=(_SHORT,)),
        Rule(
            target="reservation",
            source="data.order.reservation",
            via=("text", "strip"),
            note="what a portal reserved here before its buyer ordered",
        ),
        Rule(target="lines", source="data.order.lines", each=_LINE, required=True),
        Rule(
            target="charges",
            source="data.order.shipping",
            via=("shipping_charge",),
            each=(
                Rule(target="kind", const="shipping"),
                Rule(target="amount", source="amount", via=(("money", "$.data.order.currency"),)),
            ),
        ),
        Rule(target="tax", source="data.order.tax", via=(("money", "$.data.order.currency"),), default=None),
        Rule(target="total", source="data.order.total", via=(("money", "$.data.order.currency"),), required=True),
        Rule(target="note", source="data.order.note", via=(("cut", 5000),)),
    ),
    dropped=("type", "id", "occurred_at"),
)

AVAILABILITY: Final = Mapping(
    name="channel_rest.availability",
    version=1,
    direction="out",
    source="Channel availability item, contract version 1",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="sku", source="document.sku", via=(("pick", "$.names.sku", "$.document.sku"),), required=True),
        Rule(
            target="available",
            sources=(
                "document.on_hand",
                "document.quarantined",
                "document.allocated",
                "document.reserved",
                "document.safety",
            ),
            via=("available",),
            note="what may be sold now, in whole units",
        ),
        Rule(target="sequence", source="document.sequence", required=True),
        Rule(target="as_of", source="document.as_of", via=("iso",), required=True),
    ),
    dropped=("known", "reference", "document.location", "document.incoming"),
)

PRICE: Final = Mapping(
    name="channel_rest.price",
    version=1,
    direction="out",
    source="Channel price item, contract version 1",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="sku", source="document.sku", via=(("pick", "$.names.sku", "$.document.sku"),), required=True),
        Rule(target="price", source="document.price", via=("plain_number",), required=True),
        Rule(target="currency", source="document.currency", required=True),
        Rule(target="sequence", source="document.sequence", required=True),
        Rule(target="as_of", source="document.as_of", via=("iso",), required=True),
    ),
    dropped=("known", "reference", "document.channel", "document.unit"),
)

SHIPMENT: Final = Mapping(
    name="channel_rest.shipment",
    version=1,
    direction="out",
    source="Channel shipment, contract version 1",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="reference", source="reference", required=True),
        Rule(
            target="carrier",
            source="document.carrier",
            via=(("pick", "$.names.carrier", "$.document.carrier"), ("cut", 100)),
        ),
        Rule(target="tracking_numbers", source="document.packages", via=("tracking_numbers",)),
        Rule(
            target="lines",
            source="document.packages",
            via=("lines_of",),
            required=True,
            each=(
                Rule(target="line", source="line", via=("line_number",), required=True),
                Rule(target="quantity", source="quantity", required=True),
            ),
            note="over all packages, in the unit of the order's line",
        ),
        Rule(target="shipped_at", source="document.shipped_at", via=("iso",), required=True),
    ),
    dropped=(
        "known",
        "document.shipment_id",
        "document.order_key",
        "document.fulfillment_reference",
        "document.location",
        "document.service",
        "document.milestones",
    ),
)

MAPPINGS: Final = (ORDER, AVAILABILITY, PRICE, SHIPMENT)
