# SPDX-License-Identifier: Apache-2.0
"""One search box over everything: orders, POs, returns, customers, SKUs, tracking numbers, files, document ids."""

from __future__ import annotations

from datetime import datetime

import asyncpg
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.journal.books import MAX_ROWS, READ

MAX_TEXT = 200
_MAX_BIGINT = 2**63 - 1


class Hit(Struct, frozen=True, kw_only=True):
    """Something found. `key` is what `trace` takes; `state` is the document's or the thing's own; `at` UTC."""

    kind: str
    title: str
    key: str
    document_id: int | None
    state: str
    at: datetime


async def search(conn: asyncpg.Connection, text: str, limit: int = 20) -> list[Hit]:
    """What `text` names, exact hits first, newest first among equals, at most `limit` (500 at most).

    Order number (with or without "#"), order key or the id in the store, PO number, return number or key, customer,
    SKU, tracking number, fulfillment reference, file name or deduplication key, document key or id; their beginnings
    too. Every branch walks an index, so a million documents answer in milliseconds (beginnings need a database in C or
    C.UTF-8 collation, as the embedded one is; elsewhere they take a scan). Raises Refused when `text` is empty or too
    long.
    """
    async with conn.transaction(readonly=True):
        # A generic plan cannot use an index for "begins with a parameter".
        await conn.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        return [hit for _, hit in await ranked_hits(conn, text, limit)]


async def ranked_hits(conn: asyncpg.Connection, text: str, limit: int) -> list[tuple[int, Hit]]:
    """As `search`, inside the caller's transaction, with the rank of each hit: 0 exact, 1 a beginning, 2 related."""
    text = text.strip()
    if not text or len(text) > MAX_TEXT or "\x00" in text:
        raise Refused(
            f"search for 1 to {MAX_TEXT} characters",
            field="q",
            rule="search_text",
            fix="give an order number, PO, SKU, tracking number, file name or document id",
        )
    limit = min(max(limit, 1), MAX_ROWS)
    exact = _variants(text)
    number = int(text) if text.isascii() and text.isdigit() and int(text) <= _MAX_BIGINT else None
    ranks: dict[str, int] = {}
    for row in await conn.fetch(READ.search_orders, exact, text, limit):
        ranks[row["order_key"]] = min(row["rank"], ranks.get(row["order_key"], row["rank"]))
    orders = await conn.fetch(READ.orders_found, list(ranks)) if ranks else []
    rest = await conn.fetch(READ.search_rest, exact, text, limit, number)
    ranked = [(ranks[row["order_key"]], _order_hit(row)) for row in orders]
    # Documents that stand behind something already found say nothing new.
    shown = {hit.document_id for _, hit in ranked}
    for row in rest:
        if row["kind"] != "document" or row["document_id"] not in shown:
            shown.add(row["document_id"])
            ranked.append((row["rank"], _hit(row)))
    ranked += await _messages(conn, text, limit)
    ranked.sort(key=lambda pair: pair[1].at, reverse=True)
    ranked.sort(key=lambda pair: pair[0])
    return ranked[:limit]


async def _messages(conn: asyncpg.Connection, text: str, limit: int) -> list[tuple[int, Hit]]:
    messages = await conn.fetch(READ.search_messages, text, limit)
    if not messages:
        return []
    rows = await conn.fetch(READ.documents_of_messages, [row["id"] for row in messages])
    documents = {row["message_id"]: row for row in rows}
    hits = []
    for message in messages:
        document = documents.get(message["id"])
        hit = Hit(
            kind="message",
            title=message["dedup_key"],
            key=document["key"] if document else "",
            document_id=document["id"] if document else None,
            state=document["state"] if document else "",
            at=message["received_at"],
        )
        hits.append((message["rank"], hit))
    return hits


def _variants(text: str) -> list[str]:
    """Spellings of the same thing: "1001" for "#1001", lower case for upper, an order key for its document's."""
    bare = text.lstrip("#")
    return list(dict.fromkeys([text, bare, f"#{bare}", text.upper(), f"order/{text}", text.removeprefix("order/")]))


def _order_hit(row: asyncpg.Record) -> Hit:
    po = f" · PO {row['po_number']}" if row["po_number"] else ""
    status = "" if row["status"] == "open" else f" · {row['status']}"
    return Hit(
        kind="order",
        title=f"Order {row['number']} · {row['total']} {row['currency']} · customer {row['customer_id']}{po}{status}",
        key=f"order/{row['order_key']}",
        document_id=row["document_id"],
        state=row["state"],
        at=row["placed_at"],
    )


def _hit(row: asyncpg.Record) -> Hit:
    return Hit(
        kind=row["kind"],
        title=row["title"],
        key=row["key"],
        document_id=row["document_id"],
        state=row["state"],
        at=row["at"],
    )
