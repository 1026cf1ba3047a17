# SPDX-License-Identifier: Apache-2.0
"""Standard Webhooks signatures, as a sender makes them."""

from __future__ import annotations

import base64
import hashlib
import hmac


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt. `secret` is `whsec_` + base64; `timestamp` is in seconds since 1970.

    Raises ValueError when the secret has another form.
    """
    prefix, _, encoded = secret.partition("_")
    if prefix != "whsec" or not encoded:
        raise ValueError("a webhook secret is whsec_ followed by base64")
    key = base64.b64decode(encoded, validate=True)
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{digest}"}
