# SPDX-License-Identifier: Apache-2.0
"""Prepare a database for an estate: schema up to date, interfaces declared, master data seeded."""

from __future__ import annotations

import asyncpg

from crossdock.app.order_interfaces import back_order_interfaces, order_interfaces
from crossdock.app.wiring import Wired, own_interfaces, stock_rules_of
from crossdock.catalog.accept import accept_crosswalks, accept_customers, accept_products
from crossdock.catalog.accept_prices import accept_price_lists
from crossdock.catalog.channel_prices import SQL as PRICES
from crossdock.inventory.publish import SQL as PUBLISH
from crossdock.journal.keep import SQL
from crossdock.journal.outbox import ensure_cursor
from crossdock.runtime.migrate import migrate
from crossdock.runtime.postgres import open_pool


async def prepare(database_url: str, wired: Wired) -> list[str]:
    """Bring the database up to date with the schema and the estate; the migrations that were run. Systems that the
    estate tells no stock or prices any more are shown as told no longer.

    Safe to repeat. Seeds replace what they say and leave everything else alone.
    """
    ran = await migrate(database_url)
    pool = await open_pool(database_url, min_size=1, max_size=1, statement_timeout=300.0)
    try:
        await ensure_cursor(pool)
        async with pool.acquire() as conn, conn.transaction():
            await _declare(conn, wired)
            estate = wired.estate
            channels = stock_rules_of(estate).channels.values()
            await conn.execute(PUBLISH.forget_publications, [one.system for one in channels if one.publish])
            await conn.execute(PRICES.forget_publications, list(estate.declared.price_publication))
            await accept_products(conn, [(None, product) for product in estate.products()])
            await accept_customers(conn, [(None, customer) for customer in estate.customers()])
            rows = [(row.name, row.system, row.theirs, row.ours) for row in estate.crosswalks]
            await accept_crosswalks(conn, rows, by="estate", origin="estate", reason="seeded from the estate file")
            await accept_price_lists(conn, [(None, stated) for stated in estate.price_lists()])
    finally:
        await pool.close()
    return ran


async def _declare(conn: asyncpg.Connection, wired: Wired) -> None:
    faces = list(wired.estate.interfaces.values())
    own = [
        (one, kind)
        for kind, made in (
            ("stock_difference", own_interfaces(wired)),
            ("sales_order", order_interfaces(wired.estate)),
            ("back_order", back_order_interfaces(wired.estate)),
        )
        for one in made
        if one.name not in wired.estate.interfaces
    ]
    await conn.execute(
        SQL.sync_interfaces,
        [face.name for face in faces] + [one.name for one, _ in own],
        [face.system for face in faces] + [one.system for one, _ in own],
        [face.declared.direction for face in faces] + ["in"] * len(own),
        [face.object for face in faces] + [kind for _, kind in own],
        [face.owner for face in faces] + [one.owner for one, _ in own],
        [face.tier for face in faces] + ["internal"] * len(own),
        [face.settle_within for face in faces] + [one.settle_within for one, _ in own],
        [face.declared.version for face in faces] + [1] * len(own),
        [face.declared.state for face in faces] + ["active"] * len(own),
    )
