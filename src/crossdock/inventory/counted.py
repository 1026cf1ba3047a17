# SPDX-License-Identifier: Apache-2.0
"""Weigh what counts say of each SKU against the ledger, and enter the differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.inventory.level import ZERO, Levels, Pair
from crossdock.inventory.lock import SQL

_ON_HAND = 1
"""What a counted difference does, as the statement `apply_movements` numbers it."""
_Rank = tuple[datetime, bool, str, str]
"""Of two counts of a level the one that ranks higher holds: the later one, one that names the SKU, and then by id, so
that the same holds in whatever order they come."""


class Said(Struct, kw_only=True, gc=False):
    """What a count says of one SKU, in its base unit; weighed: `difference` to the ledger, or `stale`."""

    document_id: int
    source: str
    count_id: str
    sku: str
    location: str
    as_of: datetime
    quantity: Decimal
    unit: str
    absent: bool = False
    difference: Decimal = ZERO
    stale: bool = False

    @property
    def pair(self) -> Pair:
        """The level it speaks of."""
        return self.sku, self.location

    @property
    def rank(self) -> _Rank:
        """Where it stands among the counts of its level."""
        return (self.as_of, False, "", "") if self.absent else (self.as_of, True, self.source, self.count_id)

    @property
    def movement_id(self) -> str:
        """The id of its difference in the ledger: "<count id>/<SKU>", with % and / of the count's id escaped."""
        count_id = self.count_id.replace("%", "%25").replace("/", "%2F")
        return f"{count_id}%absent/{self.sku}" if self.absent else f"{count_id}/{self.sku}"


async def weigh(conn: asyncpg.Connection, said: Sequence[Said], levels: Levels) -> Sequence[Said]:
    """Give every entry its difference, or find it stale; `said` in the order of their moments."""
    if not said:
        return said
    moved = await conn.fetch(
        SQL.moved_since, [one.sku for one in said], [one.location for one in said], [one.as_of for one in said]
    )
    ranks = await _ranks(conn, {one.pair for one in said}, levels)
    on_hand: dict[Pair, Decimal] = {}
    for one, row in zip(said, moved, strict=True):
        level = levels.at(*one.pair)
        held = ranks.get(one.pair)
        if held is not None and one.rank <= held:
            one.stale = True
            continue
        now = on_hand.get(one.pair, level.on_hand)
        one.difference = one.quantity - (now - row["moved"])
        on_hand[one.pair] = now + one.difference
        ranks[one.pair] = one.rank
        level.counted_at = one.as_of
    return said


async def _ranks(conn: asyncpg.Connection, pairs: set[Pair], levels: Levels) -> dict[Pair, _Rank]:
    """The rank of the newest count of each level that was counted before."""
    counted = {pair: at for pair in pairs for at in [levels.at(*pair).counted_at] if at is not None}
    ranks: dict[Pair, _Rank] = {pair: (at, False, "", "") for pair, at in counted.items()}
    if counted:
        rows = await conn.fetch(
            SQL.counted_at,
            [sku for sku, _ in counted],
            [location for _, location in counted],
            list(counted.values()),
        )
        for row in rows:
            pair = (row["sku"], row["location"])
            ranks[pair] = max(ranks[pair], (row["as_of"], True, row["source"], row["count_id"]))
    return ranks


async def enter(conn: asyncpg.Connection, weighed: Sequence[Said], levels: Levels) -> None:
    """Write what was said, the differences into the ledger, and the moments into the levels."""
    valid = [one for one in weighed if not one.stale]
    # That nothing is where nothing was is worth no row.
    entered = [one for one in valid if not one.absent or one.difference]
    if entered:
        rows = await conn.fetch(
            SQL.apply_movements,
            [one.source for one in entered],
            [one.movement_id for one in entered],
            ["count"] * len(entered),
            [one.sku for one in entered],
            [one.location for one in entered],
            [one.difference for one in entered],
            [one.unit for one in entered],
            [one.as_of for one in entered],
            [one.document_id for one in entered],
            [one.count_id for one in entered],
            [_ON_HAND] * len(entered),
            [],
            [],
        )
        levels.absorb(row for row in rows if row["what"] == "level")
    await _record(conn, [one for one in weighed if not one.absent or one.difference])
    newest = {one.pair: one.as_of for one in valid}
    if newest:
        pairs = sorted(newest)
        moments = [newest[pair] for pair in pairs]
        await conn.execute(SQL.set_counted, [sku for sku, _ in pairs], [place for _, place in pairs], moments)


async def _record(conn: asyncpg.Connection, said: Sequence[Said]) -> None:
    if said:
        await conn.execute(
            SQL.record_counted,
            [one.source for one in said],
            [one.count_id for one in said],
            [one.sku for one in said],
            [one.absent for one in said],
            [one.location for one in said],
            [one.as_of for one in said],
            [one.quantity for one in said],
            [one.difference for one in said],
            [one.stale for one in said],
            [one.document_id for one in said],
        )
