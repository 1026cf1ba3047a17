# SPDX-License-Identifier: Apache-2.0
"""Message Translator: sales orders and shipments to what SuiteTalk REST takes (record v1, 2026.1)."""

from __future__ import annotations

from typing import Final

from crossdock.sdk.words import Mapping, Rule

FUNCTIONS: Final = "crossdock.connectors.netsuite.converters"
# "Custom" price level: without it NetSuite may put the price of its own list in place of ours.
_CUSTOM_PRICE: Final = "-1"
_LINE_TEXT: Final = ("cut", 4000)


def _address(target: str, source: str) -> tuple[Rule, ...]:
    plain = {
        "addr1": "street",
        "addr2": "street2",
        "city": "city",
        "state": "region",
        "zip": "postal_code",
        "addrPhone": "phone",
        "country.id": "country",
    }
    return (
        Rule(target=f"{target}.addressee", sources=(f"{source}.company", f"{source}.name"), via=("first",)),
        Rule(
            target=f"{target}.attention",
            sources=(f"{source}.company", f"{source}.name"),
            via=("attention",),
            note="the person, where a company is the addressee",
        ),
        *(Rule(target=f"{target}.{theirs}", source=f"{source}.{ours}") for theirs, ours in plain.items()),
    )


_LINE: Final = (
    Rule(target="item.externalId", source="sku", via=(("pick", "$.names.sku", "@.sku"),), required=True),
    Rule(target="description", source="description", via=(_LINE_TEXT,)),
    Rule(target="quantity", source="quantity.value", via=("json_number",), required=True),
    Rule(target="price.id", const=_CUSTOM_PRICE),
    Rule(target="rate", source="unit_price.amount", via=("json_number",), required=True),
    Rule(
        target="amount",
        source="total.amount",
        via=("json_number",),
        required=True,
        note="net of the line's discounts",
    ),
    Rule(target="location.id", source="location", via=(("pick", "$.names.location"),)),
)

SALES_ORDER: Final = Mapping(
    name="netsuite.sales_order",
    version=1,
    direction="out",
    source="NetSuite salesOrder, record v1 2026.1",
    target="json",
    functions=FUNCTIONS,
    rules=(
        Rule(target="entity.externalId", source="names.customer", required=True),
        Rule(target="subsidiary.id", source="names.subsidiary"),
        Rule(target="currency.id", source="names.currency"),
        Rule(target="tranDate", source="document.placed_at", via=("iso_date",)),
        Rule(target="otherRefNum", source="document.number", via=(("cut", 45),), note="the channel's order number"),
        Rule(target="memo", source="reference", via=(("cut", 999),), note="our order key"),
        Rule(target="email", source="document.customer.email"),
        *_address("shippingAddress", "document.ship_to"),
        *_address("billingAddress", "document.bill_to"),
        Rule(target="item.items", source="document.lines", each=_LINE, required=True),
    ),
    dropped=(
        "known",
        "names",
        # Charges become lines by netsuite.charge_line; the sender puts them after the goods.
        "document.charges",
        "document.tax",
        "document.taxes_included",
        "document.total",
        "document.currency",
        "document.order_key",
        "document.channel",
        "document.version",
        "document.status",
        "document.updated_at",
        "document.entity",
        "document.customer",
        "document.po_number",
        "document.reservation",
        "document.service",
        "document.terms",
        "document.lines.tax_code",
        "document.note",
    ),
)

CHARGE_LINE: Final = Mapping(
    name="netsuite.charge_line",
    version=1,
    direction="out",
    source="NetSuite salesOrder item line that is no goods",
    target="json",
    rules=(
        Rule(target="item.externalId", source="names.item", required=True),
        Rule(target="description", source="document.description", via=(_LINE_TEXT,)),
        Rule(target="quantity", source="names.quantity", note="NetSuite: a discount line has none"),
        Rule(target="price.id", const=_CUSTOM_PRICE),
        Rule(target="rate", source="document.amount.amount", via=("json_number",), required=True),
        Rule(target="amount", source="document.amount.amount", via=("json_number",), required=True),
    ),
    dropped=("known", "reference", "document.kind", "document.code", "document.amount.currency"),
)

