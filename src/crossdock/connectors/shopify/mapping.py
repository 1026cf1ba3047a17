# SPDX-License-Identifier: Apache-2.0
"""Message Translator: Shopify's order webhook to a sales order; shipments and stock levels to what the API takes."""

from __future__ import annotations

from typing import Final

from crossdock.sdk.words import Mapping, Rule

FUNCTIONS: Final = "crossdock.connectors.shopify.converters"
_EDITS: Final = ("line_items.*.quantity", "line_items.*.current_quantity", "cancelled_at")
_QUANTITIES: Final = ("quantity", "current_quantity", "$.cancelled_at")
_SHORT: Final = ("cut", 512)


def _address(target: str, source: str) -> tuple[Rule, ...]:
    fields = {
        "name": "name",
        "company": "company",
        "street": "address1",
        "street2": "address2",
        "city": "city",
        "region": "province_code",
        "postal_code": "zip",
        "phone": "phone",
    }
    return (
        *(
            Rule(target=f"{target}.{ours}", source=f"{source}.{theirs}", via=(_SHORT,))
            for ours, theirs in fields.items()
        ),
        Rule(target=f"{target}.country", source=f"{source}.country_code", via=("text", "upper")),
    )


_LINE: Final = (
    Rule(target="line", sources=("admin_graphql_api_id", "id"), via=("exact_id",), required=True),
    Rule(target="sku", source="sku", via=("text", "strip"), crosswalk="sku", required=True),
    Rule(target="description", source="name", via=(_SHORT,)),
    Rule(
        target="quantity",
        sources=_QUANTITIES,
        via=("quantity_now", ("quantity", "EA")),
        note="as it stands after edits in the store; Shopify counts pieces",
    ),
    Rule(target="unit_price", source="price", via=(("money", "$.currency"),)),
    Rule(
        target="discount",
        sources=("discount_allocations.*.amount", *_QUANTITIES),
        via=(("line_discount", "$.currency"), ("money", "$.currency")),
        default=None,
        note="`total_discount` leaves out what discount codes take off; the allocations have it all",
    ),
    Rule(
        target="tax",
        sources=("tax_lines.*.price", *_QUANTITIES),
        via=(("line_tax", "$.currency"), ("money", "$.currency")),
        default=None,
    ),
    Rule(
        target="total",
        sources=("price", "discount_allocations.*.amount", *_QUANTITIES),
        via=(("line_total", "$.currency"), ("money", "$.currency")),
    ),
)

_CHARGE: Final = (
    Rule(target="kind", source="kind"),
    Rule(target="code", source="code", via=(_SHORT,)),
    Rule(target="description", source="title", via=(_SHORT,)),
    Rule(target="amount", source="amount", via=(("money", "$.currency"),)),
)

