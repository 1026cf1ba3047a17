# SPDX-License-Identifier: Apache-2.0
"""The contract of the HTTP interface, `GET /openapi.json`, with the routes that are answered outside the framework."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from crossdock import __version__
from crossdock.api import (
    access_contract,
    availability_contract,
    contract_parts,
    orders_contract,
    prices_contract,
    reservations_contract,
    returns_contract,
    webhook_contract,
)
from crossdock.api.contract_parts import in_path, problem

PATH = "/openapi.json"
_LIFECYCLE: dict[str, Any] = {
    "Deprecation": {
        "description": "of an interface that should not be used any more: since when (RFC 9745)",
        "schema": {"type": "string", "pattern": "^@-?[0-9]+$"},
    },
    "Sunset": {"description": "when it will be gone (RFC 8594)", "schema": {"type": "string"}},
}
HOT_PATHS: dict[str, Any] = {
    "/hooks/{system}/{topic}": {
        "post": {
            "operationId": "TakeWebhook",
            "summary": "Take a webhook",
            "description": "Answered after the commit that made the message durable. The body and its signature are "
            "the system's own; the connector's page in the documentation says which.",
            "tags": ["intake"],
            "parameters": [
                in_path("system", "name of the system in the estate"),
                in_path("topic", "a topic of one of its interfaces; may contain slashes"),
            ],
            "requestBody": {"required": True, "content": {"application/json": {}}},
            "responses": {
                "200": {
                    "description": "kept, or a duplicate of what was kept before",
                    "headers": _LIFECYCLE,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["status"],
                                "properties": {
                                    "status": {"enum": ["kept", "duplicate"]},
                                    "document": {"type": "integer"},
                                },
                            }
                        }
                    },
                },
                "400": problem("the request ended early, or is authentic without what identifies a message"),
                "401": problem("the signature is missing or wrong; nothing was stored"),
                "404": problem("no interface takes this topic of this system"),
                "405": problem("not a POST"),
                "410": problem("the interface is retired; nothing was kept"),
                "413": problem("larger than the interface takes"),
                "422": problem("authentic, but not what the interface takes"),
                "503": problem("cannot be kept just now; Retry-After says when to try again"),
            },
        }
    },
    **availability_contract.PATHS,
    **orders_contract.PATHS,
    **returns_contract.PATHS,
    **reservations_contract.PATHS,
    **prices_contract.PATHS,
}
"""Routes answered as plain ASGI, described by hand."""
HOT_SCHEMAS: dict[str, Any] = {
    **contract_parts.SCHEMAS,
    **availability_contract.SCHEMAS,
    **orders_contract.SCHEMAS,
    **returns_contract.SCHEMAS,
    **reservations_contract.SCHEMAS,
    **prices_contract.SCHEMAS,
    **webhook_contract.SCHEMAS,
}
"""What they refer to under `#/components/schemas/`."""


def with_hot_paths(schema: dict[str, Any]) -> dict[str, Any]:
    """The framework's document with the hot routes in it."""
    components = schema.get("components", {})
    schemas = {**components.get("schemas", {}), **HOT_SCHEMAS}
    schemes = {**components.get("securitySchemes", {}), **access_contract.SCHEMES}
    return {
        **schema,
        "paths": access_contract.with_access({**HOT_PATHS, **schema["paths"]}),
        "webhooks": webhook_contract.WEBHOOKS,
        "components": {**components, "schemas": schemas, "securitySchemes": schemes},
    }


class _Contract(JsonRenderPlugin):
    """The whole contract as JSON."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, with_hot_paths(openapi_schema))


def openapi() -> OpenAPIConfig:
    """For `Litestar(openapi_config=...)`: the document, and no viewer, which would be loaded from another host."""
    plugin = _Contract(path=["/", PATH])
    return OpenAPIConfig(title="Crossdock", version=__version__, path=PATH, render_plugins=[plugin])
