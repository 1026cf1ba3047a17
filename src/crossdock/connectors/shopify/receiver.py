# SPDX-License-Identifier: Apache-2.0
"""Idempotent Receiver: checks a webhook's signature and reads which order, or transaction of one, it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from crossdock.sdk.receiving import HookRequest, Identified, message_id_in, moment_of
from crossdock.sdk.signatures import check_hmac_base64


class HookHeaders(Struct, frozen=True, kw_only=True):
    """Names of the headers Shopify sends, in lower case. Its coming delivery framework drops the `x-`."""

    hmac: str = "x-shopify-hmac-sha256"
    webhook_id: str = "x-shopify-webhook-id"
    triggered_at: str = "x-shopify-triggered-at"
    topic: str = "x-shopify-topic"


class OrderHead(Struct):
    """The few fields of a webhook that say which order (or transaction) and which version of it this is."""

    id: int
    admin_graphql_api_id: str | None = None
    updated_at: str | None = None


_MONEY = "order_transactions/"
_HEAD = msgspec.json.Decoder(OrderHead)


class ShopifyReceiver:
    """Webhooks about orders. Several secrets: a rotated app secret takes up to an hour to be used everywhere."""

    def __init__(self, headers: HookHeaders | None = None) -> None:
        self._headers = headers or HookHeaders()

    def authenticate(self, request: HookRequest, secrets: Sequence[str]) -> None:
        """Check the base64 HMAC-SHA256 of the raw body. Raises Unauthenticated, NeedsConfig without a secret."""
        name = self._headers.hmac
        check_hmac_base64(request.body, request.headers.get(name), secrets, header=name)

    def identify(self, request: HookRequest) -> Identified:
        """Deduplicated by the webhook's id (the same on every retry), in order per order, or transaction of one, newest
        by `updated_at`.

        Raises Refused when the webhook's id is missing or too long.
        """
        headers = self._headers
        webhook_id = message_id_in(request, headers.webhook_id, "send the webhook as Shopify does")
        topic = request.headers.get(headers.topic) or request.topic
        about = "payment" if request.topic.startswith(_MONEY) else "order"
        try:
            head = _HEAD.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Identified(
                dedup_key=webhook_id,
                key=f"{about}/{request.system}/unreadable/{webhook_id}",
                topic=topic,
                occurred_at=self._triggered_at(request),
                problem=f"the body is not {'a transaction' if about == 'payment' else 'an order'} in JSON: {error}",
            )
        changed_at = moment_of(head.updated_at) or self._triggered_at(request)
        return Identified(
            dedup_key=webhook_id,
            key=f"{about}/{request.system}/{order_id(head.admin_graphql_api_id, head.id)}",
            topic=topic,
            version=int(changed_at.timestamp() * 1000) if changed_at is not None else 0,
            occurred_at=changed_at,
        )

    def _triggered_at(self, request: HookRequest) -> datetime | None:
        return moment_of(request.headers.get(self._headers.triggered_at))


def order_id(gid: str | None, number: int) -> str:
    """The order's id as text. The GraphQL id is right even where JavaScript has rounded the number above 2^53."""
    tail = gid.rpartition("/")[2] if gid else ""
    return tail if tail.isascii() and tail.isdigit() and len(tail) <= 20 else str(number)
