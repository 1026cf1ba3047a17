# SPDX-License-Identifier: Apache-2.0
"""A reservation: what is asked for, what was taken, and how it is told. Quantities are decimals with a unit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.objects import encode
from crossdock.errors import Refused
from crossdock.runtime.postgres import load_queries
from crossdock.sdk.receiving import digest_of

SQL = load_queries(__package__, "reservations.sql")
MOST_LINES = 1_000


class ReservationLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Goods that a request wants held. `line` "" = its number, from 1; `unit` "" = the SKU's own.

    `locations`: where the goods may come from, the best first; () = any location of the channel.
    """

    sku: str
    quantity: Decimal
    line: str = ""
    unit: str = ""
    locations: tuple[str, ...] = ()


class ReservationRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold all of these lines for `channel` for so many seconds, or none of them."""

    channel: str
    ttl_seconds: int
    lines: tuple[ReservationLine, ...]
    reference: str = ""


class Asked(Struct, frozen=True):
    """A request under its idempotency key, which is unique within the channel."""

    key: str
    request: ReservationRequest
    digest: int


class HeldGoods(Struct, frozen=True, gc=False):
    """Goods held at one location, in the SKU's base unit; of a bundle, one of its components."""

    sku: str
    location: str
    quantity: Decimal


class HeldLine(Struct, frozen=True, kw_only=True, gc=False):
    """A line as it was asked for, and where its goods are held."""

    line: str
    sku: str
    quantity: Decimal
    unit: str
    taken: tuple[HeldGoods, ...]


class Reservation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hold, as its owner is told of it. `expires_at` counts while it is active; committed it waits for its order."""

    id: str
    channel: str
    state: str
    reference: str
    created_at: datetime
    expires_at: datetime
    lines: tuple[HeldLine, ...]
    order_key: str = ""
    ended_at: datetime | None = None


class Answered(Struct, frozen=True, kw_only=True):
    """The reservation as JSON; `repeated`: it was made earlier, under the same key and for the same content."""

    id: str
    body: bytes
    repeated: bool = False


class Substitute(Struct, frozen=True):
    """What could be sold instead, and how much of it, in its base unit."""

    sku: str
    available: Decimal


class Shortage(Struct, frozen=True, kw_only=True):
    """A line that could not be held. Both numbers are in `unit`, the one that was asked in."""

    line: str
    sku: str
    wanted: Decimal
    available: Decimal
    unit: str
    substitutes: tuple[Substitute, ...] = ()


class NotEnough(Refused):
    """There is less than was asked for; nothing is held. `shortages`: line by line."""

    def __init__(self, shortages: tuple[Shortage, ...]) -> None:
        first = shortages[0]
        others = f"; {len(shortages)} lines are short" if len(shortages) > 1 else ""
        super().__init__(
            f"line {first.line}: {first.wanted:f} {first.unit} of {first.sku} wanted, {first.available:f} available"
            + others,
            status=409,
            rule="stock.not_enough",
            fix="ask for what is available, for a substitute, or later",
        )
        self.shortages = shortages


_BODY = msgspec.json.Decoder(Reservation)


def asked(key: str, request: ReservationRequest) -> Asked:
    """`request` under its idempotency key, with the digest of its content."""
    return Asked(key, request, digest_of(encode(request)))


def as_it_stands(row: asyncpg.Record) -> bytes:
    """The reservation of a row of table `reservation`, as it stands now."""
    made = _BODY.decode(row["body"])
    return encode(
        replace(
            made,
            state=row["state"],
            expires_at=row["expires_at"],
            order_key=row["order_key"],
            ended_at=row["ended_at"],
        )
    )


class _Element(Struct, frozen=True):
    key: str
    data: object


def told(events: Iterable[tuple[str, object]]) -> bytes:
    """The data of one outbox row that holds an event for each of these: (reservation id, data)."""
    return encode([_Element(f"reservation/{one}", data) for one, data in events])


def told_states(rows: Iterable[asyncpg.Record]) -> bytes:
    """The same for reservations whose state or time has changed, from their rows."""
    names = ("id", "channel", "reference", "state", "order_key", "expires_at")
    return told((row["id"], {name: row[name] for name in names}) for row in rows)


def ended(row: asyncpg.Record, verb: str) -> Refused:
    """A reservation whose state does not allow what was asked of it."""
    state = row["state"]
    fix = {
        "expired": "reserve again",
        "released": "reserve again",
        "allocated": "change or cancel the order that took it over",
        "committed": "nothing needs to be done: it waits for its order and does not expire",
    }.get(state, "")
    said = f"the reservation is {state}, it cannot be {verb}"
    return Refused(said, status=409, rule=f"reservation.{state}", fix=fix)


def no_such(reservation: str) -> Refused:
    """There is no reservation of this id."""
    return Refused(
        f"there is no reservation {reservation[:100]!r}",
        status=404,
        rule="reservation.unknown",
        fix="use the id that the reservation was answered with",
    )
