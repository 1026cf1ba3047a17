# SPDX-License-Identifier: Apache-2.0
"""Take master data in: products, customer accounts, crosswalks."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.canonical.master_data import Customer, Product
from crossdock.canonical.objects import encode
from crossdock.catalog.accounts import account_details_of
from crossdock.catalog.cache import SQL, details_of
from crossdock.journal.audit import Act, Origin, write_audit

# The table `crosswalk_history` has every row of a larger change.
_MOST_AUDITED = 100


async def accept_products(conn: asyncpg.Connection, products: Sequence[tuple[int | None, Product]]) -> None:
    """Store (document id, product) pairs; the last statement of a SKU in the batch wins."""
    newest = {product.sku: (document_id, product) for document_id, product in products}
    if not newest:
        return
    rows = [newest[sku] for sku in sorted(newest)]
    written = await conn.execute(
        SQL.upsert_products,
        [p.sku for _, p in rows],
        [p.unit for _, p in rows],
        [p.location for _, p in rows],
        [p.stocked for _, p in rows],
        [p.status for _, p in rows],
        [encode(p) for _, p in rows],
        [document_id for document_id, _ in rows],
        [details_of(p) for _, p in rows],
    )
    await _changed(conn, written)


async def accept_customers(conn: asyncpg.Connection, customers: Sequence[tuple[int | None, Customer]]) -> None:
    """Store (document id, customer account) pairs; the last statement of an account in the batch wins."""
    newest = {customer.customer_id: (document_id, customer) for document_id, customer in customers}
    if not newest:
        return
    rows = [newest[key] for key in sorted(newest)]
    written = await conn.execute(
        SQL.upsert_customers,
        [c.customer_id for _, c in rows],
        [c.name for _, c in rows],
        [c.status for _, c in rows],
        [encode(c) for _, c in rows],
        [document_id for document_id, _ in rows],
        [account_details_of(c) for _, c in rows],
    )
    await _changed(conn, written)


async def accept_crosswalks(
    conn: asyncpg.Connection, rows: Sequence[tuple[str, str, str, str]], *, by: str, origin: Origin, reason: str
) -> None:
    """Set crosswalk rows (table, system, theirs, ours); what they were is kept with who changed them and why.

    The audit has one entry for each table and system of which something changed.
    """
    newest = {(name, system, theirs): ours for name, system, theirs, ours in rows}
    if not newest:
        return
    keys = sorted(newest)
    changed = await conn.fetch(
        SQL.upsert_crosswalks,
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
        [newest[key] for key in keys],
        by,
        reason,
    )
    if changed:
        await conn.execute(SQL.changed)
        await write_audit(conn, _acts(changed), by=by, origin=origin, reason=reason)


def _acts(changed: Sequence[asyncpg.Record]) -> list[Act]:
    """One act per table and system, with the rows that changed; of many the first, and how many there are."""
    tables: dict[str, list[asyncpg.Record]] = {}
    for row in changed:
        tables.setdefault(f"{row['name']}@{row['system']}" if row["system"] else row["name"], []).append(row)
    return [
        Act(
            action="crosswalk.change",
            kind="crosswalk",
            id=table,
            before={"rows": {row["theirs"]: row["before"] for row in rows[:_MOST_AUDITED]}},
            after={"changed": len(rows), "rows": {row["theirs"]: row["ours"] for row in rows[:_MOST_AUDITED]}},
        )
        for table, rows in tables.items()
    ]


async def _changed(conn: asyncpg.Connection, written: str) -> None:
    """Tell every cache that it is old, unless all was there already: a reload is dear."""
    if written != "INSERT 0 0":
        await conn.execute(SQL.changed)
