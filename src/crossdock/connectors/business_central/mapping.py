# SPDX-License-Identifier: Apache-2.0
"""Message Translator: sales orders to API v2.0, shipments to the page of our extension."""

from __future__ import annotations

from typing import Final

from crossdock.sdk.words import Mapping, Rule

FUNCTIONS: Final = "crossdock.connectors.business_central.converters"
# Lengths of Business Central's fields; it refuses longer texts.
_NAME: Final = ("cut", 100)
_LINE_TEXT: Final = ("cut", 100)
_SHIP_TO: Final = "document.ship_to"


def _ship_to(target: str, source: str, longest: int) -> Rule:
    return Rule(target=f"shipTo{target}", source=f"{_SHIP_TO}.{source}", via=(("cut", longest),), default="")


# Business Central takes the fields of a line in this order, and each may change those before it had set: the price
# comes after what would look up a price of its own.
_LINE: Final = (
    Rule(target="lineType", const="Item"),
    Rule(target="lineObjectNumber", source="sku", via=(("pick", "$.names.sku", "@.sku"),), required=True),
    Rule(target="description", source="description", via=(_LINE_TEXT,)),
    Rule(
        target="locationId", source="location", via=(("pick", "$.names.location"),), note="the sender asked for its id"
    ),
    Rule(
        target="unitOfMeasureCode",
        source="quantity.unit",
        via=(("pick", "$.names.unit", "@.quantity.unit"),),
        note="always said: Business Central would take the item's own sales unit",
    ),
    Rule(target="quantity", source="quantity.value", via=("json_number",), required=True),
    Rule(target="unitPrice", source="unit_price.amount", via=("json_number",), required=True),
    Rule(
        target="discountAmount",
        source="discount.amount",
        via=("json_number",),
        default=0,
        note="said when there is none too: Business Central would apply one of its own",
    ),
)

SALES_ORDER: Final = Mapping(
    name="business_central.sales_order",
    version=1,
    direction="out",
    source="Business Central salesOrder, API v2.0",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="externalDocumentNumber", source="names.external_number", required=True),
        Rule(target="orderDate", source="document.placed_at", via=("iso_date",)),
        Rule(target="customerNumber", source="names.customer", required=True),
        Rule(
            target="currencyCode",
            source="document.currency",
            via=(("pick", "$.names.currency", "$.document.currency"),),
        ),
        Rule(target="pricesIncludeTax", source="document.taxes_included"),
        Rule(target="email", source="document.customer.email", via=(("cut", 80),)),
        Rule(
            target="shipToName",
            sources=(f"{_SHIP_TO}.company", f"{_SHIP_TO}.name"),
            via=("first", _NAME),
            default="",
            note="the ship-to fields are said when they are empty too, or those of the customer would stay",
        ),
        Rule(
            target="shipToContact",
            sources=(f"{_SHIP_TO}.company", f"{_SHIP_TO}.name"),
            via=("contact", _NAME),
            default="",
            note="the person, where a company is the addressee",
        ),
        _ship_to("AddressLine1", "street", 100),
        _ship_to("AddressLine2", "street2", 50),
        _ship_to("City", "city", 30),
        _ship_to("Country", "country", 10),
        _ship_to("State", "region", 30),
        _ship_to("PostCode", "postal_code", 20),
        Rule(target="salesOrderLines", source="document.lines", each=_LINE, required=True),
    ),
    dropped=(
        "known",
        "names",
        "reference",
        # Charges become lines by business_central.charge_line, discounts the order's discountAmount.
        "document.charges",
        # Business Central works tax out itself, unless charge_items names an item for it.
        "document.tax",
        "document.total",
        # The API has no field for what follows.
        "document.number",
        "document.po_number",
        "document.ship_to.phone",
        "document.note",
        "document.service",
        "document.terms",
        "document.lines.tax_code",
        "document.bill_to",
        "document.order_key",
        "document.channel",
        "document.version",
        "document.status",
        "document.updated_at",
        "document.entity",
        "document.customer",
        "document.reservation",
    ),
)

