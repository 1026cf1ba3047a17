# SPDX-License-Identifier: Apache-2.0
"""Stock movement (a change, in a ledger) and stock level (derived from movements)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from crossdock.canonical.party import Text
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Key

MovementKind = Literal[
    "receipt", "pick", "ship", "transfer_out", "transfer_in", "adjustment", "count", "return", "sale", "release"
]
# How a movement moves what is on hand: a sign every quantity of the kind must have, 0 = either.
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
    "release": 1,
}


class StockMovement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of what is on hand at a location; `quantity` is signed, `movement_id` the source's own id.

    A pick moves goods within the location and changes on hand by zero; the ship that follows takes them out.
    """

    movement_id: Key
    kind: MovementKind
    sku: Key
    location: Key
    quantity: Quantity
    occurred_at: datetime
    reference: Text = ""
    lot: Text = ""


class StockMovements(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Movements that a source sent together; each is accepted or refused on its own."""

    source: Key
    movements: tuple[StockMovement, ...]


class StockLevel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many of a SKU a location has; `sequence` grows with every change, so that the newest is known."""

    sku: Key
    location: Key
    on_hand: Decimal
    allocated: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    incoming: Decimal = Decimal(0)
    safety: Decimal = Decimal(0)
    sequence: int = 0
    as_of: datetime
