# SPDX-License-Identifier: Apache-2.0
"""Stock movements as the warehouse's events bring them, signed, and the levels they must add up to."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from bench.orders import post
from crossdock.sandbox.catalog import Catalog
from crossdock.sandbox.signing import signed_headers

TOPIC = "stock.movements"
BATCH = 500
Levels = Counter[tuple[str, str]]
"""On hand in EA by (SKU, location)."""


class Movement(Struct, frozen=True):
    """A change of stock as the warehouse writes it."""

    id: str
    type: str
    sku: str
    location: str
    quantity: str
    unit: str = "EA"


def opening(catalog: Catalog, *, first: int) -> list[Movement]:
    """A receipt of 100 of every product at every location; running numbers from `first` on."""
    everywhere = [(product.sku, place.code) for product in catalog.products for place in catalog.locations]
    return [Movement(_id(number), "receipt", *where, "100") for number, where in enumerate(everywhere, start=first)]


def by_chance(catalog: Catalog, count: int, *, first: int) -> list[Movement]:
    """`count` receipts and small adjustments by chance over every product at every location."""
    rng = random.Random(first)
    places = [place.code for place in catalog.locations]
    made = []
    for number in range(first, first + count):
        sku, place = rng.choice(catalog.products).sku, rng.choice(places)
        kind = rng.choice(("receipt", "adjustment"))
        quantity = rng.randint(1, 20) if kind == "receipt" else rng.choice((-3, -2, -1, 1, 2, 3))
        made.append(Movement(_id(number), kind, sku, place, str(quantity)))
    return made


def effect(movements: list[Movement]) -> Levels:
    """What `movements` change, by SKU and location."""
    levels: Levels = Levels()
    for movement in movements:
        levels[movement.sku, movement.location] += int(movement.quantity)
    return Levels({key: change for key, change in levels.items() if change})


def events(movements: list[Movement]) -> list[bytes]:
    """The movements as bodies of events that happen now, BATCH to an event."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    made = []
    for start in range(0, len(movements), BATCH):
        told = [
            {**msgspec.to_builtins(one), "occurred_at": now, "reference": None, "lot": None}
            for one in movements[start : start + BATCH]
        ]
        event = {"type": TOPIC, "id": f"of {movements[start].id}", "occurred_at": now, "data": {"movements": told}}
        made.append(msgspec.json.encode(event))
    return made


def _id(number: int) -> str:
    return f"mov_{number:012d}"


def requests(bodies: list[bytes], secret: str, *, first: int) -> list[bytes]:
    """Each event as the HTTP request the warehouse would send now (its signature holds for five minutes)."""
    now = int(time.time())
    return [
        post(
            f"/hooks/warehouse/{TOPIC}",
            {"Content-Type": "application/json", **signed_headers(secret, f"msg_bench_{number}", now, body)},
            body,
        )
        for number, body in enumerate(bodies, start=first)
    ]
