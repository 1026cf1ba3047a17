# SPDX-License-Identifier: Apache-2.0
"""Whatever order movements and counts come in, however often, batched and delayed: the same levels; the laws hold."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from crossdock.canonical.stock import StockCount, StockMovement
from tests.inventory.deciding import PLACES, check_laws, counted, decided, decided_by, moved, movements

SKUS = ("CD-1", "CD-2")
Pair = tuple[str, str]
Sums = tuple[Decimal, Decimal, Decimal]
Drawn = tuple[int, list[tuple[str, str]], bool, str, str]
_TABLES = "stock_movement, stock_level, stock_count, counted_stock, channel_stock, event"
_ON_HAND = {"receipt", "ship", "transfer_out", "transfer_in", "adjustment", "count", "return", "sale"}
_IN = {"receipt", "return", "transfer_in", "allocation", "release"}
_OUT = {"ship", "sale", "transfer_out"}


class Fact(Struct, frozen=True):
    """A movement, drawn: its kind, how much, where, when, in which unit, blocked or not."""

    kind: str
    size: int
    pair: Pair
    minute: int
    cases: bool
    blocked: bool

    def made(self, number: int) -> StockMovement:
        """The movement; its id stands for it and no other."""
        sign = 1 if self.kind in _IN or (self.size % 2 and self.kind not in _OUT) else -1
        in_cases = self.cases and self.pair[0] == "CD-1"
        return moved(
            f"m{number}",
            str(sign * self.size),
            self.kind,
            self.minute,
            sku=self.pair[0],
            location=self.pair[1],
            unit="CS" if in_cases else "EA",
            status="quarantined" if self.blocked else "sellable",
        )


_PAIRS = st.tuples(st.sampled_from(SKUS), st.sampled_from(PLACES))
_KINDS = sorted(_ON_HAND | {"pick", "quarantine", "allocation", "release"})
FACTS = st.builds(
    Fact, st.sampled_from(_KINDS), st.integers(1, 9), _PAIRS, st.integers(0, 12), st.booleans(), st.booleans()
)
_ENTRY = st.tuples(st.sampled_from(SKUS), st.integers(0, 40).map(str))
COUNTS = st.tuples(
    st.integers(0, 12),
    st.lists(_ENTRY, max_size=3),
    st.booleans(),
    st.sampled_from(PLACES),
    st.sampled_from(["a", "b"]),
)


def told(facts: Sequence[Fact], counts: Sequence[Drawn]) -> list[Struct]:
    """The documents: movements in twos and threes, counts by themselves."""
    made = [fact.made(number) for number, fact in enumerate(facts)]
    documents: list[Struct] = [movements(*made[start : start + 2]) for start in range(0, len(made), 2)]
    documents += [
        counted(f"c{number}", minute, *entries, complete=complete, location=location, source=source)
        for number, (minute, entries, complete, location, source) in enumerate(counts)
    ]
    return documents


def expected(moves: Sequence[StockMovement], counts: Sequence[StockCount]) -> dict[Pair, Sums]:
    """On hand, quarantined and allocated by SKU and location, worked out from all that was said at once."""
    found: dict[Pair, Sums] = {}
    for sku in SKUS:
        for location in PLACES:
            at_hand = blocked = promised = Decimal(0)
            start = None
            for one in counts:
                named = [entry for entry in one.entries if entry.sku == sku]
                if one.location != location or not (named or one.complete):
                    continue
                total = sum((entry.quantity.value for entry in named), Decimal(0))
                key = (one.as_of, True, one.source, one.count_id) if named else (one.as_of, False, "", "")
                if start is None or key > start[0]:
                    start = (key, total)
            for move in moves:
                if (move.sku, move.location) != (sku, location):
                    continue
                quantity = move.quantity.value * (12 if move.quantity.unit == "CS" else 1)
                if move.kind in _ON_HAND:
                    if start is None or move.occurred_at > start[0][0]:
                        at_hand += quantity
                    blocked += quantity if move.status == "quarantined" else 0
                elif move.kind == "quarantine":
                    blocked += quantity
                elif move.kind in ("allocation", "release"):
                    promised += quantity if move.kind == "allocation" else -quantity
            found[sku, location] = (at_hand + (start[1] if start else 0), blocked, promised)
    return {pair: sums for pair, sums in found.items() if any(sums)}


async def levels(conn: Any) -> dict[Pair, Sums]:
    rows = await conn.fetch("SELECT sku, location, on_hand, quarantined, allocated FROM stock_level")
    found = {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}
    return {pair: sums for pair, sums in found.items() if any(sums)}


def _valid(facts: list[Fact]) -> list[Fact]:
    return [
        Fact(fact.kind, fact.size, fact.pair, fact.minute, fact.cases, fact.blocked and fact.kind in _ON_HAND)
        for fact in facts
    ]


async def _plays(database: str, documents: list[Struct], seed: int, workers: int) -> None:
    """Every document up to three times, shuffled, in batches by chance, several transactions at once."""
    rng = random.Random(seed)
    # What is asked here does not depend on the disk.
    quick = {"synchronous_commit": "off"}
    pool = await asyncpg.create_pool(database, min_size=1, max_size=4, server_settings=quick)
    try:
        moves = [move for one in documents if not isinstance(one, StockCount) for move in one.movements]
        counts = [one for one in documents if isinstance(one, StockCount)]
        want = expected(moves, counts)
        await pool.execute(f"TRUNCATE {_TABLES}")
        queue = [one for one in documents for _ in range(rng.choice((1, 1, 2, 3)))]
        rng.shuffle(queue)
        number = 0
        while queue:
            batches = []
            for _ in range(workers):
                size = rng.randint(1, 4)
                batch, queue = queue[:size], queue[size:]
                batches.append(decided(pool, *batch, first=number + 1))
                number += size
            await asyncio.gather(*batches)
        assert await levels(pool) == want
        await check_laws(pool, but=("what is allocated is what allocations hold",))
    finally:
        await pool.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FACTS, min_size=1, max_size=14), st.lists(COUNTS, max_size=4), st.integers(0, 2**32), st.integers(1, 3))
def test_any_order_repetition_and_batching_ends_in_the_same_levels(
    database: str, facts: list[Fact], counts: list[Drawn], seed: int, workers: int
) -> None:
    asyncio.run(_plays(database, told(_valid(facts), counts), seed, workers))


def test_late_movements_around_counts_in_every_order(database: str) -> None:
    """Before, at and after a count, and a count before it: all 120 orders of the five."""
    documents: list[Struct] = [
        movements(moved("before", "10", minute=4)),
        movements(moved("at", "3", minute=5)),
        movements(moved("after", "-2", "ship", 6)),
        counted("c1", 3, ("CD-1", "90")),
        counted("c2", 5, ("CD-1", "7")),
    ]

    async def run() -> None:
        conn = await asyncpg.connect(database)
        try:
            for order in permutations(range(5)):
                tried = conn.transaction()
                await tried.start()
                for number, place in enumerate(order, 1):
                    await decided_by(conn, documents[place], first=number)
                assert (order, await levels(conn)) == (order, {("CD-1", "EAST"): (5, 0, 0)})
                await check_laws(conn)
                await tried.rollback()
        finally:
            await conn.close()

    asyncio.run(run())
