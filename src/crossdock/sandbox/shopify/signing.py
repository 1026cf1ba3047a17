# SPDX-License-Identifier: Apache-2.0
"""The headers of a Shopify webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac

API_VERSION = "2026-10"


def hmac_sha256(secret: str, body: bytes) -> str:
    """Base64 of HMAC-SHA256 over the raw body, keyed with the app's client secret."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def signed_headers(
    secret: str, body: bytes, *, topic: str, shop: str, webhook_id: str, event_id: str, triggered_at: str
) -> dict[str, str]:
    """All headers of one delivery. `webhook_id` stays the same on every retry, `event_id` also across subscriptions;
    `triggered_at` is RFC 3339 in UTC."""
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": hmac_sha256(secret, body),
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-API-Version": API_VERSION,
        "X-Shopify-Webhook-Id": webhook_id,
        "X-Shopify-Event-Id": event_id,
        "X-Shopify-Triggered-At": triggered_at,
    }
