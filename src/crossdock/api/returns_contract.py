# SPDX-License-Identifier: Apache-2.0
"""Returns in the contract, `GET /openapi.json`, made from the structs that read and answer; its examples are tests."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.contract_parts import REFS, body, in_path, key_header, problem, text_headers, told, wrong_body
from crossdock.api.idempotency import LONGEST_KEY
from crossdock.returns.placed import RequestedReturn
from crossdock.returns.request import ReturnRequest
from crossdock.returns.standing import ReturnView

EXAMPLE_RETURN: dict[str, Any] = {
    "order": "ord_01930f2b5c3e5a1f0c9d8e7b6a55",
    "reason": "damaged",
    "lines": [{"line": "1", "quantity": "2"}, {"line": "2", "quantity": "1", "reason": "not_wanted"}],
}
_SCHEMAS, SCHEMAS = msgspec.json.schema_components((ReturnRequest, RequestedReturn, ReturnView), ref_template=REFS)
"""The bodies, and what they refer to."""
_REQUEST, _REQUESTED, _VIEW = _SCHEMAS
_AWAY = problem("PostgreSQL is away, too much waits to be written, or it took too long; Retry-After says when to try")

PATHS: dict[str, Any] = {
    "/v1/returns": {
        "post": {
            "operationId": "RequestReturn",
            "summary": "Ask for a return",
            "description": "What is plainly impossible (no such line, more than has left and is in no other return) is "
            "refused with every fault at once. What only the policy does not let pass is taken in, and a person "
            "decides: its state is `held` until then. ERP and warehouse are told when it is approved.",
            "tags": ["returns"],
            "parameters": [key_header("as it was the first time", LONGEST_KEY)],
            "requestBody": body(_REQUEST, EXAMPLE_RETURN),
            "responses": {
                "201": told(
                    "taken in; `Idempotency-Replayed: true` when it was by an earlier call with this key",
                    _REQUESTED,
                    text_headers(
                        Location="where the return can be read",
                        Idempotency_Replayed="true when the return was asked for by an earlier call with this key",
                    ),
                ),
                **wrong_body(),
                "422": problem("it cannot be, every fault in `errors`; or the key was used for other content"),
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
                in_path("id", "id of a return, or its return key CHANNEL/ID", minLength=1, maxLength=200),
                {
                    "name": "If-None-Match",
                    "in": "header",
                    "required": False,
                    "description": "the ETag of an earlier answer",
                    "schema": {"type": "string", "maxLength": 1000},
                },
            ],
            "responses": {
                "200": told("as it stands now", _VIEW, text_headers(ETag="stands as long as the return does")),
                "304": {"description": "it stands as it did"},
                "404": problem("there is no such return"),
                "503": _AWAY,
            },
        }
    },
}
