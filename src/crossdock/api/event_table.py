# SPDX-License-Identifier: Apache-2.0
"""Every event that is told: when, about what, and what it carries. `docs/reference/events.md` says the same."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from crossdock.api.event_data import (
    CancellationTold,
    CountTold,
    DayTold,
    DeliveryTold,
    ForecastTold,
    LevelTold,
    MovementsTold,
    OrderTold,
    PriceListTold,
    PromisedMissing,
    ReceiptTold,
    ReservationState,
    ReturnTold,
    SubscriptionDisabled,
    WebhookGivenUp,
)
from crossdock.canonical.billing import Invoice, Payment
from crossdock.canonical.channel_price import ChannelPrice
from crossdock.canonical.fulfillment import Shipment
from crossdock.canonical.goods_return import Refund, ReturnReceipt
from crossdock.canonical.stock import Availability
from crossdock.inventory.reservation import Reservation
from crossdock.orders.follow import OrderMoved
from crossdock.orders.held import OrderHeld, OrderReleased
from crossdock.orders.overdue import OrderOverdue


class EventKind(Struct, frozen=True):
    """A kind of event: when it is told, what `data` is, and what its `subject` (the business key) looks like.

    `placed`: the key ends with a place, which is a token of its own in the bus's subject.
    """

    when: str
    data: type[Struct]
    key: str
    placed: bool = False


_ORDER = "order/{channel}/{number}"
_RETURN = "return/{channel}/{id}"
_DELIVERED = "the key of the document that was delivered; of a return told to ERP or store, its order's"

EVENTS: Mapping[str, EventKind] = {
    "availability.changed": EventKind(
        "a channel acknowledged a number",
        Availability,
        "availability/{channel}/{sku} for the sum of its locations, or with @{location}, which is a token of its own",
    ),
    "cancellation.accepted": EventKind(
        "a cancellation as a document of its own entered", CancellationTold, "cancellation/{key}"
    ),
    "demand.day_closed": EventKind("a day ended and its demand was written for planning", DayTold, "demand/{day}"),
    "demand.forecast_taken": EventKind(
        "a version of a forecast replaced the one before", ForecastTold, "forecast/{forecast_id}"
    ),
    "fulfillment_order.delivered": EventKind(
        "a location's system took or cancelled a fulfillment order", DeliveryTold, _DELIVERED
    ),
    "inbound_receipt.accepted": EventKind(
        "a notice of goods on their way was taken", ReceiptTold, "inbound/{reference}"
    ),
    "inventory.level.changed": EventKind("a level moved", LevelTold, "stock/{sku}@{location}", placed=True),
    "invoice.accepted": EventKind("an invoice or credit memo, or a newer version of it, was taken", Invoice, _ORDER),
    "payment.accepted": EventKind("a payment or refund, or a newer version of it, was taken", Payment, _ORDER),
    "price.changed": EventKind("a channel acknowledged a price", ChannelPrice, "price/{channel}/{sku}"),
    "price_list.changed": EventKind(
        "a price list was taken in or retired", PriceListTold, "price_list/{price_list_id}"
    ),
    "refund.delivered": EventKind(
        "an ERP credited, or a store gave back, the money for what came back", DeliveryTold, _DELIVERED
    ),
    "reservation.committed": EventKind("a buyer has ordered", ReservationState, "reservation/{id}"),
    "reservation.created": EventKind("goods are held before there is an order", Reservation, "reservation/{id}"),
    "reservation.expired": EventKind("its time was over", ReservationState, "reservation/{id}"),
    "reservation.extended": EventKind("it is held longer", ReservationState, "reservation/{id}"),
    "reservation.released": EventKind("its owner gave it back", ReservationState, "reservation/{id}"),
    "return_receipt.delivered": EventKind("an ERP took in what came back", DeliveryTold, _DELIVERED),
    "sales_order.accepted": EventKind("a new order was accepted", OrderTold, _ORDER),
    "sales_order.cancelled": EventKind("an order was cancelled at its source", OrderTold, _ORDER),
    "sales_order.changed": EventKind(
        "a newer version of an order was accepted, or a cancelled one is open again", OrderTold, _ORDER
    ),
    "sales_order.delivered": EventKind(
        "the ERP has the order, its change or its cancellation", DeliveryTold, _DELIVERED
    ),
    "sales_order.overdue": EventKind("an order was longer in its state than the estate allows", OrderOverdue, _ORDER),
    "sales_order.state_changed": EventKind("an order went from one state to another", OrderMoved, _ORDER),
    "goods_return.approved": EventKind("a return is allowed, and its goods are awaited", ReturnTold, _RETURN),
    "goods_return.cancelled": EventKind("a return was taken back before anything came", ReturnTold, _RETURN),
    "goods_return.declined": EventKind("a return is not allowed", ReturnTold, _RETURN),
    "goods_return.delivered": EventKind(
        "an ERP or a warehouse was told of a return, or that it is cancelled", DeliveryTold, _DELIVERED
    ),
    "goods_return.received": EventKind("goods of a return came back", ReturnReceipt, _RETURN),
    "goods_return.refunded": EventKind("what goes back for goods that came back is known", Refund, _RETURN),
    "sales_order.held": EventKind("an order became a case by holds, and by nothing else", OrderHeld, _ORDER),
    "sales_order.released": EventKind(
        "an order goes on that was held, or that a standing rule let through", OrderReleased, _ORDER
    ),
    "shipment.confirmed": EventKind("goods left", Shipment, _ORDER),
    "shipment.delivered": EventKind("a store or the ERP was told of a shipment", DeliveryTold, _DELIVERED),
    "stock.counted": EventKind("a count was taken", CountTold, "the key of the count"),
    "stock.movements_applied": EventKind("movements entered the ledger", MovementsTold, "the key of the batch"),
    "stock.promised_missing": EventKind(
        "a count misses goods that are promised", PromisedMissing, "the key of the count"
    ),
    "subscription.disabled": EventKind(
        "a subscriber's endpoint answered 410, or took nothing for days", SubscriptionDisabled, "subscription/{id}"
    ),
    "subscription.event_given_up": EventKind(
        "a webhook was refused for three days while its endpoint took others", WebhookGivenUp, "subscription/{id}"
    ),
}
