# SPDX-License-Identifier: Apache-2.0
"""Tells a trace in the order it happened: every mark becomes one line that an operator reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crossdock.journal.traced import Entry, Trace, TracedDelivery, TracedDocument

# Marks of one moment are told in this order: cause before effect.
_ORDER = (
    "received", "translated", "edited", "decided", "shipped", "event", "owed", "attempt", "case", "action", "delivered",
    "cancelled", "closed", "settled",
)  # fmt: skip
_PLACE = {kind: place for place, kind in enumerate(_ORDER)}


def timeline(trace: Trace, actions: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """The entries of `trace`, oldest first. `actions`: audit rows about its cases (at, who, action, what, reason)."""
    entries = [
        *(entry for document in trace.documents for entry in _of_document(document)),
        *_of_versions(trace),
        *(entry for delivery in trace.deliveries for entry in _of_delivery(delivery)),
        *_of_cases(trace, actions),
        *_of_shipments(trace),
        *(Entry(at=e.at, kind="event", title=e.type, document_id=e.document_id) for e in trace.events),
    ]
    return sorted(entries, key=lambda entry: (entry.at, _PLACE[entry.kind]))


def _of_document(document: TracedDocument) -> Iterator[Entry]:
    if document.parent_id is None:
        title = f"received {document.topic or document.interface} from {document.interface}"
        detail = f"message {document.message_id}, {document.size} bytes, id {document.dedup_key}"
    else:
        title, detail = f"split off document {document.parent_id}", document.key
    yield Entry(at=document.received_at, kind="received", title=title, detail=detail, document_id=document.id)
    if document.decided_at is not None:
        detail = "; ".join(part for part in (document.note, document.made_by) if part)
        yield Entry(
            at=document.decided_at,
            kind="decided",
            title=f"decided: {document.state if document.state in ('duplicate', 'rejected', 'case') else 'accepted'}",
            detail=detail,
            document_id=document.id,
        )
    if document.settled_at is not None:
        yield Entry(
            at=document.settled_at,
            kind="settled",
            title=document.state,
            detail=document.note,
            document_id=document.id,
            seconds=(document.settled_at - document.received_at).total_seconds(),
        )


def _of_versions(trace: Trace) -> Iterator[Entry]:
    for version in trace.versions:
        edited = bool(version.author)
        yield Entry(
            at=version.created_at,
            kind="edited" if edited else "translated",
            title=f"{version.stage} form edited" if edited else "translated to canonical form",
            detail=version.reason if edited else version.made_by,
            who=version.author,
            document_id=version.document_id,
        )


def _of_delivery(delivery: TracedDelivery) -> Iterator[Entry]:
    what = f"{delivery.system} {delivery.operation}"
    ids: dict[str, Any] = {"system": delivery.system, "document_id": delivery.document_id, "delivery_id": delivery.id}
    yield Entry(at=delivery.created_at, kind="owed", title=f"{what} owed", detail=delivery.reference, **ids)
    for attempt in delivery.attempts:
        answered = f"{attempt.method} {attempt.url} → {attempt.status}" if attempt.method else "nothing travelled"
        yield Entry(
            at=attempt.started_at,
            kind="attempt",
            title=f"{what} try {attempt.number}: {attempt.outcome}",
            detail=f"{attempt.error} ({answered})" if attempt.error else answered,
            seconds=(attempt.finished_at - attempt.started_at).total_seconds(),
            **ids,
        )
    if delivery.settled_at is not None:
        delivered = delivery.state == "delivered"
        yield Entry(
            at=delivery.settled_at,
            kind="delivered" if delivered else "cancelled",
            title=f"{what} {delivery.state}",
            detail=f"they call it {delivery.their_reference}" if delivery.their_reference else delivery.last_error,
            seconds=(delivery.settled_at - delivery.created_at).total_seconds(),
            **ids,
        )


def _of_cases(trace: Trace, actions: Sequence[Mapping[str, Any]]) -> Iterator[Entry]:
    documents = {}
    for case in trace.cases:
        documents[f"case/{case.id}"] = (case.document_id, case.id)
        yield Entry(
            at=case.opened_at,
            kind="case",
            title=f"case {case.id} opened at {case.step}: {case.klass}",
            detail=f"{case.field}: {case.reason}" if case.field else case.reason,
            who=case.owner,
            document_id=case.document_id,
            delivery_id=case.delivery_id,
            case_id=case.id,
        )
        if case.closed_at is not None:
            yield Entry(
                at=case.closed_at,
                kind="closed",
                title=f"case {case.id} {case.state}",
                detail=case.close_reason,
                who=case.closed_by,
                document_id=case.document_id,
                delivery_id=case.delivery_id,
                case_id=case.id,
            )
    for action in actions:
        document_id, case_id = documents[action["what"]]
        yield Entry(
            at=action["at"],
            kind="action",
            title=f"{action['action']} {action['what']}",
            detail=action["reason"],
            who=action["who"],
            document_id=document_id,
            case_id=case_id,
        )


def _of_shipments(trace: Trace) -> Iterator[Entry]:
    for shipment in trace.shipments:
        yield Entry(
            at=shipment.shipped_at,
            kind="shipped",
            title=f"shipped from {shipment.location} with {shipment.carrier}",
            detail=f"{shipment.fulfillment_reference}: {', '.join(shipment.tracking)}",
            document_id=shipment.document_id,
        )
