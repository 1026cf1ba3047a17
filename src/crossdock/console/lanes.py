# SPDX-License-Identifier: Apache-2.0
"""How long things really took: one lane for the document and one for each of its deliveries, on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from crossdock.console.wording import duration
from crossdock.journal.traced import TracedDelivery, TracedDocument

WIDTH: Final = 720.0
ROW: Final = 22.0
MAX_LANES: Final = 12
_LEAST: Final = 2.5


class Bar(Struct, frozen=True):
    """A span on a lane, in pixels; `title` says it in words."""

    x: float
    width: float
    tone: str
    title: str


class Lane(Struct, frozen=True):
    """One row: what it is, its whole span, and the tries within it."""

    name: str
    took: str
    span: Bar
    tries: tuple[Bar, ...]


class Lanes(Struct, frozen=True):
    """All rows, how long the whole is, and how many deliveries have no row."""

    rows: tuple[Lane, ...]
    total: str
    left_out: int


def draw_lanes(document: TracedDocument, deliveries: Sequence[TracedDelivery], now: datetime) -> Lanes:
    """Lanes of `document` and at most twelve of its `deliveries`; what is not over reaches to `now` (UTC)."""
    theirs = [delivery for delivery in deliveries if delivery.document_id == document.id]
    ends = [document.settled_at or now, *(delivery.settled_at or now for delivery in theirs)]
    start, end = document.received_at, max(ends)
    whole = max((end - start).total_seconds(), 0.001)

    def bar(begin: datetime, finish: datetime, tone: str, title: str) -> Bar:
        x = min(max((begin - start).total_seconds() / whole * WIDTH, 0.0), WIDTH - _LEAST)
        width = max((finish - begin).total_seconds() / whole * WIDTH, _LEAST)
        return Bar(round(x, 2), round(min(width, WIDTH - x), 2), tone, title)

    over = document.settled_at or now
    steps = () if document.decided_at is None else (bar(start, document.decided_at, "work", "received to decided"),)
    took = duration(over - start)
    rows = [Lane("document", took, bar(start, over, "whole", f"{document.state} after {took}"), steps)]
    for delivery in theirs[:MAX_LANES]:
        finish = delivery.settled_at or now
        took = duration(finish - delivery.created_at)
        tries = tuple(
            bar(
                attempt.started_at,
                attempt.finished_at,
                "good" if attempt.outcome == "delivered" else "bad",
                f"try {attempt.number}: {attempt.outcome} after {duration(attempt.finished_at - attempt.started_at)}",
            )
            for attempt in delivery.attempts
        )
        span = bar(delivery.created_at, finish, "whole", f"{delivery.state} after {took}")
        rows.append(Lane(_name(delivery), took, span, tries))
    return Lanes(tuple(rows), duration(whole), max(0, len(theirs) - MAX_LANES))


def _name(delivery: TracedDelivery) -> str:
    # Several fulfillment orders of one order differ by what follows "#" in our reference.
    _, mark, part = delivery.reference.rpartition("#")
    what = delivery.operation.replace("_", " ")
    return f"{delivery.system} {what} #{part}" if mark else f"{delivery.system} {what}"
