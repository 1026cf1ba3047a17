# SPDX-License-Identifier: Apache-2.0
"""What the door adds to the contract of each route: the credential it asks for, and what is answered without."""

from __future__ import annotations

from typing import Any

from crossdock.api.access_table import TABLE
from crossdock.api.contract_parts import problem

SCHEMES: dict[str, Any] = {
    "credential": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`cdk_…`) or an OAuth 2.0 access token (JWT); only where the estate has consumers.",
    }
}
_RETRY = {"Retry-After": {"description": "seconds until it is worth trying again", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "as RFC 6750 has it", "schema": {"type": "string"}}}


def with_access(paths: dict[str, Any]) -> dict[str, Any]:
    """`paths` of a contract, each route of the access table with its scope and the door's answers."""
    changed = {path: dict(methods) for path, methods in paths.items()}
    for route in TABLE:
        methods = changed.get(route.path.replace(":path}", "}"), {})
        operation = methods.get(route.method.lower())
        if operation is not None:
            methods[route.method.lower()] = _behind_the_door(operation, route.scope)
    return changed


def _behind_the_door(operation: dict[str, Any], scope: str) -> dict[str, Any]:
    answers = {
        "401": problem("no credential that holds, where the estate has consumers", _CHALLENGE),
        "403": problem(f"the credential lacks the scope {scope}", _CHALLENGE),
        "404": problem("there is no such thing, or it is not the caller's"),
        "429": problem("the caller's plan is used up for now", _RETRY),
        "503": problem("what is needed to answer is away, or too much is under way", _RETRY),
    }
    return {
        **operation,
        "security": [{"credential": []}, {}],
        "x-scope": scope,
        "responses": {**answers, **operation["responses"]},
    }
