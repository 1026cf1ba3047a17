# SPDX-License-Identifier: Apache-2.0
"""What a comparison of stock is about: the systems asked, the rules, a difference and what is known around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from crossdock.canonical.stock import DifferenceClass
from crossdock.inventory.level import ZERO
from crossdock.sdk.listing import Lister

What = Literal["on_hand", "available"]
Action = Literal["", "counted", "told_again", "case", "case_open", "left"]


class ReconcileRules(Struct, frozen=True, kw_only=True):
    """How stock is compared and mended; see `estate.shape.Reconcile`.

    `truth`: location → the system whose count holds there. Up to `heal_units` or `heal_percent` of what we have, a
    difference to it is taken over; up to `tolerance` units two figures count as equal.
    """

    every: timedelta | None = None
    heal_units: Decimal = ZERO
    heal_percent: Decimal = ZERO
    tolerance: Decimal = ZERO
    truth: Mapping[str, str] = {}
    late_within: timedelta = timedelta(minutes=10)
    look_again_after: timedelta = timedelta(seconds=5)

    def heals(self, ours: Decimal, difference: Decimal) -> bool:
        """Whether a difference is small enough to be taken over without asking a person."""
        most = max(self.heal_units, abs(ours) * self.heal_percent / 100)
        return abs(difference) <= most


class ComparedSystem(Struct, frozen=True, kw_only=True):
    """A system that can be asked for its stock.

    `locations`: those of ours that it has. `interfaces`: those it sends to us by. `interface`: the internal one that
    its differences come in by. `skus`: the most a call may ask for; `pause`: seconds between calls, so that comparing
    takes a small share of the system's rate.
    """

    name: str
    what: What
    lister: Lister
    interface: str
    locations: frozenset[str]
    interfaces: Sequence[str] = ()
    skus: int = 50
    pause: float = 0.0


class Difference(Struct, kw_only=True, gc=False):
    """A SKU and location ("" = all of them) where a system's figure is not ours, in the SKU's base unit.

    `theirs` None: it does not list the SKU; `ours` None: the channel was never told one, or may not know it. `names`:
    what it calls the SKU, as far as it lists it. `unit`: one they gave that the product does not have. `moved`: either
    figure changed between the two looks.
    """

    system: str
    what: What
    sku: str
    location: str
    ours: Decimal | None
    theirs: Decimal | None
    as_of: datetime
    ours_changed_at: datetime | None = None
    theirs_changed_at: datetime | None = None
    names: Sequence[str] = ()
    unit: str = ""
    moved: bool = False
    kind: DifferenceClass = "phantom"
    reason: str = ""
    action: Action = ""
    money: Decimal | None = None
    currency: str = ""

    @property
    def amount(self) -> Decimal:
        """How many they have more than we; below zero when fewer."""
        return (self.theirs or ZERO) - (self.ours or ZERO)

    @property
    def key(self) -> str:
        """The business key of the documents about it."""
        return f"difference/{self.system}/{self.sku}@{self.location}"


class Moved(Struct, frozen=True, gc=False):
    """A movement in the ledger, as far as comparing needs it. `on_hand`: what it changed."""

    source: str
    movement_id: str
    kind: str
    on_hand: Decimal
    occurred_at: datetime
    recorded_at: datetime
    reference: str


class Waiting(Struct, frozen=True, gc=False):
    """A document that names the SKU and is not decided."""

    document_id: int
    state: str


class Around(Struct, kw_only=True):
    """What is known around a difference. `moved`, `told`: newest first; `to_be_told`: a channel is about to be told of
    it for the first time. `due`, `stuck`: shipments on the way to the system, and those that wait for a person.
    `expected`, `promised`: by reference, what is still to come in and to go out. `factors`: what other units of the
    product hold."""

    moved: Sequence[Moved] = ()
    told: Sequence[tuple[Decimal, datetime]] = ()
    to_be_told: bool = False
    waiting: Sequence[Waiting] = ()
    due: Sequence[str] = ()
    stuck: Sequence[str] = ()
    expected: Mapping[str, Decimal] = {}
    promised: Mapping[str, Decimal] = {}
    factors: Mapping[str, Decimal] = {}
    price: Decimal | None = None
    currency: str = ""
