# SPDX-License-Identifier: Apache-2.0
"""Read what a system has into a table of this connection, in our names and base units, and find where it differs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

import asyncpg
from msgspec import Struct, field

from crossdock.catalog.cache import Catalog
from crossdock.errors import RetryLater
from crossdock.inventory.compared import ComparedSystem, Difference
from crossdock.inventory.level import Pair
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import load_queries
from crossdock.sdk.listing import Listed, patiently

SQL = load_queries(__package__, "reconcile.sql")
# Beyond this a listing does not end: its pages go round in a circle.
MOST_ROWS = 5_000_000
MOST_DIFFERENCES = 10_000
_MOST_NAMED = 20
_COLUMNS = ("sku", "location", "quantity", "unit", "as_of", "changed_at", "theirs", "place")

Progress = Callable[[str, int], None]
"""Told a system's name and how many rows of it were read."""


class Look(Struct, frozen=True, kw_only=True):
    """What is compared: SKUs (ours, None = all) asked for at `asked_at`; up to `tolerance` two figures count as equal.

    `pairs`: only these SKUs and locations. `turn`: which differences come first where not all can be looked at.
    """

    skus: Sequence[str] | None
    tolerance: Decimal
    asked_at: datetime
    pairs: Sequence[Pair] | None = None
    turn: int = 0


class Standing(Struct, frozen=True):
    """Of the SKUs compared at a location, how many differ."""

    compared: int
    differing: int


class Heard(Struct, kw_only=True):
    """What became of a listing: rows read, and names that are not ours."""

    rows: int = 0
    unknown_skus: set[str] = field(default_factory=set)
    unknown_locations: set[str] = field(default_factory=set)

    @property
    def problems(self) -> list[str]:
        """What was left out, in words."""
        found = []
        for what, names in (("SKUs", self.unknown_skus), ("locations", self.unknown_locations)):
            if names:
                shown = ", ".join(sorted(names)[:3])
                more = " or more" if len(names) >= _MOST_NAMED else ""
                found.append(f"{len(names)}{more} {what} are not known here, as {shown}")
        return found


async def listen(
    conn: asyncpg.Connection,
    system: ComparedSystem,
    catalog: Catalog,
    skus: Sequence[str] | None,
    progress: Progress = lambda _system, _rows: None,
) -> Heard:
    """Ask `system` for everything, or for `skus` (its names), and put it into the table. RetryLater, NeedsConfig."""
    await conn.execute(SQL.make_listed)
    await conn.execute(SQL.make_heard)
    await conn.execute(SQL.empty_listed)
    heard = Heard()
    chunks: Sequence[Sequence[str]] = [()]
    if skus is not None:
        chunks = [skus[start : start + system.skus] for start in range(0, len(skus), system.skus)]
    for chunk in chunks:
        after = ""
        while True:
            page = await patiently(system.name, partial(system.lister.stock, skus=chunk, after=after))
            rows = list(_rows(system, catalog, page.items, heard))
            if rows:
                await conn.copy_records_to_table("reconcile_listed", records=rows, columns=_COLUMNS)
            heard.rows += len(page.items)
            progress(system.name, heard.rows)
            if not page.next or page.next == after:
                break
            if heard.rows >= MOST_ROWS:
                raise RetryLater(f"{system.name} lists more than {MOST_ROWS:,} rows", rule="reconcile.rows")
            after = page.next
            await asyncio.sleep(system.pause)
    await conn.execute(SQL.analyze_listed)
    return heard


def _rows(
    system: ComparedSystem, catalog: Catalog, items: Sequence[Listed], heard: Heard
) -> Iterator[tuple[object, ...]]:
    for item in items:
        location = ""
        if item.location:
            location = catalog.look_up(system.name, "location", item.location) or item.location
            if location not in system.locations:
                _note(heard.unknown_locations, item.location)
                continue
        sku = catalog.sku(system.name, item.sku)
        product = catalog.products.get(sku) if sku is not None else None
        if sku is None or product is None:
            # What they have none of is not worth a word.
            if item.quantity:
                _note(heard.unknown_skus, item.sku)
            continue
        if not product.stocked or (product.components and system.what == "on_hand"):
            continue
        unit, quantity = "", item.quantity
        if item.unit not in ("", product.unit):
            factor = product.factors.get(item.unit)
            unit, quantity = (item.unit, quantity) if factor is None else ("", quantity * factor)
        yield sku, location, quantity, unit, item.as_of, item.changed_at, item.sku, item.location


def _note(names: set[str], name: str) -> None:
    if len(names) < _MOST_NAMED:
        names.add(name)


async def differing(
    conn: asyncpg.Connection, system: ComparedSystem, look: Look, most: int | None = None
) -> list[Difference]:
    """Where what was heard is not what we have, at most `most` of it; in no order of theirs."""
    goods = system.what == "on_hand"
    query = SQL.compare_goods if goods else SQL.compare_shown
    pairs = [None, None] if look.pairs is None else [[pair[at] for pair in look.pairs] for at in (0, 1)]
    rows = await conn.fetch(query, *_scope(system, look), look.asked_at, most, *pairs, look.turn)
    return [
        Difference(
            system=system.name,
            what=system.what,
            sku=row["sku"],
            location=row["location"],
            ours=row["ours"] if not goods or row["ours"] is not None else Decimal(0),
            theirs=row["theirs"],
            as_of=row["as_of"],
            ours_changed_at=row["ours_changed_at"],
            theirs_changed_at=row["theirs_changed_at"],
            names=sorted(set(row["names"] or ())),
            unit=row["unit"],
        )
        for row in rows
    ]


async def standing_at(conn: asyncpg.Connection, system: ComparedSystem, look: Look) -> dict[str, Standing]:
    """How many SKUs are compared at each location, and how many of them differ."""
    query = SQL.count_goods if system.what == "on_hand" else SQL.count_shown
    rows = await conn.fetch(query, *_scope(system, look))
    return {row["location"]: Standing(row["compared"], row["differing"]) for row in rows}


def _scope(system: ComparedSystem, look: Look) -> tuple[object, ...]:
    whose: object = sorted(system.locations) if system.what == "on_hand" else system.name
    return whose, look.skus, look.tolerance


async def look_again(
    conn: asyncpg.Connection, system: ComparedSystem, catalog: Catalog, first: Sequence[Difference], look: Look
) -> list[Difference]:
    """Ask once more for the SKUs that differed; what still does, marked when a figure has moved meanwhile."""
    asked_at = now()
    names = {name for one in first for name in one.names}
    names.update(catalog.names_of(system.name, {one.sku for one in first if not one.names}))
    await listen(conn, system, catalog, sorted(names))
    before = {(one.sku, one.location): one for one in first}
    skus = sorted({one.sku for one in first})
    # What differs only now differs because something moved just now: the next comparison will see.
    again = Look(skus=skus, tolerance=look.tolerance, asked_at=asked_at, pairs=list(before), turn=look.turn)
    still = await differing(conn, system, again)
    for one in still:
        was = before[one.sku, one.location]
        one.moved = was.ours != one.ours or was.theirs != one.theirs
    return still
