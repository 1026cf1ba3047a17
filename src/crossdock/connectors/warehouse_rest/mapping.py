# SPDX-License-Identifier: Apache-2.0
"""Message Translator: the warehouse's events to our objects, fulfillment orders to what it takes."""

from __future__ import annotations

from typing import Final

from crossdock.sdk.words import Mapping, Rule

FUNCTIONS: Final = "crossdock.connectors.warehouse_rest.converters"

MOVEMENTS: Final = Mapping(
    name="warehouse_rest.movements",
    version=1,
    direction="in",
    source="Warehouse event stock.movements, contract version 1",
    target="stock_movements",
    rules=(
        Rule(target="source", source="~.system"),
        Rule(
            target="movements",
            source="data.movements",
            required=True,
            isolate=True,
            each=(
                Rule(target="movement_id", source="id", via=("text",), required=True),
                Rule(target="kind", source="type", via=("text", "lower"), required=True),
                Rule(target="sku", source="sku", via=("text", "strip"), crosswalk="sku", required=True),
                Rule(target="location", source="location", crosswalk="location", required=True),
                Rule(target="quantity", source="quantity", via=(("quantity", "@.unit"),), required=True),
                Rule(target="occurred_at", source="occurred_at", via=("datetime",), required=True),
                Rule(target="reference", source="reference", via=(("cut", 512),)),
                Rule(target="lot", source="lot", via=(("cut", 512),)),
            ),
            note="each movement is accepted or refused on its own",
        ),
    ),
    dropped=("type", "id", "occurred_at"),
)

COUNT: Final = Mapping(
    name="warehouse_rest.count",
    version=1,
    direction="in",
    source="Warehouse event stock.counted, contract version 1",
    target="stock_count",
    rules=(
        Rule(target="count_id", source="data.count.id", via=("text",), required=True),
        Rule(target="source", source="~.system"),
        Rule(target="location", source="data.count.location", crosswalk="location", required=True),
        Rule(target="as_of", source="data.count.as_of", via=("datetime",), required=True),
        Rule(target="complete", source="data.count.complete", via=("boolean",), default=False),
        Rule(
            target="entries",
            source="data.count.entries",
            required=True,
            isolate=True,
            each=(
                Rule(target="sku", source="sku", via=("text", "strip"), crosswalk="sku", required=True),
                Rule(target="quantity", source="quantity", via=(("quantity", "@.unit"),), required=True),
                Rule(target="lot", source="lot", via=(("cut", 512),)),
            ),
            note="each SKU is counted or refused on its own",
        ),
    ),
    dropped=("type", "id", "occurred_at"),
)

_PACKED: Final = (
    Rule(target="line", source="line", via=("text",), required=True),
    Rule(target="sku", source="sku", via=("text", "strip"), crosswalk="sku", required=True),
    Rule(target="quantity", source="quantity", via=(("quantity", "@.unit"),), required=True),
)

SHIPMENT: Final = Mapping(
    name="warehouse_rest.shipment",
    version=1,
    direction="in",
    source="Warehouse event shipment.confirmed, contract version 1",
    target="shipment",
    functions=FUNCTIONS,
    rules=(
        Rule(target="shipment_id", source="data.shipment.id", via=("text",), required=True),
        Rule(
            target="order_key",
            source="data.shipment.fulfillment_order_reference",
            via=("order_key_of",),
            required=True,
            note="our reference is the order's key, # and a number",
        ),
        Rule(
            target="fulfillment_reference",
            source="data.shipment.fulfillment_order_reference",
            via=("text",),
            required=True,
        ),
        Rule(target="location", source="data.shipment.location", crosswalk="location", required=True),
        Rule(target="carrier", source="data.shipment.carrier", via=(("cut", 512),)),
        Rule(target="service", source="data.shipment.service", via=(("cut", 512),)),
        Rule(target="shipped_at", source="data.shipment.shipped_at", via=("datetime",), required=True),
        Rule(
            target="packages",
            source="data.shipment.packages",
            required=True,
            each=(
                Rule(target="sscc", source="sscc", via=(("cut", 512),)),
                Rule(target="tracking_number", source="tracking_number", via=("text", "strip")),
                Rule(target="weight", source="weight.value", via=(("quantity", "@.weight.unit"),)),
                Rule(target="lines", source="lines", required=True, each=_PACKED),
            ),
        ),
    ),
    dropped=("type", "id", "occurred_at", "data.shipment.order_reference", "data.shipment.final"),
)

