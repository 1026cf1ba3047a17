# SPDX-License-Identifier: Apache-2.0
"""Take notices of goods on their way: what is expected of each SKU, how much of it came, when the rest is due.

A notice is a full statement at its version. What came is what the ledger has received under its reference, so goods
that are there before their notice count as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.objects import encode
from crossdock.canonical.stock import ExpectedLine, InboundReceipt
from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.errors import NeedsEdit
from crossdock.inventory.level import ZERO, Pair
from crossdock.inventory.lock import SQL
from crossdock.inventory.measure import in_base, not_counted, unknown_location, unknown_sku
from crossdock.inventory.whole import wholes
from crossdock.journal.decided import Decided, NewEvent, RefusedPart, Translated


class _Notice(Struct, frozen=True):
    """A notice that may be taken: quantities in base units by SKU, and what of it needs a person. `whole`: the document
    it was split off; itself when off none."""

    item: Translated
    quantities: Mapping[str, Decimal]
    parts: tuple[RefusedPart, ...]
    whole: int


class _Stands(Struct, frozen=True, order=True):
    """The version of a notice that stands, and the document that brought it."""

    version: int
    whole: int


def pairs_of_notices(batch: Sequence[Translated], catalog: Catalog, locations: Mapping[str, object]) -> set[Pair]:
    """The levels whose goods these notices announce; who holds them keeps receipts from coming in meanwhile."""
    return {
        (line.sku, item.document.location)
        for item in batch
        if item.document.location in locations
        for line in item.document.lines
        if line.sku in catalog.products
    }


async def expect(
    conn: asyncpg.Connection, batch: Sequence[Translated], catalog: Catalog, locations: Mapping[str, object]
) -> list[Decided]:
    """Decide on notices, in the same order. The levels of `pairs_of_notices` are locked.

    A SKU with a line that is not acceptable becomes a part of its own, with all of its lines; the others are expected.
    At most one notice of a reference is in a batch (claims take the oldest of each key), except for mended parts of
    one.
    """
    parents = await wholes(conn, batch)
    read = [_read(item, catalog, locations, parents) for item in batch]
    references = sorted({one.item.document.reference for one in read if isinstance(one, _Notice)})
    standing: dict[str, _Stands] = {}
    if references:
        for row in await conn.fetch(SQL.lock_expected, references):
            stands = _Stands(row["version"], row["document_id"])
            standing[row["reference"]] = max(standing.get(row["reference"], stands), stands)
    decisions: list[Decided] = []
    waiting: dict[str, _Notice] = {}
    for one in read:
        if isinstance(one, Decided):
            decisions.append(one)
            continue
        reference = one.item.document.reference
        decided = _decide(one, standing.get(reference))
        if decided.accepted:
            if reference in waiting:
                await _write(conn, list(waiting.values()))
                waiting = {}
            waiting[reference] = one
            standing[reference] = _Stands(one.item.document.version, one.whole)
        decisions.append(decided)
    await _write(conn, list(waiting.values()))
    return decisions


def _read(
    item: Translated, catalog: Catalog, locations: Mapping[str, object], parents: Mapping[int, int]
) -> _Notice | Decided:
    document: InboundReceipt = item.document
    if document.location not in locations:
        return Decided(error=unknown_location(document.location, "location"))
    by_sku: dict[str, list[ExpectedLine]] = {}
    for line in document.lines:
        by_sku.setdefault(line.sku, []).append(line)
    quantities: dict[str, Decimal] = {}
    parts: list[RefusedPart] = []
    for sku, lines in by_sku.items():
        value = _sum(lines, catalog.products.get(sku))
        if isinstance(value, NeedsEdit):
            # Whole, because a mended part states its SKU anew: what it left out would be lost.
            body = encode(replace(document, lines=tuple(lines)))
            parts.append(RefusedPart(ordinal=len(parts) + 1, stage="canonical", body=body, error=value))
        else:
            quantities[sku] = value
    parent = item.claimed.parent_id
    return _Notice(item, quantities, tuple(parts), item.claimed.id if parent is None else parents[parent])


def _sum(lines: Sequence[ExpectedLine], product: ProductFacts | None) -> Decimal | NeedsEdit:
    """What the lines of one SKU come to in its base unit, or what is wrong with the first that does not count."""
    if product is None:
        return unknown_sku(lines[0].sku, "lines[0].sku")
    total = ZERO
    for index, line in enumerate(lines):
        value = in_base(product, line.quantity, f"lines[{index}].quantity")
        if isinstance(value, Decimal) and value < 0:
            value = not_counted(value, f"lines[{index}].quantity")
        if isinstance(value, NeedsEdit):
            return value
        total += value
    return total


def _old(one: _Notice, stands: _Stands) -> bool:
    """Whether what stands is at least as new. A part is as new as what it was split off: of two statements of the same
    version it adds to the one it came with, and to a later one nothing."""
    document: InboundReceipt = one.item.document
    if document.version != stands.version:
        return document.version < stands.version
    if one.item.claimed.parent_id is not None:
        return one.whole < stands.whole
    # A source without versions says 0 each time: then the last to come counts.
    return document.version > 0


def _decide(one: _Notice, stands: _Stands | None) -> Decided:
    document: InboundReceipt = one.item.document
    if stands is not None and _old(one, stands):
        return Decided(duplicate=True, note="an equal or newer version of the notice is here already")
    summary = {
        "reference": document.reference,
        "source": document.source,
        "location": document.location,
        "status": document.status,
        "due_at": document.due_at,
        "version": document.version,
        "skus": len(one.quantities),
    }
    return Decided(
        parts=one.parts,
        accepted=True,
        note="" if document.status == "open" else f"{document.status}: nothing more is to come",
        events=(NewEvent(type="inbound_receipt.accepted", data=encode(summary)),),
    )


async def _write(conn: asyncpg.Connection, notices: Sequence[_Notice]) -> None:
    """Write notices of different references. A mended part adds its SKU to the version that is here; anything else
    replaces it whole."""
    rows = [(one, sku) for one in notices for sku in sorted(one.quantities)]
    if rows:
        documents: list[InboundReceipt] = [one.item.document for one, _ in rows]
        await conn.execute(
            SQL.expect,
            [document.reference for document in documents],
            [document.location for document in documents],
            [document.source for document in documents],
            [document.due_at for document in documents],
            [document.version for document in documents],
            [document.status for document in documents],
            [one.whole for one, _ in rows],
            [sku for _, sku in rows],
            [one.quantities[sku] for one, sku in rows],
        )
    whole = [one for one in notices if one.item.claimed.parent_id is None]
    if whole:
        named = [(one.item.document.reference, sku) for one in whole for sku in one.quantities]
        await conn.execute(
            SQL.expect_no_more,
            [one.item.document.reference for one in whole],
            [one.item.document.location for one in whole],
            [one.item.document.version for one in whole],
            [one.whole for one in whole],
            [reference for reference, _ in named],
            [sku for _, sku in named],
        )
