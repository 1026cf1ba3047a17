# SPDX-License-Identifier: Apache-2.0
"""Prices and master data in the contract, `GET /openapi.json`; its examples are tests."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.master_data import CUSTOMERS, PRODUCTS
from crossdock.api.price_question import MOST_LINES, PriceQuestion
from crossdock.api.prices import PATH, PriceAnswer
from crossdock.canonical.master_data import Customer, Product

EXAMPLE_BODY: dict[str, Any] = {
    "channel": "shopify-us",
    "customer": "C-1",
    "at": "2026-11-23T12:00:00Z",
    "explain": True,
    "lines": [{"sku": "CD-1001", "quantity": "24"}, {"sku": "CD-1002", "quantity": "2", "unit": "CS"}],
}
EXAMPLE_ANSWER: dict[str, Any] = {
    "customer": "C-1",
    "channel": "shopify-us",
    "currency": "USD",
    "at": "2026-11-23T12:00:00Z",
    "age_seconds": 0.0,
    "stale": False,
    "complete": True,
    "total": "321.60",
    "lines": [
        {
            "line": "1",
            "sku": "CD-1001",
            "quantity": "24",
            "unit": "EA",
            "unit_price": "8.50",
            "total": "204.00",
            "taxes_included": False,
            "list": "CONTRACT-C-1",
            "kind": "contract",
            "from_quantity": "12",
            "next_break": {"from_quantity": "48", "unit_price": "8.25"},
            "reason": "contract list CONTRACT-C-1 of the customer, from 12 EA on",
            "considered": [
                {"list": "CONTRACT-C-1", "kind": "contract", "unit_price": "8.50", "why": "wins"},
                {
                    "list": "BASE-USD",
                    "kind": "base",
                    "unit_price": "10.00",
                    "why": "comes after the contract list CONTRACT-C-1",
                },
            ],
        },
        {
            "line": "2",
            "sku": "CD-1002",
            "quantity": "2",
            "unit": "CS",
            "unit_price": "58.80",
            "total": "117.60",
            "taxes_included": False,
            "list": "BASE-USD",
            "kind": "base",
            "reason": "base list BASE-USD, converted from EA",
            "considered": [{"list": "BASE-USD", "kind": "base", "unit_price": "58.80", "why": "wins"}],
        },
    ],
}
EXAMPLE_PRODUCT: dict[str, Any] = {
    "sku": "CD-1002",
    "description": "Steel shelf",
    "unit": "EA",
    "units": [{"unit": "CS", "factor": "12"}],
}
EXAMPLE_CUSTOMER: dict[str, Any] = {
    "customer_id": "C-1",
    "name": "Harbor Supply",
    "currency": "USD",
    "terms": "NET30",
    "credit_limit": {"amount": "5000.00", "currency": "USD"},
}

_REFS = "#/components/schemas/{name}"
_OUT, SCHEMAS = msgspec.json.schema_components([PriceAnswer, PriceQuestion, Product, Customer], ref_template=_REFS)


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": {"type": "object"}}}}


_AGE = {"Age": {"description": "how old the answer is, whole seconds", "schema": {"type": "integer"}}}


def _one(noun: str, operation: str, schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    name = "sku" if noun == "product" else "id"
    headers = {
        **_AGE,
        "ETag": {
            "description": "with If-None-Match the answer is 304 while nothing changed",
            "schema": {"type": "string"},
        },
        "Crossdock-Stale": {
            "description": "true: the database is away, this is what was read last",
            "schema": {"type": "string"},
        },
    }
    return {
        "get": {
            "operationId": operation,
            "summary": f"A {noun}",
            "tags": ["master data"],
            "parameters": [
                {
                    "name": name,
                    "in": "path",
                    "required": True,
                    "description": f"our name of the {noun}",
                    "schema": {"type": "string", "maxLength": 200},
                }
            ],
            "responses": {
                "200": {
                    "description": f"the {noun} in canonical form",
                    "headers": headers,
                    "content": {"application/json": {"schema": schema, "example": example}},
                },
                "304": {"description": "it is what the ETag in If-None-Match names", "headers": headers},
                "404": _problem(f"there is no such {noun}"),
                "405": _problem("another method; Allow names the right one"),
                "503": _problem("the database is away and it was not read lately; Retry-After says when to try again"),
            },
        }
    }


PATHS: dict[str, Any] = {
    PATH: {
        "post": {
            "operationId": "QuotePrices",
            "summary": f"What up to {MOST_LINES} lines cost",
            "description": "Answered from memory, also while the database is away; then `stale` becomes true. A line "
            "without a price is answered too: it has no `unit_price`, and `reason` says why.",
            "tags": ["prices"],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _OUT[1], "example": EXAMPLE_BODY}},
            },
            "responses": {
                "200": {
                    "description": "what each line costs and why, and how old that is",
                    "headers": _AGE,
                    "content": {"application/json": {"schema": _OUT[0], "example": EXAMPLE_ANSWER}},
                },
                "400": _problem("the body is not JSON"),
                "405": _problem("another method; Allow names the right one"),
                "408": _problem("the body did not arrive in time"),
                "413": _problem("the body is larger than 512 KB"),
                "415": _problem("the body is not JSON by its Content-Type"),
                "422": _problem("unknown channel or customer, no currency, a bad quantity; `field` says which"),
                "503": _problem("nothing is in memory yet; Retry-After says when to try again"),
            },
        }
    },
    f"{PRODUCTS}{{sku}}": _one("product", "GetProduct", _OUT[2], EXAMPLE_PRODUCT),
    f"{CUSTOMERS}{{id}}": _one("customer", "GetCustomer", _OUT[3], EXAMPLE_CUSTOMER),
}
