# SPDX-License-Identifier: Apache-2.0
"""Stock: movements in a ledger, counts, levels that follow from them, availability, what is expected and forecast."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from crossdock.canonical.money import Money
from crossdock.canonical.party import Text
from crossdock.canonical.quantity import EACH, Quantity, Unit
from crossdock.canonical.sales_order import Key

MovementKind = Literal[
    "receipt",
    "pick",
    "ship",
    "transfer_out",
    "transfer_in",
    "adjustment",
    "count",
    "return",
    "sale",
    "quarantine",
    "allocation",
    "release",
]
# A sign that every quantity of the kind must have, 0 = either.
MOVEMENT_SIGN: dict[str, int] = {
    "receipt": 1,
    "pick": 0,
    "ship": -1,
    "transfer_out": -1,
    "transfer_in": 1,
    "adjustment": 0,
    "count": 0,
    "return": 1,
    "sale": -1,
    "quarantine": 0,
    "allocation": 1,
    "release": 1,
}
StockStatus = Literal["sellable", "quarantined"]
DifferenceClass = Literal["in_flight", "late_message", "missed_movement", "unit_mismatch", "phantom"]


class StockMovement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of stock at a location; `quantity` is signed, `movement_id` the source's own id.

    A pick moves goods within the location and changes nothing; the ship that follows takes them out. A quarantine
    blocks goods that stay where they are (negative: unblocks them); an allocation promises them to an order, a release
    takes that back. `status` quarantined: goods that arrive blocked, or leave that were. Lot and expiry where the
    source has them.
    """

    movement_id: Key
    kind: MovementKind
    sku: Key
    location: Key
    quantity: Quantity
    occurred_at: datetime
    reference: Text = ""
    lot: Text = ""
    expires_on: date | None = None
    status: StockStatus = "sellable"


class StockMovements(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Movements that a source sent together; each is accepted or refused on its own."""

    source: Key
    movements: tuple[StockMovement, ...]


class Counted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was there of one SKU when it was counted. Never below zero."""

    sku: Key
    quantity: Quantity
    lot: Text = ""


class StockCount(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An absolute statement of what was on hand at one location at `as_of` (a cycle count, a stock list).

    It becomes counted differences against what the ledger held at that moment; movements that happened later stand.
    `complete`: SKUs of the location that it does not name were not there.
    """

    count_id: Key
    source: Key
    location: Key
    as_of: datetime
    complete: bool = False
    entries: tuple[Counted, ...]


class StockDifference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a comparison found: `system` holds or shows `theirs` (None: it does not list the SKU) where we have `ours`.

    `take` says what is done about it: "theirs" enters it as a count of `as_of`, "ours" leaves our figure (a channel is
    told it again), "" asks a person. `what`: goods on hand at `location`, or what a channel shows ("" = one number for
    all locations). `run`: the comparison that found it.
    """

    run: int
    system: str
    what: Literal["on_hand", "available"]
    sku: Key
    location: Text = ""
    ours: Decimal | None = None
    theirs: Decimal | None = None
    unit: Unit = EACH
    as_of: datetime
    difference: DifferenceClass
    reason: Text = ""
    price: Money | None = None
    take: Literal["", "ours", "theirs"] = ""


class StockLevel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many of a SKU a location has; `sequence` grows with every change, so that the newest is known."""

    sku: Key
    location: Text = ""
    on_hand: Decimal
    quarantined: Decimal = Decimal(0)
    allocated: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    incoming: Decimal = Decimal(0)
    safety: Decimal = Decimal(0)
    sequence: int = 0
    as_of: datetime


class Availability(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a channel may sell of a SKU now (available to promise); `location` "" = summed over its locations.

    `sequence` grows with every change of the number told for this channel, SKU and location.
    """

    channel: Key
    sku: Key
    location: Text = ""
    available: Decimal
    sequence: int
    as_of: datetime


class ExpectedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many of a SKU an inbound receipt will bring."""

    sku: Key
    quantity: Quantity


class InboundReceipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods on their way to a location (purchase order line, advance ship notice); a full statement at `version`.

    Receipt movements that carry `reference` count against it. `status` closed or cancelled: nothing more is to come.
    """

    reference: Key
    source: Key
    location: Key
    due_at: datetime
    version: int = 0
    status: Literal["open", "closed", "cancelled"] = "open"
    lines: tuple[ExpectedLine, ...]


class ForecastPeriod(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Expected demand for a SKU for `days` days (1 to 366) from `starts_on`, in its base unit; channel "" = all.

    What is wrong with a period is found when it is decided on, so that it spoils no other."""

    sku: Key
    channel: Text = ""
    starts_on: date
    days: int
    quantity: Decimal


class DemandForecast(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A forecast of demand from a planning system; a later version of the same `forecast_id` replaces it whole."""

    forecast_id: Key
    source: Key
    version: int = 0
    periods: tuple[ForecastPeriod, ...]
