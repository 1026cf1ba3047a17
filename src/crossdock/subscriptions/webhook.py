# SPDX-License-Identifier: Apache-2.0
"""A webhook as it travels: a CloudEvent, signed as Standard Webhooks describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.errors import OutcomeUnknown, RetryLater
from crossdock.journal.outbox import claim_check, cloud_event, events_of
from crossdock.runtime.clock import now
from crossdock.runtime.http import Session, post
from crossdock.sdk.signatures import sign_standard_webhook
from crossdock.subscriptions.judge import Outcome, judged

MOST_DATA: Final = 256 * 1024
"""Bytes of data that a webhook carries; of more it says which document holds them (Claim Check)."""
CALL_SECONDS: Final = 15.0
CONNECT_SECONDS: Final = 5.0
KEPT_ANSWER: Final = 1024


class Webhook(Struct, frozen=True, kw_only=True):
    """An event on its way to a subscription. `number`: its row; `id`: the event's, the same on every try."""

    number: int
    subscription: str
    key: str
    id: str
    body: bytes
    attempts: int
    first_tried_at: datetime | None


def webhooks_of(rows: Sequence[Mapping[str, Any]], events: Iterable[Mapping[str, Any]], source: str) -> list[Webhook]:
    """Claimed rows with their `events`; without those whose event is not among them.

    An event is read and written once, whatever number of subscriptions is told of it.
    """
    wanted: dict[tuple[int, int], set[int]] = {}
    for row in rows:
        wanted.setdefault((row["xid"], row["event_id"]), set()).add(row["element"])
    bodies: dict[tuple[int, int, int], tuple[str, str, bytes]] = {}
    for event in events:
        place = (event["xid"], event["id"])
        for element, key, data in _elements(event):
            if element in wanted[place]:
                told = cloud_event(event, element, key, data, source)
                bodies[*place, element] = (key, told.id, encode(told))
    found = []
    for row in rows:
        body = bodies.get((row["xid"], row["event_id"], row["element"]))
        if body is not None:
            found.append(
                Webhook(
                    number=row["number"],
                    subscription=row["subscription_id"],
                    key=body[0],
                    id=body[1],
                    body=body[2],
                    attempts=row["attempts"],
                    first_tried_at=row["first_tried_at"],
                )
            )
    return found


def _elements(event: Mapping[str, Any]) -> Iterable[tuple[int, str, bytes]]:
    if event["data"] is None:
        return [(0, event["key"], claim_check(event["document_id"], event["size"]))]
    return (
        (element, key, data if len(data) <= MOST_DATA else claim_check(event["document_id"], len(data)))
        for element, key, data in events_of(event)
    )


def headers_of(event_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of one try: a signature by each of `secrets`, the current one first."""
    seconds = int(at.timestamp())
    signatures = [sign_standard_webhook(event_id, seconds, body, secret) for secret in secrets if secret]
    return {
        "content-type": "application/cloudevents+json",
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }


async def send(session: Session, url: str, event_id: str, body: bytes, secrets: Sequence[str]) -> tuple[Outcome, bytes]:
    """Make one try within fifteen seconds; how it ended, and the beginning of what was answered."""
    began = now()
    headers = headers_of(event_id, began, body, secrets)
    try:
        answer = await post(session, url, body, headers=headers, kept=KEPT_ANSWER, total=CALL_SECONDS)
    except (RetryLater, OutcomeUnknown) as error:
        at = now()
        return Outcome(kind="failed", status=0, error=error.reason, milliseconds=_since(began, at), at=at), b""
    at = now()
    return judged(answer.status, answer.headers, answer.body, _since(began, at), at), answer.body


def _since(began: datetime, at: datetime) -> int:
    return max(0, round((at - began).total_seconds() * 1000))


def trial_event(subscription: str, source: str, number: str) -> tuple[str, bytes]:
    """Id and body of the event that the test button sends."""
    event = cloud_event(
        {"xid": "test", "id": number, "type": "subscription.test", "at": now()},
        0,
        f"subscription/{subscription}",
        msgspec.json.encode({"id": subscription}),
        source,
    )
    return event.id, encode(event)
