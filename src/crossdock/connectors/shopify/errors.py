# SPDX-License-Identifier: Apache-2.0
"""What Shopify's statuses and error codes mean for us. Source: Admin GraphQL 2026-10 schema and its usage pages."""

from __future__ import annotations

from typing import Final

from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.http_status import CodeTable, Recovery, StatusTable, status_table

_PLAN = "open the shop's admin; Shopify shows there what it asks for"
_SCOPE = "grant the app the scopes in the connector's page, then reinstall it and renew the token"

STATUSES: Final[StatusTable] = status_table(
    {
        402: Recovery(error=NeedsConfig, reason="the shop is frozen because its bill is open", fix=_PLAN),
        403: Recovery(error=NeedsConfig, reason="the app may not do this in the shop", fix=_SCOPE),
        404: Recovery(
            error=NeedsConfig,
            reason="there is no shop or no such API version at this address",
            fix="compare `shop`, `url` and `api_version` in the estate with the shop's admin",
        ),
        423: Recovery(error=NeedsConfig, reason="Shopify has locked the shop", fix=_PLAN),
        430: Recovery(error=RetryLater, reason="Shopify holds our requests for suspicious", throttled=True),
    }
)

# `errors[].extensions.code` of an answer with status 200.
GRAPHQL_CODES: Final[CodeTable] = {
    "THROTTLED": Recovery(error=RetryLater, reason="the shop's cost points are used up", throttled=True),
    "ACCESS_DENIED": Recovery(error=NeedsConfig, reason="the app lacks an access scope", fix=_SCOPE),
    "SHOP_INACTIVE": Recovery(error=NeedsConfig, reason="the shop is not active", fix=_PLAN),
    "INTERNAL_SERVER_ERROR": Recovery(error=OutcomeUnknown, reason="Shopify failed while it worked on the call"),
    "TIMEOUT": Recovery(error=OutcomeUnknown, reason="Shopify ran out of time while it worked on the call"),
}
# Anything else there is a query that this API version does not know: no document can mend that.
UNKNOWN_GRAPHQL: Final = Recovery(
    error=NeedsConfig,
    reason="Shopify does not understand our query",
    fix="set `api_version` to the one this connector is written for (see its manifest)",
)

_ITEM = Recovery(
    error=NeedsEdit,
    reason="Shopify knows no such inventory item",
    fix="compare the SKU with the store's product, or add a line to crosswalk `sku`",
)
_LOCATION = Recovery(
    error=NeedsEdit,
    reason="Shopify knows no such location",
    fix="correct the location's code for this store in the estate",
)
_QUANTITY = Recovery(error=NeedsEdit, reason="Shopify does not take this quantity", fix="count the stock again")
_OURS = Recovery(error=NeedsConfig, reason="Shopify refuses how we ask", fix="report this: the connector is at fault")
_TWICE = Recovery(
    error=NeedsEdit,
    reason="two stock locations are one and the same location in the store",
    fix="give every location its own code for this store in the estate",
)

# `userErrors[].code` of inventorySetQuantities.
INVENTORY_CODES: Final[CodeTable] = {
    "INVALID_INVENTORY_ITEM": _ITEM,
    "NON_MUTABLE_INVENTORY_ITEM": Recovery(
        error=NeedsEdit,
        reason="Shopify keeps the stock of this item itself",
        fix="leave the SKU out of `stock_publication`, or let the store track it",
    ),
    "INVALID_LOCATION": _LOCATION,
    "INVALID_QUANTITY_NEGATIVE": _QUANTITY,
    "INVALID_QUANTITY_TOO_HIGH": _QUANTITY,
    "INVALID_QUANTITY_TOO_LOW": _QUANTITY,
    "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR": _TWICE,
    "CHANGE_FROM_QUANTITY_STALE": Recovery(error=RetryLater, reason="the store's stock changed meanwhile"),
    "COMPARE_QUANTITY_STALE": Recovery(error=RetryLater, reason="the store's stock changed meanwhile"),
    "COMPARE_QUANTITY_REQUIRED": _OURS,
    "INVALID_NAME": _OURS,
    "INVALID_REASON": _OURS,
    "INVALID_REFERENCE_DOCUMENT": _OURS,
    "IDEMPOTENCY_KEY_PARAMETER_MISMATCH": _OURS,
    "IDEMPOTENCY_CONCURRENT_REQUEST": Recovery(error=RetryLater, reason="the same call is still being worked on"),
    "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED": Recovery(error=RetryLater, reason="an earlier try of this call failed"),
    "SERVICE_UNAVAILABLE": Recovery(error=RetryLater, reason="Shopify's inventory service is away just now"),
}
UNKNOWN_INVENTORY: Final = Recovery(
    error=NeedsEdit,
    reason="Shopify refused the quantity",
    fix="read Shopify's message; mend the product or its mapping",
)
_VARIANT = Recovery(
    error=NeedsEdit,
    reason="Shopify knows no such variant of the product",
    fix="compare the SKU with the store's product, or add a line to crosswalk `sku`",
)
_PRICE = Recovery(error=NeedsEdit, reason="Shopify does not take this price", fix="mend the price list or the product")

# `userErrors[].code` of productVariantsBulkUpdate.
PRICE_CODES: Final[CodeTable] = {
    "PRODUCT_DOES_NOT_EXIST": _VARIANT,
    "PRODUCT_VARIANT_DOES_NOT_EXIST": _VARIANT,
    "MUST_BE_FOR_THIS_PRODUCT": _VARIANT,
    "PRODUCT_VARIANT_ID_MISSING": _OURS,
    "NEGATIVE_PRICE_VALUE": _PRICE,
    "GREATER_THAN_OR_EQUAL_TO": _PRICE,
    "LOCAL_CURRENCY_GIFT_CARD_PRICE_MUST_BE_ZERO": _PRICE,
    "PRODUCT_SUSPENDED": Recovery(
        error=NeedsEdit,
        reason="Shopify has suspended the product",
        fix="look at the product in the store's admin",
    ),
    "UNSUPPORTED_COMBINED_LISTING_PARENT_OPERATION": Recovery(
        error=NeedsEdit,
        reason="the SKU is the parent of a combined listing, which has no price",
        fix="price the products of the listing; leave the parent out with sku_prefixes in price_publication",
    ),
}
UNKNOWN_PRICE: Final = Recovery(
    error=NeedsEdit,
    reason="Shopify refused the price",
    fix="read Shopify's message; mend the product in the store or its mapping",
)
REFUSED_FULFILLMENT: Final = Recovery(
    error=NeedsEdit,
    reason="Shopify refused the fulfillment",
    fix="compare the order in the store's admin with the shipment, then retry",
)
REFUSED_REFUND: Final = Recovery(
    error=NeedsEdit,
    reason="Shopify refused the refund",
    fix="compare the order in the store's admin with the refund; mend it, or refund it there and dismiss this",
)