ITEM_FULFILLMENT: Final = Mapping(
    name="netsuite.item_fulfillment",
    version=1,
    direction="out",
    source="NetSuite itemFulfillment as the body of a transform, record v1 2026.1",
    target="json",
    rules=(
        Rule(target="externalId", source="reference", required=True),
        Rule(target="tranDate", source="document.shipped_at", via=("iso_date",)),
        Rule(target="memo", source="document.shipment_id", via=(("cut", 999),)),
        Rule(target="shipStatus.id", const="C", note="shipped: the only status that takes goods out of stock"),
        Rule(target="item.items", source="lines", required=True, note="matched to the order's lines by the sender"),
        Rule(
            target="package.items",
            source="document.packages",
            each=(
                Rule(target="packageTrackingNumber", source="tracking_number", via=(("cut", 64),)),
                Rule(target="packageDescr", source="sscc"),
                Rule(
                    target="packageWeight",
                    source="weight.value",
                    via=("json_number",),
                    default=1,
                    note="NetSuite wants a weight; without one it is one unit",
                ),
            ),
        ),
    ),
    dropped=(
        "known",
        "names",
        "document.order_key",
        "document.fulfillment_reference",
        "document.location",
        "document.carrier",
        "document.service",
        "document.milestones",
    ),
)

_RETURN_LINES: Final = Rule(
    target="item.items", source="lines", required=True, note="matched to the record's lines by the sender"
)

RETURN_AUTHORIZATION: Final = Mapping(
    name="netsuite.return_authorization",
    version=1,
    direction="out",
    source="NetSuite returnAuthorization as the body of a transform, record v1 2026.1",
    target="json",
    rules=(
        Rule(target="externalId", source="reference", required=True),
        Rule(target="tranDate", source="document.requested_at", via=("iso_date",)),
        Rule(target="memo", source="document.number", via=(("cut", 999),)),
        Rule(target="orderStatus.id", const="B", note="pending receipt: approved, nothing has come back"),
        Rule(target="location.id", source="document.location", via=(("pick", "$.names.location"),)),
        _RETURN_LINES,
    ),
    dropped=(
        "known",
        "document.return_key",
        "document.order_key",
        "document.channel",
        "document.version",
        "document.status",
        "document.updated_at",
        "document.resolution",
        "document.lines",
        "document.note",
        "document.override",
    ),
)

ITEM_RECEIPT: Final = Mapping(
    name="netsuite.item_receipt",
    version=1,
    direction="out",
    source="NetSuite itemReceipt as the body of a transform, record v1 2026.1",
    target="json",
    rules=(
        Rule(target="externalId", source="reference", required=True),
        Rule(target="tranDate", source="document.received_at", via=("iso_date",)),
        Rule(target="memo", source="document.receipt_id", via=(("cut", 999),)),
        _RETURN_LINES,
    ),
    dropped=("known", "names", "document.source", "document.return_key", "document.location", "document.lines"),
)

CREDIT_MEMO: Final = Mapping(
    name="netsuite.credit_memo",
    version=1,
    direction="out",
    source="NetSuite creditMemo as the body of a transform, record v1 2026.1",
    target="json",
    rules=(
        Rule(target="externalId", source="reference", required=True),
        Rule(target="tranDate", source="document.refunded_at", via=("iso_date",)),
        Rule(target="memo", source="document.refund_key", via=(("cut", 999),)),
        _RETURN_LINES,
    ),
    dropped=(
        "known",
        "names",
        "document.return_key",
        "document.order_key",
        "document.channel",
        "document.number",
        "document.resolution",
        "document.currency",
        "document.lines",
        "document.fee",
        "document.total",
    ),
)

