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
from crossdock.canonical.stock import InboundReceipt
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.inventory.level import ZERO, Pair
from crossdock.inventory.lock import SQL
from crossdock.inventory.measure import in_base, not_counted, unknown_location, unknown_sku
from crossdock.journal.decided import Decided, NewEvent, RefusedPart, Translated


class _Notice(Struct, frozen=True):
    """A notice that may be taken: quantities in base units by SKU, and what of it needs a person."""

    item: Translated
    quantities: Mapping[str, Decimal]
    parts: tuple[RefusedPart, ...]


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

    A line that is not acceptable becomes a part of its own; the others are expected. At most one notice of a reference
    is in a batch (claims take the oldest of each key), except for mended parts of one.
    """
    read = [_read(item, catalog, locations) for item in batch]
    references = sorted({one.item.document.reference for one in read if isinstance(one, _Notice)})
    versions: dict[str, int] = {}
    if references:
        rows = await conn.fetch(SQL.lock_expected, references)
        for row in rows:
            versions[row["reference"]] = max(versions.get(row["reference"], -1), row["version"])
    decisions: list[Decided] = []
    for one in read:
        if isinstance(one, Decided):
            decisions.append(one)
            continue
        decided = _decide(one, versions.get(one.item.document.reference))
        if decided.accepted:
            await _write(conn, one)
            versions[one.item.document.reference] = one.item.document.version
        decisions.append(decided)
    return decisions


def _read(item: Translated, catalog: Catalog, locations: Mapping[str, object]) -> _Notice | Decided:
    document: InboundReceipt = item.document
    if document.location not in locations:
        return Decided(error=unknown_location(document.location, "location"))
    quantities: dict[str, Decimal] = {}
    parts: list[RefusedPart] = []
    for line in document.lines:
        product = catalog.products.get(line.sku)
        value = (
            unknown_sku(line.sku, "lines[0].sku")
            if product is None
            else in_base(product, line.quantity, "lines[0].quantity")
        )
        if isinstance(value, Decimal) and value < 0:
            value = not_counted(value, "lines[0].quantity")
        if isinstance(value, NeedsEdit):
            body = encode(replace(document, lines=(line,)))
            parts.append(RefusedPart(ordinal=len(parts) + 1, stage="canonical", body=body, error=value))
        else:
            quantities[line.sku] = quantities.get(line.sku, ZERO) + value
    return _Notice(item, quantities, tuple(parts))


def _decide(one: _Notice, known: int | None) -> Decided:
    document: InboundReceipt = one.item.document
    mended = one.item.claimed.parent_id is not None
    # A source without versions says 0 each time: then the last to come counts.
    old = known is not None and (document.version < known or (document.version == known and known > 0 and not mended))
    if old:
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


async def _write(conn: asyncpg.Connection, one: _Notice) -> None:
    """A mended part adds its line to the version that is here; anything else replaces it whole."""
    document: InboundReceipt = one.item.document
    skus = sorted(one.quantities)
    await conn.execute(
        SQL.expect,
        document.reference,
        document.location,
        document.source,
        document.due_at,
        document.version,
        document.status,
        one.item.claimed.id,
        skus,
        [one.quantities[sku] for sku in skus],
    )
    if one.item.claimed.parent_id is None:
        await conn.execute(SQL.expect_no_more, document.reference, document.location, document.version, skus)
