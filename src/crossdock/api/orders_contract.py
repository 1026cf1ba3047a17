# SPDX-License-Identifier: Apache-2.0
"""Orders in the contract, `GET /openapi.json`, made from the structs that read and answer; its examples are tests."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.api.contract_parts import REFS, body, in_path, key_header, problem, query, text_headers, told, wrong_body
from crossdock.api.idempotency import LONGEST_KEY
from crossdock.api.order_cart import Cart
from crossdock.orders.life import STATES
from crossdock.orders.listing import MOST, OrderPage
from crossdock.orders.placed import PlacedOrder
from crossdock.orders.request import OrderRequest
from crossdock.orders.standing import OrderView
from crossdock.orders.withdraw import WithdrawRequest

EXAMPLE_ORDER: dict[str, Any] = {
    "channel": "portal",
    "customer": {"id": "ACME"},
    "po_number": "PO-4711",
    "ship_to": {
        "company": "Acme Inc.",
        "street": "Oak Ave 1",
        "city": "Boise",
        "region": "ID",
        "postal_code": "83702",
        "country": "US",
    },
    "lines": [
        {"sku": "CD-1001", "quantity": "12", "unit_price": "19.90"},
        {"sku": "CD-1002", "quantity": "2", "unit_price": "5.25", "discount": "0.50"},
    ],
    "charges": [{"kind": "shipping", "amount": "9.00"}],
}
EXAMPLE_CANCEL: dict[str, Any] = {"reason": "ordered twice"}
_SCHEMAS, SCHEMAS = msgspec.json.schema_components(
    (OrderRequest, PlacedOrder, Cart, OrderView, OrderPage, WithdrawRequest), ref_template=REFS
)
"""The bodies, and what they refer to."""
_REQUEST, _PLACED, _CART, _VIEW, _PAGE, _WITHDRAW = _SCHEMAS
_AWAY = problem("PostgreSQL is away, too much waits to be written, or it took too long; Retry-After says when to try")
_UNKNOWN = problem("there is no such order")
_WRONG = {**wrong_body(), "503": _AWAY}
_ID = in_path("id", "id of an order, or its order key CHANNEL/ID", minLength=1, maxLength=200)
_KEY = key_header("as it was the first time", LONGEST_KEY)
_TEXT = {"type": "string", "maxLength": 512}

PATHS: dict[str, Any] = {
    "/v1/orders": {
        "post": {
            "operationId": "PlaceOrder",
            "summary": "Place an order",
            "description": "Checked as a whole before it is taken in: every fault is told at once, each with its "
            "field, rule, value and fix. Answered after the commit: what was answered is kept and will reach ERP and "
            "warehouse, whatever is away now.",
            "tags": ["orders"],
            "parameters": [_KEY],
            "requestBody": body(_REQUEST, EXAMPLE_ORDER),
            "responses": {
                "201": told(
                    "taken in; `Idempotency-Replayed: true` when it was by an earlier call with this key",
                    _PLACED,
                    text_headers(
                        Location="where the order can be read",
                        Idempotency_Replayed="true when the order was placed by an earlier call with this key",
                    ),
                ),
                "422": problem("it cannot be, every fault in `errors`; or the key was used for other content"),
                **_WRONG,
            },
        },
        "get": {
            "operationId": "ListOrders",
            "summary": "List orders, newest first",
            "description": "Orders that were decided on, of every channel; those placed a moment ago follow within a "
            "second. Every given condition holds. A page may be short, even empty, and not the last: follow `next`.",
            "tags": ["orders"],
            "parameters": [
                query("customer", "our account of the customer", _TEXT),
                query("po_number", "the buyer's purchase order number", _TEXT),
                query(
                    "sku",
                    "a SKU of ours that any version of the order asked for; not of orders from before there were lists",
                    _TEXT,
                ),
                query("state", "only orders in this state", {"enum": list(STATES)}),
                query("limit", "orders a page", {"type": "integer", "minimum": 1, "maximum": MOST, "default": 50}),
                query("cursor", "`next` of the page before", {"type": "string", "maxLength": 1000}),
            ],
            "responses": {
                "200": told("a page of orders", _PAGE),
                "400": problem("the query is not UTF-8"),
                "414": problem("the query is too long"),
                "422": problem("a parameter is not known, given twice or not what it should be"),
                "503": _AWAY,
            },
        },
    },
    "/v1/orders:validate": {
        "post": {
            "operationId": "ValidateOrder",
            "summary": "Validate a cart",
            "description": "What the order would be, everything it would be refused for, and what is short now. "
            "Answered from memory, with its age, also while PostgreSQL and ERP are away; nothing is written or held.",
            "tags": ["orders"],
            "requestBody": body(_REQUEST, EXAMPLE_ORDER),
            "responses": {
                "200": told("what it would be; `valid` says whether it would be taken in", _CART),
                "422": problem("the body is not what is taken here, or the channel takes no orders"),
                **_WRONG,
            },
        }
    },
    "/v1/orders/{id}": {
        "get": {
            "operationId": "ReadOrder",
            "summary": "Read an order",
            "description": "How far it is, what was asked of warehouses, what has left, and whom it was told.",
            "tags": ["orders"],
            "parameters": [
                _ID,
                {
                    "name": "If-None-Match",
                    "in": "header",
                    "required": False,
                    "description": "the ETag of an earlier answer",
                    "schema": {"type": "string", "maxLength": 1000},
                },
            ],
            "responses": {
                "200": told("as it stands now", _VIEW, text_headers(ETag="stands as long as the order does")),
                "304": {"description": "it stands as it did"},
                "404": _UNKNOWN,
                "409": problem("orders of several channels have this id: use the order key"),
                "503": _AWAY,
            },
        }
    },
    "/v1/orders/{id}:cancel": {
        "post": {
            "operationId": "CancelOrder",
            "summary": "Cancel an order",
            "description": "ERP and warehouses are told as with every cancellation; goods stay held until they agree. "
            "Repeated it changes nothing.",
            "tags": ["orders"],
            "parameters": [_ID],
            "requestBody": body(_WITHDRAW, EXAMPLE_CANCEL, required=False),
            "responses": {
                "200": told("it is cancelled, or about to be", _VIEW),
                "202": told("kept, and about to be decided on", _VIEW),
                "404": _UNKNOWN,
                "409": problem(
                    "goods have left; the order's channel tells of its orders itself; an earlier cancellation came to "
                    "nothing; or orders of several channels have this id"
                ),
                "422": problem("the body is not what is taken here"),
                **_WRONG,
            },
        }
    },
}
