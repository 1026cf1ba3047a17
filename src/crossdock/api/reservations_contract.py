# SPDX-License-Identifier: Apache-2.0
"""Reservations in the contract, `GET /openapi.json`; its example is a test."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.problems import Problem
from crossdock.api.reservation_body import Longer, Ordered
from crossdock.inventory.reservation import Reservation, ReservationRequest

EXAMPLE_REQUEST: dict[str, Any] = {
    "channel": "portal",
    "reference": "cart 4711",
    "ttl_seconds": 900,
    "lines": [
        {"line": "1", "sku": "CD-1001", "quantity": "2", "unit": "EA"},
        {"line": "2", "sku": "CD-1002", "quantity": "1", "unit": "CS", "locations": ["DC-EAST", "DC-WEST"]},
    ],
}
_SCHEMAS, SCHEMAS = msgspec.json.schema_components(
    (ReservationRequest, Longer, Ordered, Reservation, Problem), ref_template="#/components/schemas/{name}"
)
"""The bodies, and what they refer to."""
_REQUEST, _LONGER, _ORDERED, _RESERVATION, _PROBLEM = _SCHEMAS


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": _PROBLEM}}}


def _told(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _RESERVATION}}}


_AWAY = _problem("PostgreSQL is away, or too much waits to be written; Retry-After says when to try again")
_UNKNOWN = _problem("there is no such reservation")
_WRONG = {
    "400": _problem("the body is not JSON, or was cut off"),
    "408": _problem("the body did not arrive in time"),
    "413": _problem("the body is too large"),
    "415": _problem("the body does not say that it is JSON"),
    "503": _AWAY,
}
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "id of a reservation",
    "schema": {"type": "string", "pattern": "^rsv_[0-9a-f]{28}$"},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "names this call within its channel: repeated, it is answered with what was made the first time",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def _body(schema: dict[str, Any], *, required: bool = True, example: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"required": required, "content": {"application/json": content}}


def _action(operation: str, summary: str, body: dict[str, Any], refused: str, wrong: str) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "tags": ["reservations"],
        "parameters": [_ID],
        "requestBody": body,
        "responses": {
            "200": _told("as it stands now"),
            "404": _UNKNOWN,
            "409": _problem(refused),
            "422": _problem(wrong),
            **_WRONG,
        },
    }


PATHS: dict[str, Any] = {
    "/v1/reservations": {
        "post": {
            "operationId": "Reserve",
            "summary": "Hold goods before there is an order",
            "description": "All lines or none. Answered after the commit: what was answered is held until it expires, "
            "is released, or its order takes it over.",
            "tags": ["reservations"],
            "parameters": [_KEY],
            "requestBody": _body(_REQUEST, example=EXAMPLE_REQUEST),
            "responses": {
                "201": _told("held; `Idempotency-Replayed: true` when it was made by an earlier call with this key"),
                "409": _problem("`/problems/stock.not_enough`: nothing is held, `shortages` says what is available"),
                "422": _problem("it cannot be, every fault in `errors`; or the key was used for other content"),
                **_WRONG,
            },
        }
    },
    "/v1/reservations/{id}": {
        "get": {
            "operationId": "ReadReservation",
            "summary": "Read a reservation",
            "tags": ["reservations"],
            "parameters": [_ID],
            "responses": {"200": _told("as it stands now"), "404": _UNKNOWN, "503": _AWAY},
        },
        "delete": {
            "operationId": "ReleaseReservation",
            "summary": "Give the goods back",
            "description": "One that has ended already is answered as it stands.",
            "tags": ["reservations"],
            "parameters": [_ID],
            "responses": {
                "200": _told("nothing is held any more"),
                "404": _UNKNOWN,
                "409": _problem("an order took it over"),
                "503": _AWAY,
            },
        },
    },
    "/v1/reservations/{id}:extend": {
        "post": _action(
            "ExtendReservation",
            "Hold the goods longer",
            _body(_LONGER),
            "it is not active any more",
            "not a time for which goods are held, or beyond the longest hold from its making",
        )
    },
    "/v1/reservations/{id}:commit": {
        "post": _action(
            "CommitReservation",
            "Hold the goods until their order comes",
            _body(_ORDERED, required=False),
            "it has ended, or belongs to another order",
            "the body is not what is taken here",
        )
    },
}
