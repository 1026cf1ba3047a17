# SPDX-License-Identifier: Apache-2.0
"""Returns in the contract, `GET /openapi.json`, made from the structs that read and answer; its examples are tests."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.idempotency import LONGEST_KEY
from crossdock.api.problems import Problem
from crossdock.returns.placed import RequestedReturn
from crossdock.returns.request import ReturnRequest
from crossdock.returns.standing import ReturnView

EXAMPLE_RETURN: dict[str, Any] = {
    "order": "ord_01930f2b5c3e5a1f0c9d8e7b6a55",
    "reason": "damaged",
    "lines": [{"line": "1", "quantity": "2"}, {"line": "2", "quantity": "1", "reason": "not_wanted"}],
}
_SCHEMAS, SCHEMAS = msgspec.json.schema_components(
    (ReturnRequest, RequestedReturn, ReturnView, Problem), ref_template="#/components/schemas/{name}"
)
"""The bodies, and what they refer to."""
_REQUEST, _REQUESTED, _VIEW, _PROBLEM = _SCHEMAS


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": _PROBLEM}}}


def _told(description: str, schema: dict[str, Any], **headers: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
        "headers": {
            name.replace("_", "-"): {"description": said, "schema": {"type": "string"}}
            for name, said in headers.items()
        },
    }


_AWAY = _problem("PostgreSQL is away, too much waits to be written, or it took too long; Retry-After says when to try")

PATHS: dict[str, Any] = {
    "/v1/returns": {
        "post": {
            "operationId": "RequestReturn",
            "summary": "Ask for a return",
            "description": "What is plainly impossible (no such line, more than has left and is in no other return) is "
            "refused with every fault at once. What only the policy does not let pass is taken in, and a person "
            "decides: its state is `held` until then. ERP and warehouse are told when it is approved.",
            "tags": ["returns"],
            "parameters": [
                {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "required": True,
                    "description": "names this call within its channel: repeated, it is answered as it was the first "
                    "time",
                    "schema": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": LONGEST_KEY,
                        "pattern": "^[ -~]*[!-~][ -~]*$",
                    },
                }
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _REQUEST, "example": EXAMPLE_RETURN}},
            },
            "responses": {
                "201": _told(
                    "taken in; `Idempotency-Replayed: true` when it was by an earlier call with this key",
                    _REQUESTED,
                    Location="where the return can be read",
                    Idempotency_Replayed="true when the return was asked for by an earlier call with this key",
                ),
                "400": _problem("the body is not JSON, or was cut off"),
                "408": _problem("the body did not arrive in time"),
                "413": _problem("the body is too large"),
                "415": _problem("the body does not say that it is JSON"),
                "422": _problem("it cannot be, every fault in `errors`; or the key was used for other content"),
                "503": _AWAY,
            },
        }
    },
    "/v1/returns/{id}": {
        "get": {
            "operationId": "ReadReturn",
            "summary": "Read a return",
            "description": "How far it is, what has come back and where it went, what was given for it, whom it was "
            "told.",
            "tags": ["returns"],
            "parameters": [
                {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "description": "id of a return, or its return key CHANNEL/ID",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
                },
                {
                    "name": "If-None-Match",
                    "in": "header",
                    "required": False,
                    "description": "the ETag of an earlier answer",
                    "schema": {"type": "string", "maxLength": 1000},
                },
            ],
            "responses": {
                "200": _told("as it stands now", _VIEW, ETag="stands as long as the return does"),
                "304": {"description": "it stands as it did"},
                "404": _problem("there is no such return"),
                "503": _AWAY,
            },
        }
    },
}
