# SPDX-License-Identifier: Apache-2.0
"""Idempotent Receiver: checks a Standard Webhook and reads which order it speaks of, and which version of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from crossdock.sdk.receiving import LONGEST_ID, HookRequest, Identified, message_id_in, moment_of
from crossdock.sdk.signatures import check_standard_webhook

_TYPES: Final = frozenset({"order.placed", "order.cancelled"})


class _Order(Struct):
    id: str
    updated_at: str | None = None


class _Data(Struct):
    order: _Order


class _Event(Struct):
    type: str
    data: _Data


_EVENT = msgspec.json.Decoder(_Event)


class ChannelReceiver:
    """Orders of the channel, deduplicated by `webhook-id`."""

    def authenticate(self, request: HookRequest, secrets: Sequence[str]) -> None:
        """Check the `v1` signatures and that the attempt is not older than five minutes. Raises Unauthenticated."""
        check_standard_webhook(request.headers, request.body, secrets, now=request.received_at)

    def identify(self, request: HookRequest) -> Identified:
        """In order per sales order, newest by `updated_at`. Raises Refused without an id."""
        message_id = message_id_in(request, "webhook-id", "send events as the channel contract says")
        try:
            event = _EVENT.decode(request.body)
            # Either event states the order whole: its status counts, not the address it came to.
            if event.type not in _TYPES:
                raise ValueError(f"an event of type {event.type[:100]!r} tells of no order")
            identity = event.data.order.id
            if not identity or len(identity) > LONGEST_ID or not identity.isprintable():
                raise ValueError(f"the order's id is empty, longer than {LONGEST_ID} characters or not printable")
        except (msgspec.DecodeError, ValueError) as error:
            return Identified(
                dedup_key=message_id,
                key=f"order/{request.system}/unreadable/{message_id}",
                topic=request.topic,
                problem=f"the body is not an order's event: {error}",
            )
        changed_at = moment_of(event.data.order.updated_at)
        return Identified(
            dedup_key=message_id,
            key=f"order/{request.system}/{identity}",
            topic=request.topic,
            version=int(changed_at.timestamp() * 1000) if changed_at is not None else 0,
            occurred_at=changed_at,
        )
