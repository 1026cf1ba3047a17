# SPDX-License-Identifier: Apache-2.0
"""Have a channel told its number again: it shows another one than it acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.inventory.level import Pair
from crossdock.inventory.listing import SQL


async def tell_again(conn: asyncpg.Connection, system: str, pairs: Sequence[Pair]) -> None:
    """Make (SKU, location) pairs of `system` to be told anew, under a higher sequence, whatever the number is then."""
    if pairs:
        ordered = sorted(pairs)
        await conn.execute(SQL.tell_again, system, [sku for sku, _ in ordered], [place for _, place in ordered])
