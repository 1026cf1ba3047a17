# SPDX-License-Identifier: Apache-2.0
"""Every canonical object by name and version, with its JSON Schema, encoder and decoder."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from crossdock.canonical.billing import Invoice, Payment
from crossdock.canonical.channel_price import ChannelPrice
from crossdock.canonical.envelope import CloudEvent
from crossdock.canonical.fulfillment import BackOrder, FulfillmentOrder, Shipment
from crossdock.canonical.goods_return import GoodsReturn, Refund, ReturnReceipt
from crossdock.canonical.master_data import Customer, Product
from crossdock.canonical.price_list import PriceList
from crossdock.canonical.purchase_order import PurchaseOrder
from crossdock.canonical.sales_order import Cancellation, SalesOrder
from crossdock.canonical.stock import (
    Availability,
    DemandForecast,
    InboundReceipt,
    StockCount,
    StockDifference,
    StockLevel,
    StockMovement,
    StockMovements,
)

OBJECTS: dict[str, tuple[int, type[Struct]]] = {
    "sales_order": (1, SalesOrder),
    "cancellation": (1, Cancellation),
    "fulfillment_order": (1, FulfillmentOrder),
    "back_order": (1, BackOrder),
    "purchase_order": (1, PurchaseOrder),
    "shipment": (1, Shipment),
    "goods_return": (1, GoodsReturn),
    "return_receipt": (1, ReturnReceipt),
    "refund": (1, Refund),
    "invoice": (1, Invoice),
    "payment": (1, Payment),
    "stock_movement": (1, StockMovement),
    "stock_movements": (1, StockMovements),
    "stock_count": (1, StockCount),
    "stock_difference": (1, StockDifference),
    "stock_level": (1, StockLevel),
    "availability": (1, Availability),
    "inbound_receipt": (1, InboundReceipt),
    "demand_forecast": (1, DemandForecast),
    "product": (1, Product),
    "customer": (1, Customer),
    "price_list": (1, PriceList),
    "channel_price": (1, ChannelPrice),
    "event": (1, CloudEvent),
}
KIND_OF: dict[type[Struct], str] = {cls: kind for kind, (_, cls) in OBJECTS.items()}

# Kind → what its business key begins with, and the field that names the thing.
_KEYS = {
    "sales_order": ("order", "order_key"),
    "shipment": ("order", "order_key"),
    "back_order": ("order", "order_key"),
    "cancellation": ("cancellation", "cancellation_key"),
    "goods_return": ("return", "return_key"),
    "return_receipt": ("return", "return_key"),
    "refund": ("return", "return_key"),
    "invoice": ("invoice", "invoice_key"),
    "payment": ("payment", "payment_key"),
    "product": ("product", "sku"),
    "customer": ("customer", "customer_id"),
    "price_list": ("price_list", "price_list_id"),
    "inbound_receipt": ("inbound", "reference"),
    "demand_forecast": ("forecast", "forecast_id"),
}

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(cls) for kind, (_, cls) in OBJECTS.items()
}

encode = _ENCODER.encode


def decode(kind: str, body: bytes) -> Any:
    """The canonical object of `kind` in `body`. KeyError on an unknown kind, msgspec.ValidationError on a bad body."""
    return _DECODERS[kind].decode(body)


def business_key(kind: str, document: Any) -> str:
    """The key that documents about the same thing share, "" when the document names none.

    Orders, shipments and back-orders: "order/<order_key>"; returns, what came of them and their refunds:
    "return/<return_key>"; cancellations, invoices, payments, master data, inbound receipts and forecasts their own.
    """
    attribute = _KEYS.get(kind)
    return f"{attribute[0]}/{getattr(document, attribute[1])}" if attribute is not None else ""


def contract(kind: str) -> str:
    """The name of the contract that objects of `kind` follow now, as "sales_order/1"."""
    return f"{kind}/{OBJECTS[kind][0]}"


def json_schema(kind: str, version: int) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an object. KeyError when there is no such object or version."""
    known, cls = OBJECTS[kind]
    if version != known:
        raise KeyError(f"{kind}/{version}")
    schema = msgspec.json.schema(cls)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"/schemas/{kind}/{version}",
        "title": kind,
        **schema,
    }
