# SPDX-License-Identifier: Apache-2.0
"""Take price lists in: the newest version of each stands, and whoever subscribes is told of every change."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from msgspec.structs import replace

from crossdock.canonical.objects import business_key, encode
from crossdock.canonical.price_list import PriceList
from crossdock.catalog.book import SQL, read_list
from crossdock.journal.decided import Decided, Translated
from crossdock.journal.record import Event, record_events


async def accept_price_lists(conn: asyncpg.Connection, lists: Sequence[tuple[int | None, PriceList]]) -> set[str]:
    """Store (document id, price list) pairs; the ids of those that changed.

    Of a list the highest version of the batch wins, of equal ones the last. Stamps are given under the lock of one row,
    so call this after everything else that locks master data.
    """
    newest: dict[str, tuple[int | None, PriceList]] = {}
    for document_id, stated in lists:
        known = newest.get(stated.price_list_id)
        if known is None or known[1].version <= stated.version:
            newest[stated.price_list_id] = (document_id, stated)
    if not newest:
        return set()
    rows = [newest[key] for key in sorted(newest)]
    written = await conn.fetch(
        SQL.upsert_price_lists,
        [one.price_list_id for _, one in rows],
        [one.version for _, one in rows],
        [one.status for _, one in rows],
        [encode(one) for _, one in rows],
        [document_id for document_id, _ in rows],
    )
    changed = {row["price_list_id"] for row in written}
    await record_events(
        conn,
        [
            Event(
                type="price_list.changed",
                key=business_key("price_list", one),
                document_id=document_id or 0,
                data=_told(one),
            )
            for document_id, one in rows
            if one.price_list_id in changed
        ],
    )
    return changed


async def take_price_lists(conn: asyncpg.Connection, batch: Sequence[Translated]) -> list[Decided]:
    """Decide on documents that are price lists, in the same order. An older version than what stands has no effect.

    A part (prices that needed a person) adds to the version of the list it was split off, and to no other.
    """
    wholes = [item for item in batch if item.claimed.parent_id is None]
    parts = [item for item in batch if item.claimed.parent_id is not None]
    if parts:
        await conn.execute(SQL.lock_prices)
    await accept_price_lists(conn, [(item.claimed.id, item.document) for item in wholes])
    known = await conn.fetch(SQL.versions_of, _ids(wholes)) if wholes else []
    versions: dict[str, int] = {row["price_list_id"]: row["version"] for row in known}
    # A list may be long: only what parts are added to is read back.
    rows = await conn.fetch(SQL.lists_of, _ids(parts)) if parts else []
    stands = {row["price_list_id"]: read_list(row["body"]) for row in rows}
    grown: dict[str, tuple[int | None, PriceList]] = {}
    decided = []
    for item in batch:
        stated: PriceList = item.document
        if item.claimed.parent_id is None:
            decided.append(_decide(stated, versions.get(stated.price_list_id, stated.version)))
            continue
        standing = stands.get(stated.price_list_id)
        if standing is None or standing.version != stated.version:
            note = f"version {stated.version} of price list {stated.price_list_id} does not stand any more"
            decided.append(Decided(duplicate=True, note=note))
        else:
            stands[stated.price_list_id] = with_prices(standing, stated)
            grown[stated.price_list_id] = (item.claimed.id, stands[stated.price_list_id])
            decided.append(Decided())
    await accept_price_lists(conn, list(grown.values()))
    return decided


def with_prices(standing: PriceList, added: PriceList) -> PriceList:
    """`standing` with the entries of `added`, which replace its own for the same SKU and unit."""
    entries = {(one.sku, one.unit): one for one in (*standing.entries, *added.entries)}
    return replace(standing, entries=tuple(entries.values()))


def _ids(batch: Sequence[Translated]) -> list[str]:
    return sorted({item.document.price_list_id for item in batch})


def _decide(stated: PriceList, stands: int) -> Decided:
    if stated.version < stands:
        note = f"version {stated.version} of price list {stated.price_list_id} is older than {stands}"
        return Decided(duplicate=True, note=f"{note}, which stands")
    return Decided(accepted=True)


def _told(stated: PriceList) -> bytes:
    return encode(
        {
            "price_list_id": stated.price_list_id,
            "version": stated.version,
            "status": stated.status,
            "currency": stated.currency,
            "customer": stated.customer,
            "group": stated.group,
            "channel": stated.channel,
            "effective_from": stated.effective_from,
            "effective_until": stated.effective_until,
            "entries": len(stated.entries),
        }
    )
