# SPDX-License-Identifier: Apache-2.0
"""Message History: everything that happened to one business key, across all systems, as one timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
from msgspec import Raw

from crossdock.errors import Refused
from crossdock.journal.books import READ
from crossdock.journal.search import ranked_hits
from crossdock.journal.stock_history import trace_stock
from crossdock.journal.timeline import timeline
from crossdock.journal.traced import (
    Attempt,
    CaseMark,
    EventMark,
    FulfillmentMark,
    OrderMark,
    ShipmentMark,
    Trace,
    TracedDelivery,
    TracedDocument,
    VersionMark,
)
from crossdock.journal.view import DocumentView, document_view

__all__ = ["DocumentView", "Trace", "document_view", "trace"]

MAX_DOCUMENTS = 200
MAX_MARKS = 2000
_ORDER = "order/"
# Hits of these kinds name a person or a list, not one thing with a history.
_NO_HISTORY = frozenset({"customer"})


async def trace(conn: asyncpg.Connection, text: str) -> Trace:
    """The history of what `text` names: a business key, order number, PO, return number, fulfillment reference,
    tracking number, SKU or document id.

    At most 200 documents (the newest) and 2,000 marks of each sort; `truncated` says when there is more. Raises
    Refused: 404 when nothing is called so, 409 with the choices when several things are.
    """
    async with conn.transaction(readonly=True):
        await conn.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        key = text if await conn.fetchval(READ.is_key, text) else await _resolve(conn, text)
        documents = await conn.fetch(READ.trace_documents, key, MAX_DOCUMENTS)
        if not documents:
            return await trace_stock(conn, key)
        return await _assemble(conn, key, [TracedDocument(**row) for row in reversed(documents)])


async def _resolve(conn: asyncpg.Connection, text: str) -> str:
    hits = [(rank, hit) for rank, hit in await ranked_hits(conn, text, 20) if hit.key and hit.kind not in _NO_HISTORY]
    exact = {hit.key for rank, hit in hits if rank == 0}
    # A number may be an order's and, by chance, a document's: people mean the order.
    by_id = ("document", text)
    named = {hit.key for rank, hit in hits if rank == 0 and (hit.kind, str(hit.document_id)) != by_id}
    keys = sorted(named or exact or {hit.key for rank, hit in hits if rank == 1})
    if not keys:
        raise Refused(
            f"nothing here is called {text[:200]!r}",
            status=404,
            field="key",
            rule="not_found",
            fix="give an order number, order key, PO, fulfillment reference, tracking number, SKU or document id",
        )
    if len(keys) > 1:
        raise Refused(
            f"{text[:200]!r} names {len(keys)} things: {', '.join(keys[:10])}",
            status=409,
            field="key",
            rule="ambiguous",
            fix="give one of these keys",
        )
    return keys[0]


async def _assemble(conn: asyncpg.Connection, key: str, documents: list[TracedDocument]) -> Trace:
    ids = [d.id for d in documents]
    order_key = key.removeprefix(_ORDER) if key.startswith(_ORDER) else key
    order = await conn.fetchrow(READ.trace_order, order_key)
    versions = await conn.fetch(READ.trace_versions, ids, MAX_MARKS)
    fulfillment = await conn.fetch(READ.trace_fulfillment, order_key, MAX_MARKS)
    shipments = await conn.fetch(READ.trace_shipments, order_key, MAX_MARKS)
    deliveries = await conn.fetch(READ.trace_deliveries, ids, MAX_MARKS)
    attempts = await conn.fetch(READ.trace_attempts, [d["id"] for d in deliveries], MAX_MARKS)
    events = await conn.fetch(READ.trace_events, ids, MAX_MARKS)
    cases = [CaseMark(**_renamed(row)) for row in await conn.fetch(READ.trace_cases, ids, MAX_MARKS)]
    actions = await conn.fetch(READ.trace_actions, [f"case/{c.id}" for c in cases], MAX_MARKS) if cases else []
    tries: dict[int, list[Attempt]] = {}
    for row in attempts:
        tries.setdefault(row["delivery_id"], []).append(Attempt(**row))
    result = Trace(
        key=key,
        title=_title(key, order),
        order=OrderMark(**{**order, "decision": Raw(order["decision"])}) if order else None,
        documents=documents,
        versions=[VersionMark(**row) for row in versions],
        fulfillment_orders=[FulfillmentMark(**{**row, "lines": Raw(row["lines"].encode())}) for row in fulfillment],
        shipments=[ShipmentMark(**row) for row in shipments],
        deliveries=[TracedDelivery(**row, attempts=tries.get(row["id"], [])) for row in deliveries],
        events=[EventMark(**row) for row in events],
        cases=cases,
        truncated=len(documents) == MAX_DOCUMENTS
        or any(len(rows) == MAX_MARKS for rows in (versions, deliveries, attempts, events, cases)),
    )
    result.timeline = timeline(result, [dict(row) for row in actions])
    return result


def _renamed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {("klass" if name == "class" else name): value for name, value in row.items()}


def _title(key: str, order: asyncpg.Record | None) -> str:
    if order is None:
        return key
    return f"Order {order['number']} · {order['total']} {order['currency']} · customer {order['customer_id']}"
