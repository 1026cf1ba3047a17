# SPDX-License-Identifier: Apache-2.0
"""Geometry of stock: what is on hand as one bar of its parts, and the stock on hand over its last movements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from crossdock.inventory.level import Level
from crossdock.observe.stock import Move

BAR_WIDTH = 240.0


class Part(Struct, frozen=True):
    """A part of a bar: where, how wide, what it stands for."""

    kind: str
    x: float
    width: float
    title: str


def bar(level: Level, largest: Decimal) -> tuple[Part, ...]:
    """`level` as a bar whose full width is `largest` on hand: free, allocated, reserved, quarantined.

    What is promised beyond what is there is drawn as `short`, over all of the bar that there is.
    """
    scale = BAR_WIDTH / float(largest) if largest > 0 else 0.0
    parts, x = [], 0.0
    short = -level.free if level.free < 0 else Decimal(0)
    for kind, quantity in (
        ("free", max(level.free, Decimal(0))),
        ("allocated", level.allocated),
        ("reserved", level.reserved),
        ("quarantined", level.quarantined),
    ):
        width = min(float(quantity) * scale, BAR_WIDTH - x)
        if width > 0:
            parts.append(Part(kind, round(x, 1), round(width, 1), f"{quantity:f} {kind}"))
            x += width
    if short:
        parts.append(Part("short", 0.0, max(round(x, 1), 4.0), f"{short:f} more promised than there is"))
    return tuple(parts)


class Steps(Struct, frozen=True):
    """Stock on hand over time, ready for SVG. `low`, `high`: the least and the most; `since`, `until`: its ends."""

    width: float
    height: float
    path: str
    zero: float
    low: Decimal
    high: Decimal
    since: datetime
    until: datetime


def steps(levels: Sequence[Level], moves: Sequence[Move], *, width: float = 460, height: float = 84) -> Steps | None:
    """Stock on hand at all locations before and after each of `moves` (the newest first); None without movements.

    Worked out backwards from what is there now, so the line ends at the level whatever lies before the first movement.
    """
    moving = [move for move in moves if move.on_hand]
    if not moving:
        return None
    there = sum((level.on_hand for level in levels), Decimal(0))
    points = [(moving[0].occurred_at, there)]
    for move in moving:
        points.append((move.occurred_at, there))
        there -= move.on_hand
        points.append((move.occurred_at, there))
    points.reverse()
    values = [value for _, value in points]
    low, high = min(Decimal(0), *values), max(Decimal(1), *values)
    since, until = points[0][0], points[-1][0]
    seconds = max((until - since).total_seconds(), 1.0)
    span = float(high - low)

    def at(moment: datetime, value: Decimal) -> str:
        x = (moment - since).total_seconds() / seconds * width
        return f"{x:.1f} {height - float(value - low) / span * height:.1f}"

    line = "M" + "L".join(at(moment, value) for moment, value in points)
    zero = height - float(-low) / span * height
    return Steps(width, height, line, round(zero, 1), min(values), max(values), since, until)