ORDER: Final = Mapping(
    name="shopify.order",
    version=1,
    direction="in",
    source="Shopify order webhook (orders/create, orders/updated, orders/cancelled), API 2026-10",
    target="sales_order",
    functions=FUNCTIONS,
    rules=(
        Rule(
            target="order_key", sources=("~.channel", "admin_graphql_api_id", "id"), via=("order_key",), required=True
        ),
        Rule(target="number", source="name", via=("text", "strip"), required=True),
        Rule(target="channel", source="~.channel"),
        Rule(target="version", source="updated_at", via=("epoch_ms",), default=0),
        Rule(target="status", source="cancelled_at", via=(("then", "cancelled"),), default="open"),
        Rule(target="placed_at", source="created_at", via=("datetime",), required=True),
        Rule(target="updated_at", source="updated_at", via=("datetime",)),
        Rule(target="currency", source="currency", via=("text", "upper"), required=True),
        Rule(
            target="customer.id",
            sources=("company.id", "customer.admin_graphql_api_id", "customer.id"),
            via=("account",),
            default="",
        ),
        Rule(
            target="customer.name",
            sources=("customer.first_name", "customer.last_name"),
            via=(("join", " "), _SHORT),
            default="",
        ),
        Rule(
            target="customer.email",
            sources=("email", "contact_email", "customer.email"),
            via=("first", _SHORT),
            default="",
        ),
        *_address("ship_to", "shipping_address"),
        *_address("bill_to", "billing_address"),
        Rule(target="po_number", source="po_number", via=(_SHORT,)),
        Rule(
            target="service",
            sources=("shipping_lines.0.code", "shipping_lines.0.title"),
            via=("first", _SHORT),
            default="",
            note="the first shipping line is what the buyer chose",
        ),
        Rule(target="lines", sources=("line_items", "cancelled_at"), via=("lines_left",), each=_LINE, required=True),
        Rule(
            target="charges",
            sources=(
                "shipping_lines",
                "total_tip_received",
                "original_total_duties_set.shop_money.amount",
                "original_total_additional_fees_set.shop_money.amount",
                "total_discounts",
                "line_items.*.discount_allocations.*.amount",
                *_EDITS,
            ),
            via=("charges_of",),
            each=_CHARGE,
        ),
        Rule(
            target="tax",
            sources=("total_tax", "current_total_tax", *_EDITS),
            via=("as_it_stands", ("money", "$.currency")),
            default=None,
        ),
        Rule(target="taxes_included", source="taxes_included", via=("boolean",), default=False),
        Rule(
            target="total",
            sources=("total_price", "current_total_price", *_EDITS),
            via=("as_it_stands", ("money", "$.currency")),
            required=True,
        ),
        Rule(target="note", source="note", via=(("cut", 5000),)),
    ),
    dropped=(
        # Who bought it and how, which fulfills nothing.
        "app_id",
        "browser_ip",
        "buyer_accepts_marketing",
        "cart_token",
        "checkout_id",
        "checkout_token",
        "client_details",
        "customer",
        "customer_locale",
        "device_id",
        "landing_site",
        "landing_site_ref",
        "location_id",
        "merchant_business_entity_id",
        "merchant_of_record_app_id",
        "note_attributes",
        "order_status_url",
        "phone",
        "reference",
        "referring_site",
        "source_identifier",
        "source_name",
        "source_url",
        "tags",
        "test",
        "token",
        "user_id",
        "company.location_id",
        # Other names and states of the order in the store.
        "cancel_reason",
        "closed_at",
        "confirmation_number",
        "confirmed",
        "fulfillment_status",
        "number",
        "order_number",
        "processed_at",
        # Payment is the store's and the ERP's affair.
        "financial_status",
        "payment_details",
        "payment_gateway_names",
        "payment_terms",
        "total_outstanding",
        "total_cash_rounding_payment_adjustment_set",
        "total_cash_rounding_refund_adjustment_set",
        # The same amounts again: as sums, in the buyer's currency, before and after edits.
        "current_shipping_price_set",
        "current_subtotal_price",
        "current_subtotal_price_set",
        "current_total_additional_fees_set",
        "current_total_discounts",
        "current_total_discounts_set",
        "current_total_duties_set",
        "current_total_price_set",
        "current_total_tax_set",
        "discount_applications",
        "discount_codes",
        "duties_included",
        "estimated_taxes",
        "original_total_additional_fees_set.presentment_money",
        "original_total_additional_fees_set.shop_money.currency_code",
        "original_total_duties_set.presentment_money",
        "original_total_duties_set.shop_money.currency_code",
        "presentment_currency",
        "subtotal_price",
        "subtotal_price_set",
        "tax_exempt",
        "tax_lines",
        "total_discounts_set",
        "total_line_items_price",
        "total_line_items_price_set",
        "total_price_set",
        "total_shipping_price_set",
        "total_tax_set",
        "total_weight",
        # Of a line: what it is in the store, and its amounts again.
        "line_items.attributed_staffs",
        "line_items.discount_allocations",
        "line_items.duties",
        "line_items.fulfillable_quantity",
        "line_items.fulfillment_service",
        "line_items.fulfillment_status",
        "line_items.gift_card",
        "line_items.grams",
        "line_items.pre_tax_price",
        "line_items.pre_tax_price_set",
        "line_items.price_set",
        "line_items.product_exists",
        "line_items.product_id",
        "line_items.properties",
        "line_items.requires_shipping",
        "line_items.sales_line_item_group_id",
        "line_items.tax_lines",
        "line_items.taxable",
        "line_items.title",
        "line_items.total_discount",
        "line_items.total_discount_set",
        "line_items.variant_id",
        "line_items.variant_inventory_management",
        "line_items.variant_title",
        "line_items.vendor",
        # Documents of their own kinds, which have topics of their own.
        "fulfillments",
        "refunds",
        "returns",
        "line_item_groups",
        # Of an address: the parts that `name` and the codes say better.
        "shipping_address.first_name",
        "shipping_address.last_name",
        "shipping_address.country",
        "shipping_address.province",
        "shipping_address.latitude",
        "shipping_address.longitude",
        "billing_address.first_name",
        "billing_address.last_name",
        "billing_address.country",
        "billing_address.province",
        "billing_address.latitude",
        "billing_address.longitude",
    ),
)

