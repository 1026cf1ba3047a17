# SPDX-License-Identifier: Apache-2.0
"""The fields of the simulated records, name by type, after the public REST API Browser 2026.1 (a subset, names
exact)."""

from __future__ import annotations

STRING = "string"
NUMBER = "number"
INTEGER = "integer"
BOOLEAN = "boolean"
DATE = "date"
DATETIME = "date-time"
REF = "reference"
ENUM = "enumeration"
ADDRESS = "address"
ANY = "any"


def _typed(**names: str) -> dict[str, str]:
    """Field names by type, for types whose name is an identifier with `_` for `-`."""
    return {name: kind.replace("_", "-") for kind, text in names.items() for name in text.split()}


_LINKS = {"links": ANY}
_HEAD = _typed(
    string="id externalId refName tranId transactionNumber memo",
    date="tranDate",
    date_time="createdDate lastModifiedDate",
)
SALES_ORDER = {
    **_HEAD,
    **_LINKS,
    **_typed(
        string="otherRefNum email linkedTrackingNumbers integrationId",
        number="exchangeRate shippingCost handlingCost discountRate discountTotal subtotal taxTotal total",
        reference="""customForm subsidiary location department class entity currency shipMethod shipAddressList
            billAddressList terms salesChannel promoCode couponCode discountItem""",
        boolean="shipComplete isMultiShipTo isCrossSubTransaction",
        date="shipDate actualShipDate",
        enumeration="orderStatus status source",
        address="shippingAddress billingAddress",
    ),
}
SALES_ORDER_LINE = {
    **_LINKS,
    **_typed(
        string="lineUniqueKey description units serialNumbers",
        number="""quantity rate rateIncludingTax amount grossAmt taxRate1 tax1Amt quantityAllocated quantityAvailable
            quantityBackOrdered quantityBilled quantityCommitted quantityDemandAllocated quantityFulfilled
            quantityOnHand quantityOrdered quantityPacked quantityPicked quantityReceived""",
        reference="item price taxCode location inventorylocation inventorysubsidiary shipMethod shipAddress",
        integer="line shipGroup",
        boolean="isTaxable locationAutoAssigned noAutoAssignLocation commitmentFirm isClosed isOpen itemIsFulfilled",
        date="expectedShipDate requestedDate",
        enumeration="commitInventory itemFulfillmentChoice itemType",
        any="inventoryDetail",
    ),
}
ITEM_FULFILLMENT = {
    **_HEAD,
    **_LINKS,
    **_typed(
        string="orderType shipAddress shipCompany shipPhone returnAddress",
        number="exchangeRate handlingCost",
        reference="""customForm subsidiary location department class postingPeriod createdFrom entity shipMethod
            requestedBy""",
        integer="createdFromShipGroup orderId",
        boolean="shipIsResidential generateIntegratedShipperLabel",
        date="pickedDate packedDate shippedDate",
        enumeration="shipStatus shipCarrier",
        address="shippingAddress",
    ),
}
ITEM_FULFILLMENT_LINE = _typed(
    string="itemName displayName description units itemUpc binNumbers serialNumbers options",
    number="quantity quantityRemaining onHand rate amount",
    reference="item location orderDoc",
    integer="line orderLine kitMemberOf",
    boolean="itemReceive",
    date="expirationDate",
    any="inventoryDetail",
)
PACKAGE = _typed(
    string="packageCartonNumber packageDescr packageTrackingNumber packageTrackingNumberReturn",
    number="packageWeight",
    any="packageDetails",
)
CUSTOMER = {
    **_LINKS,
    **_typed(
        string="id externalId refName entityId companyName firstName lastName email phone comments",
        reference="customForm subsidiary currency terms",
        boolean="isPerson isInactive",
        date_time="dateCreated lastModifiedDate",
    ),
}
INVENTORY_ITEM = {
    **_LINKS,
    **_typed(
        string="id externalId refName itemId displayName upcCode salesDescription",
        number="weight",
        reference="customForm location",
        boolean="isInactive",
        date_time="createdDate lastModifiedDate",
    ),
}

RETURN_AUTHORIZATION = {
    **_HEAD,
    **_LINKS,
    **_typed(
        string="otherRefNum email message integrationId",
        number="exchangeRate discountRate discountTotal subtotal taxTotal total",
        reference="customForm subsidiary location department class entity currency createdFrom discountItem",
        boolean="isCrossSubTransaction toBeEmailed",
        enumeration="orderStatus status source",
        address="shippingAddress billingAddress",
    ),
}
RETURN_AUTHORIZATION_LINE = {
    **_LINKS,
    **_typed(
        string="lineUniqueKey description units serialNumbers",
        number="quantity quantityReceived quantityBilled rate rateIncludingTax amount grossAmt taxRate1 tax1Amt",
        reference="item price taxCode location inventorylocation orderDoc",
        integer="line orderLine",
        boolean="isClosed isOpen isTaxable",
        any="inventoryDetail",
    ),
}
ITEM_RECEIPT = {
    **_HEAD,
    **_LINKS,
    **_typed(
        number="exchangeRate",
        reference="customForm subsidiary location postingPeriod createdFrom entity currency",
        enumeration="status",
    ),
}
ITEM_RECEIPT_LINE = _typed(
    string="description itemName units serialNumbers binNumbers",
    number="quantity quantityRemaining rate",
    reference="item location",
    integer="line orderLine",
    boolean="itemReceive",
    any="inventoryDetail",
)
CREDIT_MEMO = {
    **_HEAD,
    **_LINKS,
    **_typed(
        string="otherRefNum email message",
        number="exchangeRate shippingCost handlingCost discountRate discountTotal subtotal taxTotal total",
        reference="""customForm subsidiary location department class entity currency createdFrom postingPeriod account
            discountItem""",
        boolean="autoApply toBeEmailed",
        enumeration="status source",
        address="shippingAddress billingAddress",
    ),
}
CREDIT_MEMO_LINE = _typed(
    string="description units serialNumbers",
    number="quantity rate amount grossAmt taxRate1 tax1Amt",
    reference="item price taxCode location",
    integer="line orderLine",
    boolean="isTaxable",
    any="inventoryDetail",
)

