# SPDX-License-Identifier: Apache-2.0
"""Idempotent Receiver: checks a Standard Webhook and reads which movements or shipment it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from crossdock.connectors.warehouse_rest.converters import order_key_of
from crossdock.sdk.receiving import HookRequest, Identified, message_id_in, moment_of
from crossdock.sdk.signatures import check_standard_webhook

SHIPMENT: Final = "shipment.confirmed"


class _Event(Struct):
    type: str
    occurred_at: str | None = None


class _ShipmentHead(Struct):
    id: str
    fulfillment_order_reference: str


class _ShipmentData(Struct):
    shipment: _ShipmentHead


class _ShipmentEvent(Struct):
    type: str
    data: _ShipmentData
    occurred_at: str | None = None


_EVENT = msgspec.json.Decoder(_Event)
_SHIPMENT = msgspec.json.Decoder(_ShipmentEvent)


class WarehouseReceiver:
    """Events of the warehouse, deduplicated by `webhook-id`."""

    def authenticate(self, request: HookRequest, secrets: Sequence[str]) -> None:
        """Check the `v1` signatures and that the attempt is not older than five minutes. Raises Unauthenticated."""
        check_standard_webhook(request.headers, request.body, secrets, now=request.received_at)

    def identify(self, request: HookRequest) -> Identified:
        """Shipments in order per sales order; movements in none, for they only add up. Raises Refused without an id."""
        message_id = message_id_in(request, "webhook-id", "send events as the warehouse contract says")
        loose_key = f"stock/{request.system}/{blake2b(message_id.encode(), digest_size=8).hexdigest()}"
        try:
            if request.topic == SHIPMENT:
                event: _Event | _ShipmentEvent = _SHIPMENT.decode(request.body)
            else:
                event = _EVENT.decode(request.body)
            if event.type != request.topic:
                raise ValueError(
                    f"the body is of type {event.type[:100]!r}, its address of topic {request.topic[:100]!r}"
                )
            key = f"order/{_order_key(event)}" if isinstance(event, _ShipmentEvent) else loose_key
        except (msgspec.DecodeError, ValueError) as error:
            unreadable = f"unreadable/{request.system}/{message_id}"
            return Identified(
                dedup_key=message_id,
                key=loose_key if request.topic != SHIPMENT else unreadable,
                topic=request.topic,
                problem=f"the body is not an event of topic {request.topic[:100]}: {error}",
            )
        return Identified(dedup_key=message_id, key=key, topic=request.topic, occurred_at=moment_of(event.occurred_at))


def _order_key(event: _ShipmentEvent) -> str:
    key = order_key_of(event.data.shipment.fulfillment_order_reference)
    if not key.isprintable() or len(key) > 200:
        raise ValueError("fulfillment_order_reference is longer than 200 characters or not printable")
    return key
