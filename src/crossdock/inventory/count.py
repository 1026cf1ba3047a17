# SPDX-License-Identifier: Apache-2.0
"""Take counts: absolute statements become counted differences and never overwrite what moved after them.

A count says what was on hand at its moment. What the ledger held then is what it holds now less what moved since, by
when it happened; the difference enters the ledger as a movement of kind count. From then on movements from before that
moment are late (`apply`), and older counts are stale. So counts and movements end in the same levels in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.objects import encode
from crossdock.canonical.stock import StockCount
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.inventory.counted import Said, enter, weigh
from crossdock.inventory.level import ZERO, Level, Levels, Pair
from crossdock.inventory.lock import SQL
from crossdock.inventory.measure import in_base, not_counted, unknown_location, unknown_sku
from crossdock.journal.decided import Decided, NewEvent, RefusedPart, Translated
from crossdock.runtime.clock import now

# How far clocks may be apart: a count from the future would swallow what moves until then.
_SKEW = timedelta(minutes=1)
_SHOWN = 100

CountId = tuple[str, str]
"""(source, count id)."""


class _Read(Struct, frozen=True):
    """A count that may be taken: what it says in base units by SKU, and what of it needs a person.

    `whole`: it speaks for every SKU of its location."""

    item: Translated
    quantities: Mapping[str, Decimal]
    parts: tuple[RefusedPart, ...]
    whole: bool


def pairs_of_counts(batch: Sequence[Translated], catalog: Catalog, locations: Mapping[str, object]) -> set[Pair]:
    """The levels that these counts name."""
    return {
        (entry.sku, item.document.location)
        for item in batch
        if item.document.location in locations
        for entry in item.document.entries
        if entry.sku in catalog.products
    }


def locations_of_counts(batch: Sequence[Translated], locations: Mapping[str, object]) -> set[str]:
    """The locations that these counts speak for in whole."""
    return {item.document.location for item in batch if item.document.complete and item.document.location in locations}


async def count(
    conn: asyncpg.Connection,
    batch: Sequence[Translated],
    catalog: Catalog,
    locations: Mapping[str, object],
    levels: Levels,
) -> list[Decided]:
    """Decide on counts, in the same order. `levels`: those of `pairs_of_counts` and of every SKU at
    `locations_of_counts`, locked. An entry that is not acceptable becomes a part of its own; the others count."""
    read = [_read(item, catalog, locations) for item in batch]
    good = [one for one in read if isinstance(one, _Read)]
    said = await _news(conn, good, catalog, levels)
    weighed = await weigh(conn, said, levels)
    await enter(conn, weighed, levels)
    new = await _record(conn, good)
    by_document: dict[int, list[Said]] = {}
    for one in weighed:
        by_document.setdefault(one.document_id, []).append(one)
    return [
        one if isinstance(one, Decided) else _decide(one, by_document.get(one.item.claimed.id, []), new, levels)
        for one in read
    ]


def _read(item: Translated, catalog: Catalog, locations: Mapping[str, object]) -> _Read | Decided:
    document: StockCount = item.document
    if document.location not in locations:
        return Decided(error=unknown_location(document.location, "location"))
    latest = max(now(), item.claimed.received_at) + _SKEW
    if document.as_of > latest:
        return Decided(
            error=NeedsEdit(
                f"the count is of {document.as_of:%Y-%m-%d %H:%M:%S} UTC, which is still to come",
                field="as_of",
                rule="stock.as_of",
                value=document.as_of.isoformat(),
                fix="put the moment of the count, and look at the clock of its source",
            )
        )
    quantities: dict[str, Decimal] = {}
    wrong: dict[str, NeedsEdit] = {}
    for entry in document.entries:
        product = catalog.products.get(entry.sku)
        value = (
            unknown_sku(entry.sku, "entries[0].sku")
            if product is None
            else in_base(product, entry.quantity, "entries[0].quantity")
        )
        if isinstance(value, Decimal) and value < 0:
            value = not_counted(value, "entries[0].quantity")
        if isinstance(value, NeedsEdit):
            wrong.setdefault(entry.sku, value)
        else:
            # The same SKU in another lot or bin.
            quantities[entry.sku] = quantities.get(entry.sku, ZERO) + value
    parts = tuple(_part(document, number, sku, error) for number, (sku, error) in enumerate(wrong.items(), 1))
    for sku in wrong:
        quantities.pop(sku, None)
    # A SKU that cannot be made out may be any, so that none is known to be missing.
    nameless = bool(item.parts) or any(sku not in catalog.products for sku in wrong)
    return _Read(item, quantities, parts, document.complete and not nameless)


def _part(document: StockCount, ordinal: int, sku: str, error: NeedsEdit) -> RefusedPart:
    entries = tuple(entry for entry in document.entries if entry.sku == sku)
    body = encode(replace(document, complete=False, entries=entries))
    return RefusedPart(ordinal=ordinal, stage="canonical", body=body, error=error)


async def _news(conn: asyncpg.Connection, good: Sequence[_Read], catalog: Catalog, levels: Levels) -> list[Said]:
    """What is said for the first time, in the order of the counts' moments."""
    ids = [(one.item.document.source, one.item.document.count_id) for one in good]
    columns = [source for source, _ in ids], [count_id for _, count_id in ids]
    taken = {(row["source"], row["count_id"]) for row in await conn.fetch(SQL.known_counts, *columns)} if ids else set()
    known = {tuple(row) for row in await conn.fetch(SQL.known_counted, *columns)} if taken else set()
    said: list[Said] = []
    for one in sorted(good, key=lambda one: (one.item.document.as_of, one.item.document.source)):
        document: StockCount = one.item.document
        said += [
            _said(one, sku, quantity, catalog)
            for sku, quantity in one.quantities.items()
            if (document.source, document.count_id, sku) not in known
        ]
        known |= {(document.source, document.count_id, sku) for sku in one.quantities}
        if one.whole and (document.source, document.count_id) not in taken:
            named = {entry.sku for entry in document.entries}
            absent = [level.sku for level in levels.of(document.location) if level.sku not in named]
            said += [_said(one, sku, ZERO, catalog, absent=True) for sku in absent]
        taken.add((document.source, document.count_id))
    return said


