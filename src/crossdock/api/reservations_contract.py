# SPDX-License-Identifier: Apache-2.0
"""Reservations in the contract, `GET /openapi.json`; its example is a test."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.contract_parts import REFS, body, in_path, key_header, problem, told, wrong_body
from crossdock.api.idempotency import LONGEST_KEY
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
    (ReservationRequest, Longer, Ordered, Reservation), ref_template=REFS
)
"""The bodies, and what they refer to."""
_REQUEST, _LONGER, _ORDERED, _RESERVATION = _SCHEMAS
_AWAY = problem("PostgreSQL is away, or too much waits to be written; Retry-After says when to try again")
_UNKNOWN = problem("there is no such reservation")
_WRONG = {**wrong_body(), "503": _AWAY}
_ID = in_path("id", "id of a reservation", pattern="^rsv_[0-9a-f]{28}$")
_KEY = key_header("with what was made the first time", LONGEST_KEY)


def _action(operation: str, summary: str, asks: dict[str, Any], refused: str, wrong: str) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "tags": ["reservations"],
        "parameters": [_ID],
        "requestBody": asks,
        "responses": {
            "200": told("as it stands now", _RESERVATION),
            "404": _UNKNOWN,
            "409": problem(refused),
            "422": problem(wrong),
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
            "requestBody": body(_REQUEST, EXAMPLE_REQUEST),
            "responses": {
                "201": told(
                    "held; `Idempotency-Replayed: true` when it was made by an earlier call with this key", _RESERVATION
                ),
                "409": problem("`/problems/stock.not_enough`: nothing is held, `shortages` says what is available"),
                "422": problem("it cannot be, every fault in `errors`; or the key was used for other content"),
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
            "responses": {"200": told("as it stands now", _RESERVATION), "404": _UNKNOWN, "503": _AWAY},
        },
        "delete": {
            "operationId": "ReleaseReservation",
            "summary": "Give the goods back",
            "description": "One that has ended already is answered as it stands.",
            "tags": ["reservations"],
            "parameters": [_ID],
            "responses": {
                "200": told("nothing is held any more", _RESERVATION),
                "404": _UNKNOWN,
                "409": problem("an order took it over"),
                "503": _AWAY,
            },
        },
    },
    "/v1/reservations/{id}:extend": {
        "post": _action(
            "ExtendReservation",
            "Hold the goods longer",
            body(_LONGER),
            "it is not active any more",
            "not a time for which goods are held, or beyond the longest hold from its making",
        )
    },
    "/v1/reservations/{id}:commit": {
        "post": _action(
            "CommitReservation",
            "Hold the goods until their order comes",
            body(_ORDERED, required=False),
            "it has ended, or belongs to another order",
            "the body is not what is taken here",
        )
    },
}
