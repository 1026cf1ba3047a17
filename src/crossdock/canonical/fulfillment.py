# SPDX-License-Identifier: Apache-2.0
"""Fulfillment order (what a node is asked to ship) and shipment (what left)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from crossdock.canonical.party import Address, Text
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Key

MilestoneKind = Literal["shipped", "in_transit", "out_for_delivery", "delivered", "exception", "returned"]


class FulfillmentLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods of one order line; `line` is the order's line id."""

    line: Key
    sku: Key
    quantity: Quantity


class FulfillmentOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one stock location is asked to ship for one order. `reference` is ours and unique."""

    reference: Key
    order_key: Key
    order_number: Key
    location: Key
    ship_to: Address
    service: Text = ""
    lines: tuple[FulfillmentLine, ...]


class BackOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods may have come that an order waits for. `levels`: the sum of its stock levels' sequences that said so."""

    order_key: Key
    levels: int


class Package(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One logistic unit: SSCC where it has one, the carrier's tracking number, what is inside."""

    sscc: Text = ""
    tracking_number: Text = ""
    tracking_url: Text = ""
    weight: Quantity | None = None
    lines: tuple[FulfillmentLine, ...] = ()


class Milestone(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened to a shipment, at a UTC time."""

    kind: MilestoneKind
    at: datetime
    place: Text = ""


class Shipment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods that left a stock location for one fulfillment order, wholly or in part."""

    shipment_id: Key
    order_key: Key
    fulfillment_reference: Key
    location: Text = ""
    carrier: Text = ""
    service: Text = ""
    shipped_at: datetime
    packages: tuple[Package, ...]
    milestones: tuple[Milestone, ...] = ()