CHARGE_LINE: Final = Mapping(
    name="business_central.charge_line",
    version=1,
    direction="out",
    source="Business Central salesOrderLine that is no goods",
    target="json",
    rules=(
        Rule(target="lineType", const="Item"),
        Rule(target="lineObjectNumber", source="names.item", required=True),
        Rule(target="description", source="document.description", via=(_LINE_TEXT,)),
        Rule(
            target="quantity",
            source="names.quantity",
            required=True,
            note="-1 where money is given back: prices are never negative",
        ),
        Rule(target="unitPrice", source="document.amount.amount", via=("abs", "json_number"), required=True),
        Rule(target="discountAmount", const=0),
    ),
    dropped=("known", "reference", "document.kind", "document.code", "document.amount.currency"),
)

SHIPMENT: Final = Mapping(
    name="business_central.shipment",
    version=1,
    direction="out",
    source="salesOrderShipments of Crossdock's extension, v1.0",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="orderNumber", source="names.order_number", required=True),
        Rule(target="externalReference", source="reference", required=True),
        Rule(target="shipmentDate", source="document.shipped_at", via=("iso_date",)),
        Rule(
            target="trackingNumber",
            source="document.packages.*.tracking_number",
            via=(("whole_numbers", 50),),
            default="",
            note="the numbers of all packages, as many as fit whole",
        ),
        Rule(
            target="carrier",
            source="document.carrier",
            via=(("pick", "$.names.carrier", "$.document.carrier"), ("cut", 50)),
            default="",
        ),
        Rule(
            target="lines",
            source="lines",
            required=True,
            note="matched to the order's lines by the sender",
            each=(
                Rule(target="lineSequence", source="sequence", required=True),
                Rule(target="quantity", source="quantity", via=("json_number",), required=True),
                Rule(target="locationCode", source="location", note="where the shipment left, by their code"),
            ),
        ),
    ),
    dropped=(
        "known",
        "names",
        "document.shipment_id",
        "document.order_key",
        "document.fulfillment_reference",
        "document.location",
        "document.service",
        "document.milestones",
        "document.packages.lines",
        "document.packages.sscc",
        "document.packages.tracking_url",
        "document.packages.weight",
    ),
)

RETURN_ORDER: Final = Mapping(
    name="business_central.return_order",
    version=1,
    direction="out",
    source="salesReturnOrders of Crossdock's extension, v1.0",
    target="json",
    rules=(
        Rule(target="externalDocumentNumber", source="names.external_number", required=True),
        Rule(target="customerNumber", source="names.customer", required=True),
        Rule(target="orderNumber", source="names.order_number"),
        Rule(
            target="lines",
            source="lines",
            required=True,
            note="what came into stock, priced by the sender as it was sold",
            each=(
                Rule(target="itemNumber", source="item", required=True),
                Rule(target="quantity", source="quantity", via=("json_number",), required=True),
                Rule(target="unitPrice", source="price", via=("json_number",), required=True),
                Rule(target="locationCode", source="location"),
            ),
        ),
    ),
    dropped=(
        "known",
        "names",
        "reference",
        "document.receipt_id",
        "document.source",
        "document.return_key",
        "document.location",
        "document.received_at",
        "document.lines",
    ),
)

CREDIT_MEMO: Final = Mapping(
    name="business_central.credit_memo",
    version=1,
    direction="out",
    source="Business Central salesCreditMemo, API v2.0",
    target="json",
    rules=(
        Rule(target="externalDocumentNumber", source="names.external_number", required=True),
        Rule(target="creditMemoDate", source="document.refunded_at", via=("iso_date",)),
        Rule(target="customerNumber", source="names.customer", required=True),
        Rule(
            target="currencyCode",
            source="document.currency",
            via=(("pick", "$.names.currency", "$.document.currency"),),
        ),
        Rule(
            target="salesCreditMemoLines",
            source="lines",
            required=True,
            note="services: the goods themselves come with the return order",
            each=(
                Rule(target="lineType", const="Item"),
                Rule(target="lineObjectNumber", source="item", required=True),
                Rule(target="description", source="description", via=(_LINE_TEXT,)),
                Rule(target="quantity", source="quantity", via=("json_number",), required=True),
                Rule(target="unitPrice", source="price.amount", via=("json_number",), required=True),
            ),
        ),
    ),
    dropped=(
        "known",
        "names",
        "reference",
        "document.refund_key",
        "document.return_key",
        "document.order_key",
        "document.channel",
        "document.number",
        "document.resolution",
        "document.lines",
        "document.fee",
        "document.total",
    ),
)