FULFILLMENT_ORDER: Final = Mapping(
    name="warehouse_rest.fulfillment_order",
    version=1,
    direction="out",
    source="Warehouse fulfillment order, contract version 1",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="reference", source="document.reference", required=True),
        Rule(target="order_reference", source="document.order_number", required=True),
        Rule(target="location", source="document.location", via=(("pick", "$.names.location"),), required=True),
        Rule(
            target="requested_service",
            source="document.service",
            via=("lower", ("pick", "$.names.service", "standard")),
            default="standard",
            note="the channel's words for a service are mapped in crosswalk `service`",
        ),
        Rule(target="ship_to.name", sources=("document.ship_to.name", "document.ship_to.company"), via=("first",)),
        Rule(target="ship_to.company", source="document.ship_to.company"),
        Rule(target="ship_to.address1", source="document.ship_to.street"),
        Rule(target="ship_to.address2", source="document.ship_to.street2"),
        Rule(target="ship_to.city", source="document.ship_to.city"),
        Rule(target="ship_to.region", source="document.ship_to.region"),
        Rule(target="ship_to.postal_code", source="document.ship_to.postal_code"),
        Rule(target="ship_to.country", source="document.ship_to.country", required=True),
        Rule(target="ship_to.phone", source="document.ship_to.phone"),
        Rule(
            target="lines",
            source="document.lines",
            required=True,
            each=(
                Rule(target="line", source="line", via=("line_number",), required=True),
                Rule(target="sku", source="sku", via=(("pick", "$.names.sku", "@.sku"),), required=True),
                Rule(target="quantity", source="quantity.value", via=("text",), required=True),
                Rule(target="unit", source="quantity.unit", required=True),
            ),
        ),
    ),
    dropped=("known", "reference", "document.order_key"),
)

RETURN: Final = Mapping(
    name="warehouse_rest.return",
    version=1,
    direction="in",
    source="Warehouse event return.received, contract version 1",
    target="return_receipt",
    rules=(
        Rule(target="receipt_id", source="data.return.id", via=("text",), required=True),
        Rule(target="source", source="~.system"),
        Rule(target="return_key", source="data.return.reference", via=("text",), required=True),
        Rule(target="location", source="data.return.location", crosswalk="location", required=True),
        Rule(target="received_at", source="data.return.received_at", via=("datetime",), required=True),
        Rule(
            target="lines",
            source="data.return.lines",
            required=True,
            each=(
                *_PACKED,
                Rule(target="disposition", source="disposition", via=("text", "lower"), required=True),
                Rule(target="condition", source="condition", via=(("cut", 512),)),
            ),
            note="counted whole or not at all: goods and money follow from all of it",
        ),
    ),
    dropped=("type", "id", "occurred_at", "data.return.order_reference", "data.return.final"),
)

EXPECTED_RETURN: Final = Mapping(
    name="warehouse_rest.expected_return",
    version=1,
    direction="out",
    source="Warehouse expected return, contract version 1",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="reference", source="document.return_key", required=True),
        Rule(target="order_reference", source="document.order_key", required=True),
        Rule(target="location", source="document.location", via=(("pick", "$.names.location"),), required=True),
        Rule(target="note", source="document.note", via=(("cut", 500),)),
        Rule(
            target="lines",
            source="document.lines",
            required=True,
            each=(
                Rule(target="line", source="line", via=("line_number",), required=True),
                Rule(target="sku", source="sku", via=(("pick", "$.names.sku", "@.sku"),), required=True),
                Rule(target="quantity", source="quantity.value", via=("text",), required=True),
                Rule(target="unit", source="quantity.unit", required=True),
                Rule(target="reason", source="reason", via=(("cut", 200),)),
            ),
        ),
    ),
    dropped=(
        "known",
        "reference",
        "document.number",
        "document.channel",
        "document.version",
        "document.status",
        "document.requested_at",
        "document.updated_at",
        "document.resolution",
        "document.override",
    ),
)

MAPPINGS: Final = (MOVEMENTS, COUNT, SHIPMENT, RETURN, FULFILLMENT_ORDER, EXPECTED_RETURN)
