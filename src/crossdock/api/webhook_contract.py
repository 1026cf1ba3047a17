# SPDX-License-Identifier: Apache-2.0
"""What the OpenAPI document says of webhooks: what a subscriber's endpoint is sent, and what its answer means."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.canonical.envelope import CloudEvent

_REFS = "#/components/schemas/{name}"


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "description": description, "schema": {"type": "string"}}


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components([CloudEvent], ref_template=_REFS)
    return dict(schemas)


SCHEMAS: dict[str, Any] = _schemas()
"""What `WEBHOOKS` refers to under `#/components/schemas/`."""

WEBHOOKS: dict[str, Any] = {
    "event": {
        "post": {
            "operationId": "TakeEvent",
            "summary": "Take an event that you subscribed to",
            "description": "Sent to the URL of a subscription, signed as Standard Webhooks describes. At least once "
            "and in order per subject: remember webhook-id. Answer within 15 seconds. `/asyncapi.json` has the schema "
            "of each event's data.",
            "tags": ["subscriptions"],
            "parameters": [
                _header("webhook-id", "the event's id, the same on every try"),
                _header("webhook-timestamp", "seconds since 1970, of this try"),
                _header(
                    "webhook-signature", "v1,BASE64 of HMAC-SHA256 over id.timestamp.body; two while a secret rotates"
                ),
            ],
            "requestBody": {
                "required": True,
                "content": {"application/cloudevents+json": {"schema": {"$ref": _REFS.format(name="CloudEvent")}}},
            },
            "responses": {
                "2XX": {"description": "taken; it does not come again, and the next of its subject follows"},
                "410": {"description": "you want no more: the subscription is disabled"},
                "429": {"description": "nothing is sent for as long as Retry-After says"},
                "default": {"description": "not taken: it is tried again, for three days"},
            },
        }
    }
}
"""Under `webhooks` of the document."""