INVOICE: Final = Mapping(
    name="business_central.invoice",
    version=1,
    direction="in",
    source="Business Central posted salesInvoice with its lines, API v2.0",
    target="invoice",
    functions=FUNCTIONS,
    rules=(
        Rule(target="invoice_key", sources=("~.system", "id"), via=(("concat", "/"),), required=True),
        Rule(target="number", source="number", via=("text", "strip"), required=True),
        Rule(target="order", sources=("~.system", "orderNumber"), via=(("concat", ":"),), required=True),
        Rule(target="version", source="lastModifiedDateTime", via=("epoch_ms",), required=True),
        Rule(
            target="status",
            source="status",
            via=(("match", {"Open": "open", "Paid": "open", "Canceled": "void", "Corrective": "void"}),),
            required=True,
        ),
        Rule(target="issued_at", source="invoiceDate", via=(("datetime", "UTC"),), required=True),
        Rule(target="due_on", source="dueDate"),
        Rule(target="currency", source="currencyCode", via=("text", "upper"), required=True),
        Rule(
            target="lines",
            source="lines",
            where="kind=goods",
            each=(
                Rule(target="line", const="", note="the API names items only; billing finds the order's lines"),
                Rule(target="sku", source="lineObjectNumber", via=("text", "strip"), required=True),
                Rule(
                    target="quantity",
                    source="quantity",
                    via=(("quantity", "ZZ"),),
                    required=True,
                    note="in the unit that was ordered: orders say theirs",
                ),
                Rule(target="total", source="netAmount", via=(("money", "$.currencyCode"),), required=True),
            ),
            required=True,
        ),
        Rule(
            target="charges",
            source="lines",
            where="kind=charge",
            each=(
                Rule(target="kind", source="charge", required=True),
                Rule(target="description", source="description", via=(("cut", 512),)),
                Rule(target="amount", source="netAmount", via=(("money", "$.currencyCode"),), required=True),
            ),
        ),
        Rule(target="tax", source="totalTaxAmount", via=("zero_is_none", ("money", "$.currencyCode")), default=None),
        Rule(target="total", source="totalAmountIncludingTax", via=(("money", "$.currencyCode"),), required=True),
    ),
)

PAYMENT: Final = Mapping(
    name="business_central.payment",
    version=1,
    direction="in",
    source="what of a Business Central posted salesInvoice is not open any more, API v2.0",
    target="payment",
    rules=(
        Rule(
            target="payment_key",
            sources=("~.system", "id"),
            via=(("concat", "/"), ("suffix", "/applied")),
            required=True,
        ),
        Rule(target="order", sources=("~.system", "orderNumber"), via=(("concat", ":"),), required=True),
        Rule(target="invoice_key", sources=("~.system", "id"), via=(("concat", "/"),), required=True),
        Rule(target="version", source="lastModifiedDateTime", via=("epoch_ms",), required=True),
        Rule(target="paid_at", source="lastModifiedDateTime", via=("datetime",), required=True),
        Rule(target="amount", source="paid", via=(("money", "$.currencyCode"),), required=True),
        Rule(target="reference", source="invoiceNumber", via=("text", ("cut", 512))),
    ),
)

MAPPINGS: Final = (SALES_ORDER, CHARGE_LINE, SHIPMENT, RETURN_ORDER, CREDIT_MEMO, INVOICE, PAYMENT)