FULFILLMENT: Final = Mapping(
    name="shopify.fulfillment",
    version=1,
    direction="out",
    source="Shopify FulfillmentInput, API 2026-10",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="lineItemsByFulfillmentOrder", source="lines", note="found in the store by sender"),
        Rule(target="notifyCustomer", source="names.notify_customer"),
        Rule(target="trackingInfo.company", source="names.carrier"),
        Rule(
            target="trackingInfo.numbers",
            source="document.packages",
            via=(("tracking_of", "$.document.shipment_id"),),
            note="without a tracking number the shipment's id stands in: it is how we find our fulfillment again",
        ),
        Rule(target="trackingInfo.urls", source="document.packages", via=("tracking_urls",)),
    ),
    dropped=(
        "known",
        "reference",
        "document.order_key",
        "document.fulfillment_reference",
        "document.location",
        "document.carrier",
        "document.service",
        "document.shipped_at",
        "document.milestones",
    ),
)

REFUND: Final = Mapping(
    name="shopify.refund",
    version=1,
    direction="out",
    source="Shopify RefundInput, API 2026-10",
    target="json",
    rules=(
        Rule(target="orderId", source="names.order", required=True),
        Rule(target="note", source="reference", required=True, note="how we find our refund again"),
        Rule(target="notify", source="names.notify_customer"),
        Rule(target="refundLineItems", source="lines"),
        Rule(target="transactions", source="transactions", note="by the payments the store has, found by the sender"),
    ),
    dropped=(
        "known",
        "document.refund_key",
        "document.return_key",
        "document.order_key",
        "document.channel",
        "document.number",
        "document.resolution",
        "document.currency",
        "document.refunded_at",
        "document.lines",
        "document.fee",
        "document.total",
    ),
)

STOCK_LEVEL: Final = Mapping(
    name="shopify.stock_level",
    version=1,
    direction="out",
    source="Shopify InventoryQuantityInput, API 2026-10",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="inventoryItemId", source="names.inventory_item", required=True),
        Rule(target="locationId", source="names.location", required=True),
        Rule(
            target="quantity",
            sources=(
                "document.on_hand",
                "document.quarantined",
                "document.allocated",
                "document.reserved",
                "document.safety",
            ),
            via=("available",),
            note="Shopify's `available`: what may be sold now",
        ),
    ),
    dropped=(
        "known",
        "reference",
        "document.sku",
        "document.location",
        "document.incoming",
        "document.sequence",
        "document.as_of",
    ),
)

PRICE: Final = Mapping(
    name="shopify.price",
    version=1,
    direction="out",
    source="ProductVariantsBulkInput of the Admin API 2026-10",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="id", source="names.variant", required=True),
        Rule(target="price", source="document.price", via=("plain_number",), required=True),
    ),
    dropped=(
        "known",
        "reference",
        "document.channel",
        "document.sku",
        "document.unit",
        "document.currency",
        "document.sequence",
        "document.as_of",
    ),
)

MAPPINGS: Final = (ORDER, FULFILLMENT, STOCK_LEVEL, PRICE, REFUND)
