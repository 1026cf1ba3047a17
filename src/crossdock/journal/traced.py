# SPDX-License-Identifier: Apache-2.0
"""What a trace consists of; every time is UTC, every id the journal's own."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from msgspec import Raw, Struct, field


class TracedDocument(Struct, frozen=True, kw_only=True):
    """A document of the key. `size` is that of the message in bytes; `dedup_key` the sender's id of it."""

    id: int
    parent_id: int | None
    message_id: int
    interface: str
    topic: str
    kind: str
    key: str
    version: int
    state: str
    step: str
    attempts: int
    open_deliveries: int
    received_at: datetime
    decided_at: datetime | None
    settled_at: datetime | None
    made_by: str
    note: str
    dedup_key: str
    size: int
    owner: str
    deadline: datetime | None


class VersionMark(Struct, frozen=True, kw_only=True):
    """A form of a document; `author` is "" when a step made it and a person's name when it is an edit."""

    document_id: int
    number: int
    stage: str
    size: int
    made_by: str
    author: str
    reason: str
    created_at: datetime


class OrderMark(Struct, frozen=True, kw_only=True):
    """The order as it stands; `decision` is the routing decision's JSON."""

    order_key: str
    number: str
    channel: str
    entity: str
    customer_id: str
    po_number: str
    status: str
    version: int
    currency: str
    total: Decimal
    document_id: int
    placed_at: datetime
    changed_at: datetime
    decision: Raw


class FulfillmentMark(Struct, frozen=True, kw_only=True):
    """What a stock location was asked to ship; `lines` is JSON by order line: sku, ordered, shipped."""

    reference: str
    location: str
    state: str
    lines: Raw
    changed_at: datetime
    document_id: int


class ShipmentMark(Struct, frozen=True, kw_only=True):
    """What left."""

    shipment_key: str
    fulfillment_reference: str
    location: str
    carrier: str
    tracking: list[str]
    shipped_at: datetime
    document_id: int


class Attempt(Struct, frozen=True, kw_only=True):
    """One try of a delivery; `method`, `url` and `status` are of its exchange ("" and 0 when nothing travelled)."""

    delivery_id: int
    number: int
    started_at: datetime
    finished_at: datetime
    outcome: str
    error: str
    exchange_id: int | None
    method: str
    url: str
    status: int


class TracedDelivery(Struct, frozen=True, kw_only=True):
    """An obligation to a system and every try to meet it; `next_at` is the time of the next try while it is due."""

    id: int
    document_id: int
    interface: str
    system: str
    operation: str
    object: str
    reference: str
    state: str
    look_first: bool
    next_at: datetime
    created_at: datetime
    settled_at: datetime | None
    their_reference: str
    last_error: str
    attempts: list[Attempt]


class EventMark(Struct, frozen=True, kw_only=True):
    """A business event as it went to the bus."""

    id: int
    at: datetime
    type: str
    key: str
    document_id: int


class CaseMark(Struct, frozen=True, kw_only=True, rename={"klass": "class"}):
    """A case of one of the documents."""

    id: int
    document_id: int
    delivery_id: int | None
    step: str
    klass: str
    field: str
    reason: str
    owner: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    close_reason: str


class StockLevelMark(Struct, frozen=True, kw_only=True):
    """How many a location has of a traced SKU, by what they are; `free`: promised to nobody. `counted_at`: the moment
    of its newest count."""

    location: str
    on_hand: Decimal
    quarantined: Decimal
    allocated: Decimal
    reserved: Decimal
    free: Decimal
    sequence: int
    changed_at: datetime
    counted_at: datetime | None = None


class LotMark(Struct, frozen=True, kw_only=True):
    """What a location has of one lot of a traced SKU, as far as movements named it."""

    location: str
    lot: str
    expires_on: date | None
    on_hand: Decimal


class ExpectedMark(Struct, frozen=True, kw_only=True):
    """What an open notice says of a traced SKU: how many were to come, how many came."""

    reference: str
    location: str
    quantity: Decimal
    received: Decimal
    due_at: datetime


class ToldMark(Struct, frozen=True, kw_only=True):
    """The last number a channel system had acknowledged; `changed_at`: when the stock it tells of had changed."""

    system: str
    location: str
    quantity: Decimal
    sequence: int
    changed_at: datetime
    told_at: datetime


class ChannelMark(Struct, frozen=True, kw_only=True):
    """What a store was told of a traced SKU: the number it shows, None when it is not known whether it arrived;
    `problem`: why it does not hear more, `not_before`: when it is told again after it refused."""

    system: str
    location: str
    told: Decimal | None
    told_sequence: int
    told_at: datetime | None
    problem: str
    not_before: datetime | None


class Entry(Struct, frozen=True, kw_only=True):
    """One mark on the timeline. `seconds`: how long it took, None for a moment.

    `kind`: received, translated, edited, decided, settled, event, owed, attempt, delivered, cancelled, case, closed,
    action, shipped, moved (stock), told (a store).
    """

    at: datetime
    kind: str
    title: str
    detail: str = ""
    system: str = ""
    who: str = ""
    document_id: int | None = None
    delivery_id: int | None = None
    case_id: int | None = None
    seconds: float | None = None


class Trace(Struct, kw_only=True):
    """Everything of one business key; `timeline` tells the rest in the order it happened. `at`: as it was then."""

    key: str
    title: str
    at: datetime | None = None
    order: OrderMark | None = None
    documents: list[TracedDocument] = field(default_factory=list)
    versions: list[VersionMark] = field(default_factory=list)
    fulfillment_orders: list[FulfillmentMark] = field(default_factory=list)
    shipments: list[ShipmentMark] = field(default_factory=list)
    deliveries: list[TracedDelivery] = field(default_factory=list)
    events: list[EventMark] = field(default_factory=list)
    cases: list[CaseMark] = field(default_factory=list)
    levels: list[StockLevelMark] = field(default_factory=list)
    lots: list[LotMark] = field(default_factory=list)
    expected: list[ExpectedMark] = field(default_factory=list)
    told: list[ToldMark] = field(default_factory=list)
    channels: list[ChannelMark] = field(default_factory=list)
    timeline: list[Entry] = field(default_factory=list)
    truncated: bool = False