INVOICE: Final = Mapping(
    name="netsuite.invoice",
    version=1,
    direction="in",
    source="NetSuite invoice or credit memo, read by SuiteQL (transaction and transactionline)",
    target="invoice",
    functions=FUNCTIONS,
    rules=(
        Rule(target="invoice_key", sources=("~.system", "id"), via=(("concat", "/"),), required=True),
        Rule(target="number", source="tranid", via=("text", "strip"), required=True),
        Rule(target="kind", source="type", via=(("match", {"CustInvc": "invoice", "CustCred": "credit_memo"}),)),
        Rule(target="order", sources=("~.system", "salesorder"), via=(("concat", ":"),), required=True),
        Rule(target="version", source="lastmodifieddate", via=("epoch_ms",), required=True),
        Rule(target="status", source="voided", via=(("match", {"T": "void", "F": "open"}),), default="open"),
        Rule(target="issued_at", source="trandate", via=(("datetime", "UTC"),), required=True),
        Rule(target="due_on", source="duedate"),
        Rule(target="currency", source="currency", via=("text", "upper"), required=True),
        Rule(
            target="lines",
            source="lines",
            where="kind=goods",
            each=(
                Rule(target="line", const="", note="NetSuite knows SKUs only; billing finds the order's lines"),
                Rule(target="sku", source="item", via=("text", "strip"), required=True),
                Rule(
                    target="quantity",
                    sources=("quantity", "$.type"),
                    via=("as_billed", ("quantity", "ZZ")),
                    required=True,
                    note="in the unit that was ordered: orders are sent as numbers",
                ),
                Rule(
                    target="total",
                    sources=("foreignamount", "$.type"),
                    via=("as_billed", ("money", "$.currency")),
                    required=True,
                ),
            ),
            required=True,
        ),
        Rule(
            target="charges",
            source="lines",
            where="kind=charge",
            each=(
                Rule(target="kind", source="charge", required=True),
                Rule(target="description", source="memo", via=(("cut", 512),)),
                Rule(
                    target="amount",
                    sources=("foreignamount", "$.type"),
                    via=("as_billed", ("money", "$.currency")),
                    required=True,
                ),
            ),
        ),
        Rule(target="tax", sources=("lines", "type"), via=("tax_of", ("money", "$.currency")), default=None),
        Rule(
            target="total",
            source="foreigntotal",
            via=("decimal", "abs", ("money", "$.currency")),
            required=True,
            note="a credit memo's is negative",
        ),
    ),
    dropped=("memo", "lines.linesequencenumber"),
)

PAYMENT: Final = Mapping(
    name="netsuite.payment",
    version=1,
    direction="in",
    source="what a NetSuite customer payment was applied to an invoice for, read by SuiteQL",
    target="payment",
    functions=FUNCTIONS,
    rules=(
        Rule(target="payment_key", sources=("~.system", "id", "invoice"), via=(("concat", "/"),), required=True),
        Rule(target="order", sources=("~.system", "salesorder"), via=(("concat", ":"),), required=True),
        Rule(target="invoice_key", sources=("~.system", "invoice"), via=(("concat", "/"),), required=True),
        Rule(target="version", source="lastmodifieddate", via=("epoch_ms",), required=True),
        Rule(target="status", source="voided", via=(("match", {"T": "reversed", "F": "settled"}),), default="settled"),
        Rule(target="paid_at", source="trandate", via=(("datetime", "UTC"),), required=True),
        Rule(target="amount", source="applied", via=("decimal", "abs", ("money", "$.currency")), required=True),
        Rule(target="reference", source="tranid", via=("text", ("cut", 512))),
    ),
    dropped=("type", "memo"),
)

MAPPINGS: Final = (
    SALES_ORDER,
    CHARGE_LINE,
    ITEM_FULFILLMENT,
    RETURN_AUTHORIZATION,
    ITEM_RECEIPT,
    CREDIT_MEMO,
    INVOICE,
    PAYMENT,
)