def _said(one: _Read, sku: str, quantity: Decimal, catalog: Catalog, *, absent: bool = False) -> Said:
    document: StockCount = one.item.document
    product = catalog.products.get(sku)
    return Said(
        document_id=one.item.claimed.id,
        source=document.source,
        count_id=document.count_id,
        sku=sku,
        location=document.location,
        as_of=document.as_of,
        quantity=quantity,
        unit=product.unit if product is not None else "EA",
        absent=absent,
    )


async def _record(conn: asyncpg.Connection, good: Sequence[_Read]) -> set[int]:
    """Keep the counts; which documents brought one that was not known."""
    if not good:
        return set()
    first: dict[CountId, _Read] = {}
    for one in good:
        first.setdefault((one.item.document.source, one.item.document.count_id), one)
    rows = await conn.fetch(
        SQL.record_counts,
        [source for source, _ in first],
        [count_id for _, count_id in first],
        [one.item.document.location for one in first.values()],
        [one.item.document.as_of for one in first.values()],
        [one.whole for one in first.values()],
        [one.item.claimed.id for one in first.values()],
    )
    return {row["document_id"] for row in rows}


def _decide(one: _Read, said: list[Said], new: set[int], levels: Levels) -> Decided:
    document: StockCount = one.item.document
    if not said and not one.parts and one.item.claimed.id not in new:
        return Decided(duplicate=True, note=f"count {document.count_id} was taken before")
    valid = [entry for entry in said if not entry.stale]
    differing = [entry for entry in valid if entry.difference]
    short = _short(differing, levels)
    stale = len(said) - len(valid)
    notes = [f"{len(differing)} of {len(said)} SKUs differ"]
    if stale:
        notes.append(f"{stale} were counted later and stay as they are")
    if document.complete and not one.whole:
        notes.append("entries could not be made out, so nothing was taken for missing: send the count again")
    if short:
        notes.append(f"goods that were promised are missing: {_names(short)}")
    if said and not valid and not one.parts:
        return Decided(duplicate=True, note="stale: every SKU of it was counted later")
    return Decided(
        parts=one.parts, accepted=True, note="; ".join(notes), events=_events(document, valid, differing, stale, short)
    )


def _short(differing: Iterable[Said], levels: Levels) -> list[Level]:
    found = [levels.at(entry.sku, entry.location) for entry in differing if entry.difference < 0]
    return [level for level in found if level.free < 0]


def _names(short: Sequence[Level]) -> str:
    shown = ", ".join(f"{-level.free} of {level.sku} at {level.location}" for level in short[:5])
    return shown + (f" and {len(short) - 5} more" if len(short) > 5 else "")


def _events(
    document: StockCount, valid: Sequence[Said], differing: Sequence[Said], stale: int, short: Sequence[Level]
) -> tuple[NewEvent, ...]:
    head = {"source": document.source, "count_id": document.count_id, "location": document.location}
    summary = {**head, "as_of": document.as_of, "counted": len(valid), "differing": len(differing), "stale": stale}
    events = [NewEvent(type="stock.counted", data=encode(summary))]
    if short:
        lines = [
            {"sku": level.sku, "on_hand": level.on_hand, "promised": level.on_hand - level.free, "short": -level.free}
            for level in short[:_SHOWN]
        ]
        data = encode({**head, "skus": len(short), "lines": lines})
        events.append(NewEvent(type="stock.promised_missing", data=data))
    return tuple(events)
