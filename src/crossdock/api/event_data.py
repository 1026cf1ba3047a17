# SPDX-License-Identifier: Apache-2.0
"""What events carry that are not canonical objects themselves."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from crossdock.canonical.money import Money


class OrderTold(Struct, frozen=True, kw_only=True):
    """An order in short. `version`: of its source, grows; `lines`: how many."""

    order_key: str
    number: str
    channel: str
    entity: str
    status: str
    version: int
    total: Money
    lines: int


class ReturnTold(Struct, frozen=True, kw_only=True):
    """A return in short. `state`: approved, declined, cancelled, partly_received or received; `location`: where its
    goods go; `reason`: why it was declined."""

    return_key: str
    order_key: str
    number: str
    channel: str
    state: str
    version: int
    resolution: str
    location: str
    lines: tuple[ReturnLineTold, ...]
    reason: str = ""


class ReturnLineTold(Struct, frozen=True, kw_only=True):
    """How much of an order line is to come back and has, in `unit`, which its goods are kept in."""

    line: str
    sku: str
    unit: str
    approved: Decimal
    received: Decimal


class CancellationTold(Struct, frozen=True, kw_only=True):
    """A cancellation as a document of its own. `total`: of the order, where the source says it."""

    cancellation_key: str
    number: str
    total: Money | None


class DeliveryTold(Struct, frozen=True, kw_only=True):
    """A document reached a system: ours under `reference`, theirs under `their_reference`."""

    system: str
    operation: str
    reference: str
    their_reference: str


class DayTold(Struct, frozen=True, kw_only=True):
    """The demand of a day (UTC) in short: of how many SKUs, and units over all of them, in their base units."""

    day: date
    skus: int
    ordered: Decimal
    shipped: Decimal
    cancelled: Decimal
    lost: Decimal


class ForecastTold(Struct, frozen=True, kw_only=True):
    """A version of a forecast in short: how many periods, of how many SKUs."""

    forecast_id: str
    source: str
    version: int
    periods: int
    skus: int


class LevelTold(Struct, frozen=True, kw_only=True):
    """A level of a SKU at a location, in its base unit; `sequence` grows with every change of it."""

    sku: str
    location: str
    on_hand: Decimal
    quarantined: Decimal
    allocated: Decimal
    reserved: Decimal
    sequence: int
    changed_at: datetime


class MovementsTold(Struct, frozen=True, kw_only=True):
    """A batch of movements: how many it held, how many of them were new."""

    source: str
    movements: int
    entered: int


class CountTold(Struct, frozen=True, kw_only=True):
    """A count: how many SKUs it counted, how many differed, how many had been counted later already."""

    source: str
    count_id: str
    location: str
    as_of: datetime
    counted: int
    differing: int
    stale: int


class MissingGoods(Struct, frozen=True, kw_only=True):
    """Goods that are promised and not there: `short` of them."""

    sku: str
    on_hand: Decimal
    promised: Decimal
    short: Decimal


class PromisedMissing(Struct, frozen=True, kw_only=True):
    """A count misses goods that are promised to orders or carts: of how many SKUs, and at most 100 of them."""

    source: str
    count_id: str
    location: str
    skus: int
    lines: list[MissingGoods]


class ReceiptTold(Struct, frozen=True, kw_only=True):
    """A notice of goods on their way, in short. `skus`: how many."""

    reference: str
    source: str
    location: str
    status: Literal["open", "closed", "cancelled"]
    due_at: datetime
    version: int
    skus: int


class PriceListTold(Struct, frozen=True, kw_only=True):
    """A price list in short: for whom and when it is, and how many prices it has."""

    price_list_id: str
    version: int
    status: Literal["active", "retired"]
    currency: str
    customer: str
    group: str
    channel: str
    effective_from: datetime | None
    effective_until: datetime | None
    entries: int


class ReservationState(Struct, frozen=True, kw_only=True):
    """A reservation whose state or time has changed. `order_key`: "" while it has no order."""

    id: str
    channel: str
    reference: str
    state: Literal["active", "committed", "allocated", "released", "expired"]
    order_key: str
    expires_at: datetime


class SubscriptionDisabled(Struct, frozen=True, kw_only=True):
    """A subscription is delivered to no more; its events wait. `failing_since`: nothing was taken since then."""

    id: str
    consumer: str
    reason: str
    failing_since: datetime | None


class WebhookGivenUp(Struct, frozen=True, kw_only=True):
    """A subscription will not be told of the event with id `event` and business key `key`, unless by a replay."""

    id: str
    consumer: str
    event: str
    key: str
    error: str
