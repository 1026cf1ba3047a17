# SPDX-License-Identifier: Apache-2.0
"""What persons have released of orders: written by triage, read by whoever decides."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from crossdock.journal.audit import Author
from crossdock.orders.held import SQL
from crossdock.orders.holds import Release


class NewRelease(Struct, frozen=True, kw_only=True):
    """One failure of an order that is let through, out of a case."""

    order_key: str
    mark: str
    rule: str
    field: str
    value: str
    case_id: int


async def releases_of(conn: asyncpg.Connection, order_keys: Sequence[str]) -> dict[str, dict[str, Release]]:
    """What was released of each order, by mark; orders of which nothing was are left out."""
    found: dict[str, dict[str, Release]] = {}
    for row in await conn.fetch(SQL.releases_of, list(order_keys)):
        found.setdefault(row["order_key"], {})[row["mark"]] = Release(row["mark"], row["by"], row["reason"])
    return found


async def write_releases(conn: asyncpg.Connection, releases: Sequence[NewRelease], who: Author) -> None:
    """Write down what `who` lets through, in the caller's transaction."""
    if releases:
        await conn.execute(
            SQL.write_releases,
            [one.order_key for one in releases],
            [one.mark for one in releases],
            [one.rule for one in releases],
            [one.field for one in releases],
            [one.value for one in releases],
            [one.case_id for one in releases],
            who.by,
            who.origin,
            who.reason,
        )
