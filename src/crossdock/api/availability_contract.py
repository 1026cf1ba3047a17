# SPDX-License-Identifier: Apache-2.0
"""Availability in the contract, `GET /openapi.json`; its examples are tests."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.availability import BATCH_PATH, PATH, AvailabilityAnswer
from crossdock.api.availability_question import MOST_SKUS, MOST_SKUS_IN_BATCH, AvailabilityQuestion
from crossdock.api.contract_parts import AGE, OTHER_METHOD, REFS, body, problem, query, told, wrong_body

EXAMPLE_QUERY = "channel=shopify-us&sku=CD-1001&sku=CD-1002"
EXAMPLE_BODY: dict[str, Any] = {"channel": "shopify-us", "skus": ["CD-1001", "CD-1002"], "explain": True}
EXAMPLE_ANSWER: dict[str, Any] = {
    "channel": "shopify-us",
    "as_of": "2026-11-23T12:00:00Z",
    "age_seconds": 0.0,
    "stale": False,
    "items": [
        {
            "sku": "CD-1001",
            "available": "9",
            "unit": "EA",
            "locations": [{"location": "DC-EAST", "available": "7"}, {"location": "DC-WEST", "available": "2"}],
            "sequence": 3,
        },
        {
            "sku": "CD-1002",
            "available": "0",
            "unit": "EA",
            "locations": [{"location": "DC-EAST", "available": "0"}, {"location": "DC-WEST", "available": "0"}],
            "sequence": 0,
            "substitutes": [{"sku": "CD-1001", "available": "9"}],
        },
    ],
}
EXAMPLE_EXPLAINED: dict[str, Any] = {
    **EXAMPLE_ANSWER,
    "items": [
        {
            **EXAMPLE_ANSWER["items"][0],
            "explanation": [
                {"what": "on hand", "quantity": "10", "location": "DC-EAST"},
                {"what": "reserved", "quantity": "-2", "location": "DC-EAST", "why": "held for carts and quotes"},
                {"what": "safety", "quantity": "-1", "location": "DC-EAST", "why": "safety stock of the rules"},
                {"what": "on hand", "quantity": "3", "location": "DC-WEST"},
                {"what": "safety", "quantity": "-1", "location": "DC-WEST", "why": "safety stock of the rules"},
            ],
            "told": [
                {
                    "system": "shopify-us",
                    "location": "DC-EAST",
                    "quantity": "8",
                    "told_at": "2026-11-23T11:59:58Z",
                }
            ],
        },
        {
            **EXAMPLE_ANSWER["items"][1],
            "explanation": [
                {"what": "on hand", "quantity": "0", "location": "DC-EAST"},
                {"what": "safety", "quantity": "-1", "location": "DC-EAST", "why": "safety stock of the rules"},
                {"what": "never below zero", "quantity": "1", "location": "DC-EAST"},
                {"what": "on hand", "quantity": "0", "location": "DC-WEST"},
                {"what": "safety", "quantity": "-1", "location": "DC-WEST", "why": "safety stock of the rules"},
                {"what": "never below zero", "quantity": "1", "location": "DC-WEST"},
            ],
            "expected": [
                {"location": "DC-EAST", "due_at": "2026-11-25T08:00:00Z", "quantity": "40", "reference": "PO-77"}
            ],
        },
    ],
}

_OUT, SCHEMAS = msgspec.json.schema_components([AvailabilityAnswer, AvailabilityQuestion], ref_template=REFS)


def _answers(example: dict[str, Any]) -> dict[str, Any]:
    headers = {
        **AGE,
        "ETag": {
            "description": "of the numbers, not of their age: with If-None-Match the answer is 304 while they stand",
            "schema": {"type": "string"},
        },
    }
    return {
        "200": told("what is known, and how old that is", _OUT[0], headers, example),
        "304": {"description": "the numbers are those of the ETag in If-None-Match", "headers": headers},
        "405": OTHER_METHOD,
        "422": problem("unknown SKU, channel or parameter, a bad time, too many SKUs; `field` says which"),
        "503": problem(
            "nothing is in memory yet, or the past was asked for while the database is away; Retry-After says when to "
            "try again"
        ),
    }


PATHS: dict[str, Any] = {
    PATH: {
        "get": {
            "operationId": "GetAvailability",
            "summary": "What a channel may sell of some SKUs",
            "description": "Answered from memory, also while the database is away; then `stale` becomes true.",
            "tags": ["availability"],
            "parameters": [
                query("channel", "the channel that sells", {"type": "string"}, required=True),
                {
                    **query(
                        "sku",
                        f"a SKU; repeated for several, at most {MOST_SKUS}",
                        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_SKUS},
                        required=True,
                    ),
                    "style": "form",
                    "explode": True,
                },
                query("explain", "how each number comes about", {"type": "boolean", "default": False}),
                query(
                    "as_of",
                    "a moment of the past: what was known then, by the rules of now",
                    {"type": "string", "format": "date-time"},
                ),
            ],
            "responses": {
                **_answers(EXAMPLE_ANSWER),
                "400": problem("the query is not UTF-8"),
                "414": problem("the query is longer than 16 KB"),
            },
        }
    },
    BATCH_PATH: {
        "post": {
            "operationId": "GetAvailabilityBatch",
            "summary": f"What a channel may sell of up to {MOST_SKUS_IN_BATCH} SKUs",
            "description": "As the GET; each SKU is answered once, in the order asked.",
            "tags": ["availability"],
            "requestBody": body(_OUT[1], EXAMPLE_BODY),
            "responses": {
                **_answers(EXAMPLE_EXPLAINED),
                **wrong_body("the body is larger than 256 KB"),
            },
        }
    },
}
