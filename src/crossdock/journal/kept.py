# SPDX-License-Identifier: Apache-2.0
"""Documents that went through, read again from the journal a page at a time; nothing is locked or changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct

from crossdock.journal.claim import Claimed
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "kept.sql")


class Window(Struct, frozen=True, kw_only=True):
    """Documents of some kinds received from `since` (with it) to `until` (without it), UTC."""

    kinds: tuple[str, ...]
    since: datetime
    until: datetime


class Range(Struct, frozen=True):
    """How many documents a window holds, and the first and last of them by id."""

    documents: int
    first: int
    last: int


async def range_of(conn: asyncpg.Connection, window: Window) -> Range:
    """What there is in `window`."""
    return Range(**await conn.fetchrow(SQL.kept_range, window.since, window.until, list(window.kinds)))


async def page_of(conn: asyncpg.Connection, window: Window, after: int, last: int, limit: int) -> list[Claimed]:
    """The next documents of `window` behind the id `after`, up to `last`; as they came, or as a person edited them."""
    rows = await conn.fetch(SQL.kept_page, window.since, window.until, list(window.kinds), after, last, limit)
    return [Claimed(**row) for row in rows]


async def split_off(conn: asyncpg.Connection, documents: Sequence[Claimed]) -> list[Claimed]:
    """The parts that became documents of their own, as they were when they were split off."""
    rows = await conn.fetch(SQL.split_off, [one.message_id for one in documents], [one.id for one in documents])
    return [Claimed(**row) for row in rows]


class KeptOrder(Struct, frozen=True):
    """An order as it was decided on: its routing decision and its canonical body, both JSON."""

    order_key: str
    decision: bytes
    body: bytes


async def count_orders(conn: asyncpg.Connection, since: datetime, until: datetime) -> int:
    """How many orders were placed from `since` (with it) to `until` (without it), UTC."""
    number: int = await conn.fetchval(SQL.count_orders, since, until)
    return number


async def orders_of(
    conn: asyncpg.Connection, since: datetime, until: datetime, after: str, limit: int
) -> list[KeptOrder]:
    """The next of these orders in the order of their keys, those behind the key `after`."""
    return [KeptOrder(**row) for row in await conn.fetch(SQL.kept_orders, since, until, after, limit)]


async def bodies_of(conn: asyncpg.Connection, order_keys: Sequence[str]) -> list[KeptOrder]:
    """The orders of these keys that are not cancelled."""
    return [KeptOrder(**row) for row in await conn.fetch(SQL.kept_bodies, order_keys)]


async def order_of(conn: asyncpg.Connection, order_key: str) -> KeptOrder | None:
    """The order called so; None when there is none."""
    row = await conn.fetchrow(SQL.kept_order, order_key)
    return KeptOrder(**row) if row is not None else None
