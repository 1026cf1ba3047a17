# SPDX-License-Identifier: Apache-2.0
"""Levels of SKUs at locations, as one transaction holds them: locked, changed in memory, written at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

ZERO = Decimal(0)
Pair = tuple[str, str]
"""(SKU, location)."""


class Level(Struct, gc=False):
    """What is kept of a SKU at a location, in its base unit. `sequence` 0 = there is no row of it yet.

    `reserved` holds before an order, `allocated` for order lines; `quarantined` is there and not for sale.
    """

    sku: str
    location: str
    on_hand: Decimal = ZERO
    quarantined: Decimal = ZERO
    allocated: Decimal = ZERO
    reserved: Decimal = ZERO
    sequence: int = 0
    changed_at: datetime | None = None
    counted_at: datetime | None = None

    @property
    def free(self) -> Decimal:
        """What is promised to nobody; below zero when goods that were promised got lost."""
        return self.on_hand - self.quarantined - self.allocated - self.reserved


class Delta(Struct):
    """What a transaction changes of a level."""

    on_hand: Decimal = ZERO
    quarantined: Decimal = ZERO
    allocated: Decimal = ZERO
    reserved: Decimal = ZERO


class Levels:
    """The levels a transaction has locked. `change` moves one in memory; what moved is written once, at the end."""

    def __init__(self, levels: Iterable[Level], locked: Iterable[Pair]) -> None:
        self._levels = {(level.sku, level.location): level for level in levels}
        self._locked = set(locked)
        self._deltas: dict[Pair, Delta] = {}
        self.moved: dict[Pair, Level] = {}
        """Levels that changed in this transaction, as they are now."""
        self.counted = {pair: level.counted_at for pair, level in self._levels.items() if level.counted_at is not None}
        """The moment of the newest count of each level that was counted when it was locked."""

    def at(self, sku: str, location: str) -> Level:
        """The level; zeros where nothing is known. KeyError when it was not locked: that is a bug, it may change."""
        pair = (sku, location)
        if pair not in self._locked:
            raise KeyError(f"the level of {sku!r} at {location!r} is not locked")
        return self._levels.get(pair) or self._levels.setdefault(pair, Level(sku, location))

    def of(self, location: str) -> list[Level]:
        """The locked levels of one location that have a row."""
        return [level for (_, where), level in self._levels.items() if where == location]

    def change(self, sku: str, location: str, *, allocated: Decimal = ZERO, reserved: Decimal = ZERO) -> None:
        """Move a level by holds; what is on hand moves by movements only (`apply`, `count`)."""
        level = self.at(sku, location)
        level.allocated += allocated
        level.reserved += reserved
        delta = self._deltas.setdefault((sku, location), Delta())
        delta.allocated += allocated
        delta.reserved += reserved

    def absorb(self, rows: Iterable[asyncpg.Record]) -> None:
        """Take over levels that a statement wrote; holds changed in memory and not written yet stay on top."""
        for row in rows:
            pair = (row["sku"], row["location"])
            level = self._levels.get(pair) or self.at(*pair)
            level.on_hand, level.quarantined = row["on_hand"], row["quarantined"]
            level.allocated, level.reserved = row["allocated"], row["reserved"]
            level.sequence, level.changed_at = row["sequence"], row["changed_at"]
            pending = self._deltas.get(pair)
            if pending is not None:
                level.allocated += pending.allocated
                level.reserved += pending.reserved
            self.moved[pair] = level

    def take_deltas(self) -> Iterator[tuple[Pair, Delta]]:
        """What is to be written, in lock order; nothing is left to be written afterwards."""
        deltas, self._deltas = self._deltas, {}
        for pair in sorted(deltas):
            if deltas[pair].allocated or deltas[pair].reserved:
                yield pair, deltas[pair]


class Told(Struct, frozen=True, gc=False):
    """A level as an `inventory.level.changed` event tells it."""

    sku: str
    location: str
    on_hand: Decimal
    quarantined: Decimal
    allocated: Decimal
    reserved: Decimal
    sequence: int
    changed_at: datetime | None


class LevelEvent(Struct, frozen=True, gc=False):
    """One element of an `inventory.level.changed` row."""

    key: str
    data: Told


def level_event(level: Level) -> LevelEvent:
    """What is told of a level that moved."""
    told = Told(
        level.sku,
        level.location,
        level.on_hand,
        level.quarantined,
        level.allocated,
        level.reserved,
        level.sequence,
        level.changed_at,
    )
    return LevelEvent(f"stock/{level.sku}@{level.location}", told)


_MANY = msgspec.json.Decoder(list[LevelEvent])
_ONE = msgspec.json.Decoder(Told)


def level_of_event(data: bytes) -> Level:
    """The level in the data of one event."""
    return _level(_ONE.decode(data))


def levels_of_row(data: bytes) -> list[Level]:
    """The levels in an outbox row that holds many events."""
    return [_level(element.data) for element in _MANY.decode(data)]


def _level(told: Told) -> Level:
    return Level(
        told.sku,
        told.location,
        told.on_hand,
        told.quarantined,
        told.allocated,
        told.reserved,
        told.sequence,
        told.changed_at,
    )
