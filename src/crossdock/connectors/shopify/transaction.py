# SPDX-License-Identifier: Apache-2.0
"""Message Translator: Shopify's transaction webhook to a payment of its order."""

from __future__ import annotations

from typing import Final

from crossdock.connectors.shopify.mapping import FUNCTIONS
from crossdock.sdk.words import Mapping, Rule

_SHORT: Final = ("cut", 512)
_MONEY_KINDS: Final = {
    "sale": "payment",
    "capture": "payment",
    "authorization": "payment",
    "void": "payment",
    "refund": "refund",
    "change": "refund",
}

TRANSACTION: Final = Mapping(
    name="shopify.transaction",
    version=1,
    direction="in",
    source="Shopify order transaction webhook (order_transactions/create), API 2026-10",
    target="payment",
    functions=FUNCTIONS,
    rules=(
        Rule(
            target="payment_key", sources=("~.system", "admin_graphql_api_id", "id"), via=("order_key",), required=True
        ),
        Rule(
            target="kind",
            source="kind",
            via=("text", "lower", ("match", _MONEY_KINDS)),
            required=True,
            note="a void lets an authorization go; change is given back at the till",
        ),
        Rule(target="order", sources=("~.channel", "order_id"), via=(("concat", "/"),), required=True),
        Rule(
            target="version",
            source="status",
            via=("text", "lower", ("match", {"pending": 1, "failure": 2, "error": 2, "success": 3})),
            required=True,
            note="a transaction's status only ever goes on",
        ),
        Rule(target="status", sources=("kind", "status"), via=("money_status",), required=True),
        Rule(target="paid_at", sources=("processed_at", "created_at"), via=("first", "datetime"), required=True),
        Rule(target="amount", source="amount", via=(("money", "$.currency"),), required=True),
        Rule(target="method", source="gateway", via=("text", _SHORT)),
        Rule(target="reference", source="payment_id", via=("text", _SHORT)),
    ),
    dropped=(
        "message",
        "test",
        "authorization",
        "location_id",
        "user_id",
        "parent_id",
        "device_id",
        "error_code",
        "source_name",
        # What is known of a card stays at the store.
        "payment_details",
        "receipt",
        "total_unsettled_set",
        "manual_payment_gateway",
        "amount_rounding",
    ),
)
