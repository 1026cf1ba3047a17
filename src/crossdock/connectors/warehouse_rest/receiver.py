# SPDX-License-Identifier: Apache-2.0
"""Idempotent Receiver: checks a Standard Webhook and reads which movements, shipment or return it speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from crossdock.connectors.warehouse_rest.converters import order_key_of
from crossdock.sdk.receiving import HookRequest, Identified, message_id_in, moment_of
from crossdock.sdk.signatures import check_standard_webhook

SHIPMENT: Final = "shipment.confirmed"
RETURN: Final = "return.received"


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


class _ReturnHead(Struct):
    reference: str


class _ReturnData(Struct, rename={"back": "return"}):
    back: _ReturnHead


class _ReturnEvent(Struct):
    type: str
    data: _ReturnData
    occurred_at: str | None = None


_Any = _Event | _ShipmentEvent | _ReturnEvent
_DECODERS: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    SHIPMENT: msgspec.json.Decoder(_ShipmentEvent),
    RETURN: msgspec.json.Decoder(_ReturnEvent),
}
_EVENT = msgspec.json.Decoder(_Event)


class WarehouseReceiver:
    """Events of the warehouse, deduplicated by `webhook-id`."""

    def authenticate(self, request: HookRequest, secrets: Sequence[str]) -> None:
        """Check the `v1` signatures and that the attempt is not older than five minutes. Raises Unauthenticated."""
        check_standard_webhook(request.headers, request.body, secrets, now=request.received_at)

    def identify(self, request: HookRequest) -> Identified:
        """Shipments in order per sales order, what came back per return; movements in none, for they only add up.

        Raises Refused without an id."""
        message_id = message_id_in(request, "webhook-id", "send events as the warehouse contract says")
        loose_key = f"stock/{request.system}/{blake2b(message_id.encode(), digest_size=8).hexdigest()}"
        try:
            event: _Any = _DECODERS.get(request.topic, _EVENT).decode(request.body)
            if event.type != request.topic:
                raise ValueError(
                    f"the body is of type {event.type[:100]!r}, its address of topic {request.topic[:100]!r}"
                )
            key = _key(event) or loose_key
        except (msgspec.DecodeError, ValueError) as error:
            unreadable = f"unreadable/{request.system}/{message_id}"
            return Identified(
                dedup_key=message_id,
                key=unreadable if request.topic in _DECODERS else loose_key,
                topic=request.topic,
                problem=f"the body is not an event of topic {request.topic[:100]}: {error}",
            )
        return Identified(dedup_key=message_id, key=key, topic=request.topic, occurred_at=moment_of(event.occurred_at))


def _key(event: _Any) -> str:
    """The key of what is told in order; "" when it is told in none."""
    if isinstance(event, _ShipmentEvent):
        return f"order/{_short(order_key_of(event.data.shipment.fulfillment_order_reference))}"
    if isinstance(event, _ReturnEvent):
        return f"return/{_short(event.data.back.reference)}"
    return ""


def _short(key: str) -> str:
    if not key or not key.isprintable() or len(key) > 200:
        raise ValueError("the reference is empty, longer than 200 characters or not printable")
    return key
