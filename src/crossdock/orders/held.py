# SPDX-License-Identifier: Apache-2.0
"""Tell that an order is held, and that it goes on: once for every set of holds, however often it is looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.money import Money
from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import NeedsEdit
from crossdock.journal.decided import Decided, NewEvent
from crossdock.journal.record import storable
from crossdock.orders.holds import How, Waived
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "held.sql")
MOST_TOLD = 20
"""Holds that are told of one order in an event or a note."""
LONGEST = 500
"""Characters of a value that are told and kept."""


class HeldBy(Struct, frozen=True, kw_only=True):
    """A hold: its kind, the rule, and what it found where."""

    kind: str
    rule: str
    field: str
    value: str


class OrderHeld(Struct, frozen=True, kw_only=True):
    """An order that waits for a yes. `kinds` of hold; `holds`: at most 20; `deadline`: when it should be settled."""

    order_key: str
    number: str
    channel: str
    version: int
    total: Money
    kinds: tuple[str, ...]
    holds: tuple[HeldBy, ...]
    deadline: datetime


class ReleasedHold(Struct, frozen=True, kw_only=True):
    """A hold that holds no more. `how`: a person or a rule said so, or it went by itself, as when credit was freed;
    `by`: who, or which rule."""

    kind: str
    rule: str
    field: str
    value: str
    how: How
    by: str = ""
    reason: str = ""


class OrderReleased(Struct, frozen=True, kw_only=True):
    """An order goes on that was held, or that a standing rule let through. `holds`: at most 20."""

    order_key: str
    number: str
    channel: str
    version: int
    total: Money
    holds: tuple[ReleasedHold, ...]


class Noted(Struct, frozen=True, kw_only=True):
    """A failure as it is kept with a case."""

    rule: str
    field: str
    value: str
    hold: str = ""
    mark: str = ""


_NOTED = msgspec.json.Decoder(tuple[Noted, ...])
Held = tuple[Noted, ...]


async def held_before(conn: asyncpg.Connection, documents: Sequence[int]) -> dict[int, Held]:
    """What held each of `documents` when it was last decided on; those that are not held are left out."""
    if not documents:
        return {}
    rows = await conn.fetch(SQL.held_before, list(documents))
    return {row["document_id"]: noted(row["failures"]) for row in rows}


def noted(failures: bytes) -> Held:
    """What is kept with a case of all that is wrong, where it is kept."""
    return _NOTED.decode(failures) if failures else ()


def tell_hold(order: SalesOrder, decided: Decided, before: Held, deadline: datetime) -> Decided:
    """`decided` with the event that `order` is held, unless the same held it `before`; as it is when it is not held."""
    error = decided.error
    if not isinstance(error, NeedsEdit) or not error.holds:
        return decided
    found = {_name(one.rule, one.field, _text(one.value)) for one in error.every}
    if found == {_name(one.rule, one.field, one.value) for one in before}:
        return decided
    told = OrderHeld(
        order_key=order.order_key,
        number=order.number,
        channel=order.channel,
        version=order.version,
        total=order.total,
        kinds=error.holds,
        holds=tuple(
            HeldBy(kind=one.hold, rule=one.rule, field=one.field, value=_text(one.value))
            for one in error.every[:MOST_TOLD]
        ),
        deadline=deadline,
    )
    return replace(decided, events=(*decided.events, NewEvent(type="sales_order.held", data=encode(told))))


def tell_release(order: SalesOrder, decided: Decided, waived: Sequence[Waived], before: Held) -> Decided:
    """`decided`, by which `order` goes on, with what was let through: as note, as rules, and as the event that it is
    released when it was held `before` or a rule let it through."""
    if decided.error is not None or decided.duplicate or not (waived or before):
        return decided
    by_rule = tuple(dict.fromkeys(one.by.replace("rule ", "release/") for one in waived if one.how == "rule"))
    note = "; ".join(f"{one.failure.rule} released by {one.by}: {one.reason}" for one in waived[:MOST_TOLD])
    decided = replace(
        decided,
        note="; ".join(part for part in (decided.note, note) if part),
        rules=" ".join((decided.rules, *by_rule[:MOST_TOLD])),
    )
    if not before and not by_rule:
        # It has gone on before: a person released this of an earlier version.
        return decided
    told = OrderReleased(
        order_key=order.order_key,
        number=order.number,
        channel=order.channel,
        version=order.version,
        total=order.total,
        holds=_gone(waived, before)[:MOST_TOLD],
    )
    return replace(decided, events=(*decided.events, NewEvent(type="sales_order.released", data=encode(told))))


def _gone(waived: Sequence[Waived], before: Held) -> tuple[ReleasedHold, ...]:
    let = [
        ReleasedHold(
            kind=one.failure.hold,
            rule=one.failure.rule,
            field=one.failure.field,
            value=_text(one.failure.value),
            how=one.how,
            by=one.by,
            reason=one.reason,
        )
        for one in waived
    ]
    names = {_name(one.rule, one.field, one.value) for one in let}
    return (
        *let,
        *(
            ReleasedHold(kind=one.hold, rule=one.rule, field=one.field, value=one.value, how="itself")
            for one in before
            if _name(one.rule, one.field, one.value) not in names
        ),
    )


def _name(rule: str, field: str, value: str) -> tuple[str, str, str]:
    return rule, field, value


def _text(value: object) -> str:
    return "" if value is None else storable(str(value), LONGEST)
