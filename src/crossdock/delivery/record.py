# SPDX-License-Identifier: Apache-2.0
"""Record how tries ended: deliveries, attempts, exchanges, documents, cases and events in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.canonical.objects import encode
from crossdock.delivery.judge import Verdict
from crossdock.delivery.owe import SQL
from crossdock.delivery.system import Item, Tried
from crossdock.errors import NeedsEdit
from crossdock.journal.record import Event, record_events, settle_documents, storable
from crossdock.orders.follow import follow
from crossdock.sdk.sending import MOST_KEPT, Exchange
from crossdock.triage.close import close_by_success
from crossdock.triage.open import NewCase, open_cases

MOVES = frozenset({"sales_order", "fulfillment_order"})
"""Operations by which an order comes further: its ERP, or a warehouse, has taken what it is asked for."""
_ORDER = "order/"
WITHDRAWS = "fulfillment_cancel"
"""The operation by which a warehouse agrees to ship nothing more of a fulfillment order."""


async def record(
    conn: asyncpg.Connection,
    system: str,
    fence: int,
    results: Sequence[tuple[Tried, Verdict]],
    finished_claims: Sequence[int] = (),
) -> None:
    """Write `results` in the caller's transaction; nothing is written when the lease was lost meanwhile.

    `finished_claims`: claims that have no other delivery under way.
    """
    if not await conn.fetchval(SQL.check_fence, system, fence):
        return
    exchanges = await _exchanges(conn, system, results)
    written = await _outcomes(conn, results, exchanges)
    if finished_claims:
        await conn.execute(SQL.forget_claims, list(finished_claims))
    kept = [pair for pair in results if pair[0].item.outgoing.delivery_id in written]
    if not kept:
        return
    delivered = [tried.item for tried, verdict in kept if verdict.state == "delivered"]
    stuck = [(tried, verdict) for tried, verdict in kept if verdict.state == "case"]
    await settle_documents(
        conn,
        [(item.document_id, 1) for item in delivered] + [(tried.item.document_id, 0) for tried, _ in stuck],
        anew=False,
    )
    again = [item for item in delivered if item.outgoing.attempt > 1]
    if again:
        await close_by_success(conn, [], [item.outgoing.delivery_id for item in again])
    await _cases(conn, system, stuck)
    withdrawn = [item.outgoing.reference for item in delivered if item.outgoing.operation == WITHDRAWS]
    if withdrawn:
        await conn.execute(SQL.note_withdrawn, withdrawn)
    await record_events(
        conn,
        [
            Event(
                type=f"{tried.item.object}.delivered",
                key=tried.item.key,
                document_id=tried.item.document_id,
                data=encode(
                    {
                        "system": system,
                        "operation": tried.item.outgoing.operation,
                        "reference": tried.item.outgoing.reference,
                        "their_reference": verdict.reference,
                    }
                ),
            )
            for tried, verdict in kept
            if verdict.state == "delivered"
        ],
    )
    await _follow(conn, delivered)


async def _follow(conn: asyncpg.Connection, delivered: Sequence[Item]) -> None:
    """Tell of orders that moved because a system has taken them, after what it has taken."""
    moves = {item.key.removeprefix(_ORDER): item for item in delivered if item.outgoing.operation in MOVES}
    moved = await follow(conn, moves)
    events = [(one, one.event) for one in moved]
    await record_events(
        conn,
        [
            Event(type=event.type, key=event.key, document_id=moves[one.order_key].document_id, data=event.data)
            for one, event in events
        ],
    )


async def _exchanges(conn: asyncpg.Connection, system: str, results: Sequence[tuple[Tried, Verdict]]) -> dict[int, int]:
    """Keep each exchange once, however many deliveries it carried; its row by the exchange's identity."""
    found: dict[int, Exchange] = {}
    for tried, _ in results:
        if tried.outcome.exchange is not None:
            found.setdefault(id(tried.outcome.exchange), tried.outcome.exchange)
    if not found:
        return {}
    ordered = list(found.values())
    rows = await conn.fetch(
        SQL.record_exchanges,
        system,
        [e.method for e in ordered],
        [e.url for e in ordered],
        [e.request[:MOST_KEPT] for e in ordered],
        [e.status for e in ordered],
        [e.response[:MOST_KEPT] for e in ordered],
    )
    return {identity: row["id"] for identity, row in zip(found, rows, strict=True)}


async def _outcomes(
    conn: asyncpg.Connection, results: Sequence[tuple[Tried, Verdict]], exchanges: dict[int, int]
) -> set[int]:
    ordered = sorted(results, key=lambda pair: pair[0].item.outgoing.delivery_id)
    rows = await conn.fetch(
        SQL.record_outcomes,
        [tried.item.outgoing.delivery_id for tried, _ in ordered],
        [verdict.state for _, verdict in ordered],
        [verdict.look_first for _, verdict in ordered],
        [storable(verdict.reference) for _, verdict in ordered],
        [storable(verdict.error.reason) if verdict.error is not None else "" for _, verdict in ordered],
        [verdict.wait for _, verdict in ordered],
        [tried.item.outgoing.attempt for tried, _ in ordered],
        [tried.started for tried, _ in ordered],
        [tried.finished for tried, _ in ordered],
        [verdict.outcome for _, verdict in ordered],
        [exchanges.get(id(tried.outcome.exchange)) for tried, _ in ordered],
    )
    return {row["id"] for row in rows}


async def _cases(conn: asyncpg.Connection, system: str, stuck: Sequence[tuple[Tried, Verdict]]) -> None:
    if not stuck:
        return
    rows = await conn.fetch(SQL.stakes, [tried.item.document_id for tried, _ in stuck])
    stakes = {row["id"]: row for row in rows}
    await open_cases(
        conn,
        [
            NewCase(
                document_id=tried.item.document_id,
                delivery_id=tried.item.outgoing.delivery_id,
                interface=tried.item.interface,
                system=system,
                key=tried.item.key,
                step="deliver",
                error=verdict.error or NeedsEdit("the system refused it", rule="refused"),
                owner=stakes[tried.item.document_id]["owner"] or "",
                deadline=stakes[tried.item.document_id]["deadline"],
                money=stakes[tried.item.document_id]["total"],
                currency=stakes[tried.item.document_id]["currency"] or "",
            )
            for tried, verdict in stuck
        ],
    )
