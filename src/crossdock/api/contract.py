# SPDX-License-Identifier: Apache-2.0
"""The contract of the HTTP interface, `GET /openapi.json`, with the routes that are answered outside the framework."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from litestar import Litestar, Request
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
from crossdock.api.conditional import with_tags
from crossdock.api.contract_parts import in_path, problem
from crossdock.api.framework_contract import with_refusals
from crossdock.api.route_life import HEADERS, Endings, with_endings

PATH = "/openapi.json"
_LIFECYCLE = {name: HEADERS[name] for name in ("Deprecation", "Sunset")}
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


def with_hot_paths(schema: dict[str, Any], endings: Endings = MappingProxyType({})) -> dict[str, Any]:
    """The framework's document with the hot routes in it, those of `endings` marked as deprecated."""
    paths = access_contract.with_access(with_tags({**HOT_PATHS, **with_refusals(schema["paths"])}))
    components = schema.get("components", {})
    schemas = {**components.get("schemas", {}), **HOT_SCHEMAS}
    schemes = {**components.get("securitySchemes", {}), **access_contract.SCHEMES}
    return {
        **schema,
        "paths": with_endings(paths, endings),
        "webhooks": webhook_contract.WEBHOOKS,
        "components": {**components, "schemas": schemas, "securitySchemes": schemes},
    }


def endings_in(app: Litestar) -> Endings:
    """The routes that end, as an application was told of them."""
    found: Endings = app.state.get("endings", {})
    return found


class _Contract(JsonRenderPlugin):
    """The whole contract as JSON."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, with_hot_paths(openapi_schema, endings_in(request.app)))


def openapi() -> OpenAPIConfig:
    """For `Litestar(openapi_config=...)`: the document, and no viewer, which would be loaded from another host."""
    plugin = _Contract(path=["/", PATH])
    return OpenAPIConfig(title="Crossdock", version=__version__, path=PATH, render_plugins=[plugin])
