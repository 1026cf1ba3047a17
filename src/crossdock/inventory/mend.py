# SPDX-License-Identifier: Apache-2.0
"""What is done about differences, by rule: small ones are counted, a channel is told again, the rest is for a person.

Whatever is done about goods goes the path of every document, so that it is kept, counted and explained."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from crossdock.canonical.money import Money
from crossdock.canonical.objects import encode
from crossdock.canonical.quantity import EACH, WHOLE_UNITS
from crossdock.canonical.stock import StockDifference
from crossdock.catalog.cache import Catalog
from crossdock.inventory.compared import Action, ComparedSystem, Difference, ReconcileRules
from crossdock.inventory.level import ZERO, Pair
from crossdock.inventory.listing import SQL
from crossdock.inventory.measure import fits
from crossdock.journal.keep import MAX_BATCH, keep
from crossdock.journal.record import storable
from crossdock.sdk.receiving import Incoming, digest_of

TOPIC = "stock_difference"
# So many of one system wait at once: more of them have one cause, and a person needs to see it once.
MOST_CASES = 200
_LONGEST_REASON = 500


def choose(
    differences: Sequence[Difference],
    rules: ReconcileRules,
    catalog: Catalog,
    open_keys: frozenset[str],
    told_before: frozenset[Pair],
) -> None:
    """Write the action into each difference of one system.

    `open_keys`: business keys that wait for a person already; `told_before`: what the run before this one told again.
    """
    cases = len(open_keys)
    for one in differences:
        action = _action(one, rules, catalog, told_before)
        if action == "case":
            if one.key in open_keys:
                action = "case_open"
            elif cases >= MOST_CASES:
                action = "left"
            else:
                cases += 1
        one.action = action


def _action(one: Difference, rules: ReconcileRules, catalog: Catalog, told_before: frozenset[Pair]) -> Action:
    if one.kind in ("in_flight", "late_message"):
        return ""
    if one.kind == "unit_mismatch":
        return "case"
    if one.what == "available":
        # Told again and still not shown: telling a third time will not help.
        return "case" if (one.sku, one.location) in told_before or one.ours is None else "told_again"
    trusted = rules.truth.get(one.location) == one.system
    return "counted" if trusted and _countable(one, catalog) and rules.heals(one.ours or ZERO, one.amount) else "case"


def _countable(one: Difference, catalog: Catalog) -> bool:
    """Whether their figure can enter the ledger: a count that is refused would be made again by every comparison."""
    product = catalog.products.get(one.sku)
    if product is None or one.theirs is None or one.theirs < 0 or one.unit:
        return False
    if product.unit in WHOLE_UNITS and one.theirs != one.theirs.to_integral_value():
        return False
    return fits(one.theirs)


async def keep_differences(
    pool: asyncpg.Pool, system: ComparedSystem, run: int, differences: Sequence[Difference], catalog: Catalog
) -> None:
    """Keep what is to be counted or looked at as documents of the system's internal interface. Safe to repeat."""
    batch = [
        _incoming(system, run, one, _document(one, run, catalog, "theirs" if one.action == "counted" else ""))
        for one in differences
        if one.action in ("counted", "case")
    ]
    for start in range(0, len(batch), MAX_BATCH):
        await keep(pool, batch[start : start + MAX_BATCH])


async def close_settled(
    pool: asyncpg.Pool,
    system: ComparedSystem,
    run: int,
    settled: Sequence[Difference],
) -> None:
    """Say of differences that waited for a person that they are gone: what is kept supersedes them."""
    batch = [_incoming(system, run, one, _settled(one, run)) for one in settled]
    for start in range(0, len(batch), MAX_BATCH):
        await keep(pool, batch[start : start + MAX_BATCH])


async def open_keys(conn: asyncpg.Connection, system: ComparedSystem) -> frozenset[str]:
    """Business keys of the system's differences that are not settled."""
    return frozenset(row["key"] for row in await conn.fetch(SQL.open_differences, system.interface))


def _incoming(system: ComparedSystem, run: int, one: Difference, document: StockDifference) -> Incoming:
    body = encode(document)
    return Incoming(
        interface=system.interface,
        topic=TOPIC,
        dedup_key=f"{run}/{one.sku}@{one.location}",
        key=one.key,
        version=run,
        body=body,
        digest=digest_of(body),
        overtakes=True,
    )


def _document(one: Difference, run: int, catalog: Catalog, take: str) -> StockDifference:
    product = catalog.products.get(one.sku)
    price = None
    if one.money is not None and one.amount:
        price = Money(one.money / abs(one.amount), one.currency)
    return msgspec.convert(
        {
            "run": run,
            "system": one.system,
            "what": one.what,
            "sku": one.sku,
            "location": one.location,
            "ours": one.ours,
            "theirs": one.theirs,
            "unit": product.unit if product is not None else EACH,
            "as_of": one.as_of,
            "difference": one.kind,
            "reason": storable(one.reason, _LONGEST_REASON),
            "price": price,
            "take": take,
        },
        StockDifference,
    )


def _settled(one: Difference, run: int) -> StockDifference:
    return StockDifference(
        run=run,
        system=one.system,
        what=one.what,
        sku=one.sku,
        location=one.location,
        ours=one.ours,
        theirs=one.theirs,
        as_of=one.as_of,
        difference="in_flight",
        reason="the figures are equal again",
        take="ours",
    )
