# SPDX-License-Identifier: Apache-2.0
"""Prices and master data in the contract, `GET /openapi.json`; its examples are tests."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.contract_parts import AGE, OTHER_METHOD, REFS, body, in_path, problem, told, wrong_body
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

_OUT, SCHEMAS = msgspec.json.schema_components([PriceAnswer, PriceQuestion, Product, Customer], ref_template=REFS)


def _one(noun: str, operation: str, schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    name = "sku" if noun == "product" else "id"
    headers = {
        **AGE,
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
            "parameters": [in_path(name, f"our name of the {noun}")],
            "responses": {
                "200": told(f"the {noun} in canonical form", schema, headers, example),
                "304": {"description": "it is what the ETag in If-None-Match names", "headers": headers},
                "404": problem(f"there is no such {noun}"),
                "405": OTHER_METHOD,
                "503": problem("the database is away and it was not read lately; Retry-After says when to try again"),
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
            "requestBody": body(_OUT[1], EXAMPLE_BODY),
            "responses": {
                "200": told("what each line costs and why, and how old that is", _OUT[0], AGE, EXAMPLE_ANSWER),
                **wrong_body("the body is larger than 512 KB"),
                "405": OTHER_METHOD,
                "422": problem("unknown channel or customer, no currency, a bad quantity; `field` says which"),
                "503": problem("nothing is in memory yet; Retry-After says when to try again"),
            },
        }
    },
    f"{PRODUCTS}{{sku}}": _one("product", "GetProduct", _OUT[2], EXAMPLE_PRODUCT),
    f"{CUSTOMERS}{{id}}": _one("customer", "GetCustomer", _OUT[3], EXAMPLE_CUSTOMER),
}
