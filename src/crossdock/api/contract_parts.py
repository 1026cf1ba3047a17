# SPDX-License-Identifier: Apache-2.0
"""Parts that routes described by hand have in common in the contract, `GET /openapi.json`."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.problems import Problem

Part = dict[str, Any]
"""A part of an OpenAPI document."""
REFS = "#/components/schemas/{name}"
"""Where schemas are, for `msgspec.json.schema_components`."""
(_PROBLEM,), SCHEMAS = msgspec.json.schema_components((Problem,), ref_template=REFS)
"""What the parts refer to."""
AGE: Part = {"Age": {"description": "how old the answer is, whole seconds", "schema": {"type": "integer"}}}
"""The header of answers from memory."""


def problem(description: str, headers: Part | None = None) -> Part:
    """A response that says what went wrong."""
    content = {"application/problem+json": {"schema": _PROBLEM}}
    told = {"description": description, "content": content}
    return told if headers is None else {**told, "headers": headers}


def wrong_body(too_large: str = "the body is too large") -> Part:
    """What is answered, by status, when a body cannot be read as JSON."""
    return {
        "400": problem("the body is not JSON, or was cut off"),
        "408": problem("the body did not arrive in time"),
        "413": problem(too_large),
        "415": problem("the body is not JSON by its Content-Type"),
    }


OTHER_METHOD = problem("another method; Allow names the right one")


def told(description: str, schema: Part, headers: Part | None = None, example: Part | None = None) -> Part:
    """A response of JSON."""
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    answer = {"description": description, "content": {"application/json": content}}
    return answer if headers is None else {**answer, "headers": headers}


def text_headers(**described: str) -> Part:
    """Headers of a response by name, `_` for each `-`."""
    return {
        name.replace("_", "-"): {"description": description, "schema": {"type": "string"}}
        for name, description in described.items()
    }


def body(schema: Part, example: Part | None = None, *, required: bool = True) -> Part:
    """A request body of JSON."""
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"required": required, "content": {"application/json": content}}


def query(name: str, description: str, schema: Part, *, required: bool = False) -> Part:
    """A parameter of the query string."""
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def in_path(name: str, description: str, **schema: object) -> Part:
    """A parameter of the path: text of 200 characters at most, where `schema` says no other."""
    limits = {"type": "string", **(schema or {"maxLength": 200})}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": limits}


def key_header(answered: str, longest: int) -> Part:
    """The header `Idempotency-Key`; `answered`: what a call that is repeated is answered."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": f"names this call within its channel: repeated, it is answered {answered}",
        "schema": {"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[ -~]*[!-~][ -~]*$"},
    }