INVOICE = {
    **_HEAD,
    **_LINKS,
    **_typed(
        string="otherRefNum email message",
        number="""exchangeRate shippingCost handlingCost discountTotal subtotal taxTotal total amountPaid
            amountRemaining""",
        reference="""customForm subsidiary location department class entity currency createdFrom postingPeriod account
            terms""",
        date="dueDate",
        enumeration="status source",
        address="shippingAddress billingAddress",
    ),
}
INVOICE_LINE = _typed(
    string="description units serialNumbers",
    number="quantity rate amount grossAmt taxRate1 tax1Amt",
    reference="item price taxCode location orderDoc",
    integer="line orderLine",
    boolean="isTaxable",
    any="inventoryDetail",
)
CUSTOMER_PAYMENT = {
    **_HEAD,
    **_LINKS,
    **_typed(
        number="exchangeRate payment applied unapplied total",
        reference="customForm subsidiary customer currency postingPeriod account aracct paymentMethod",
        boolean="autoApply undepFunds",
        enumeration="status",
    ),
}
CUSTOMER_PAYMENT_APPLY = _typed(
    string="refNum type",
    number="amount due total disc",
    reference="doc",
    integer="line",
    boolean="apply",
    date="applyDate dueDate",
)
CUSTOMER_DEPOSIT = {
    **_HEAD,
    **_LINKS,
    **_typed(
        string="checkNum",
        number="exchangeRate payment",
        reference="customForm subsidiary customer salesOrder currency postingPeriod account location paymentMethod",
        boolean="undepFunds",
        enumeration="status",
    ),
}

RECORDS: dict[str, dict[str, str]] = {
    "salesOrder": SALES_ORDER,
    "itemFulfillment": ITEM_FULFILLMENT,
    "returnAuthorization": RETURN_AUTHORIZATION,
    "itemReceipt": ITEM_RECEIPT,
    "creditMemo": CREDIT_MEMO,
    "invoice": INVOICE,
    "customerPayment": CUSTOMER_PAYMENT,
    "customerDeposit": CUSTOMER_DEPOSIT,
    "customer": CUSTOMER,
    "inventoryItem": INVENTORY_ITEM,
}
SUBLISTS: dict[str, dict[str, dict[str, str]]] = {
    "salesOrder": {"item": SALES_ORDER_LINE},
    "itemFulfillment": {"item": ITEM_FULFILLMENT_LINE, "package": PACKAGE},
    "returnAuthorization": {"item": RETURN_AUTHORIZATION_LINE},
    "itemReceipt": {"item": ITEM_RECEIPT_LINE},
    "creditMemo": {"item": CREDIT_MEMO_LINE},
    "invoice": {"item": INVOICE_LINE},
    "customerPayment": {"apply": CUSTOMER_PAYMENT_APPLY},
    "customerDeposit": {},
    "customer": {},
    "inventoryItem": {},
}
ENUMS: dict[str, frozenset[str]] = {
    "orderStatus": frozenset("AB"),
    "status": frozenset("ABCDEFGH"),
    "shipStatus": frozenset("ABC"),
    "commitInventory": frozenset("123"),
    "itemFulfillmentChoice": frozenset("12"),
}
ADDRESS_FIELDS = frozenset(
    [
        "addr1",
        "addr2",
        "addr3",
        "addrPhone",
        "addrText",
        "addressee",
        "attention",
        "city",
        "state",
        "zip",
        "externalId",
        "country",
        "override",
    ]
)
READ_ONLY = frozenset(
    {"id", "links", "createdDate", "lastModifiedDate", "refName", "transactionNumber", "status", "total", "subtotal"}
)
SALES_ORDER_STATUS = {
    "A": "Pending Approval",
    "B": "Pending Fulfillment",
    "C": "Cancelled",
    "D": "Partially Fulfilled",
    "E": "Pending Billing/Partially Fulfilled",
    "F": "Pending Billing",
    "G": "Billed",
    "H": "Closed",
}
RETURN_STATUS = {
    "A": "Pending Approval",
    "B": "Pending Receipt",
    "C": "Cancelled",
    "D": "Partially Received",
    "E": "Pending Refund/Partially Received",
    "F": "Pending Refund",
    "G": "Refunded",
    "H": "Closed",
}
SHIP_STATUS = {"A": "Picked", "B": "Packed", "C": "Shipped"}
