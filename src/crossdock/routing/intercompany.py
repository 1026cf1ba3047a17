# SPDX-License-Identifier: Apache-2.0
"""Intercompany legs: who sells goods that another entity of ours owns buys them of it, at a transfer price.

The owner's ERP is told of a sale to the seller, the seller's ERP of a purchase; both say the same goods and the same
money, so that the legs of every fulfillment order come to zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from crossdock.canonical.fulfillment import FulfillmentOrder
from crossdock.canonical.money import Money, minor_unit
from crossdock.canonical.party import Party
from crossdock.canonical.purchase_order import PurchaseLine, PurchaseOrder
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import NeedsConfig

_HUNDRED = Decimal(100)
_FINEST = Decimal("0.000000001")


class TransferPrice(Struct, frozen=True, kw_only=True):
    """What `seller` pays `owner` ("" = any): `percent` of the net price. `customer`: the seller's account in the
    owner's books, `supplier`: the owner's in the seller's; "" = the entity's name."""

    percent: Decimal
    seller: str = ""
    owner: str = ""
    customer: str = ""
    supplier: str = ""


class Leg(Struct, frozen=True, kw_only=True):
    """Both sides of one fulfillment order's goods that change hands between `owner` and `seller`."""

    reference: str
    order_key: str
    seller: str
    owner: str
    sale: SalesOrder
    purchase: PurchaseOrder


def price_for(prices: Iterable[TransferPrice], seller: str, owner: str) -> TransferPrice:
    """The first rule that fits. NeedsConfig when there is none, which `crossdock check` does not let pass."""
    for one in prices:
        if one.seller in ("", seller) and one.owner in ("", owner):
            return one
    raise NeedsConfig(
        f"{seller} sells goods of {owner}, and no transfer price is agreed",
        field="routing.intercompany",
        fix=f"add {{seller: {seller}, owner: {owner}, percent: …}}",
    )


def leg_of(
    order: SalesOrder,
    shipped: FulfillmentOrder,
    owner: str,
    price: TransferPrice,
    products: Mapping[str, ProductFacts],
) -> Leg:
    """The legs of what `shipped` takes out of the owner's goods for `order`, in the order's currency."""
    ordered = {line.line: line for line in order.lines}
    lines = [
        _line(one.line, one.sku, one.quantity, ordered[one.line], order, price.percent, products)
        for one in shipped.lines
    ]
    total = Money(sum((line.total.amount for line in lines), Decimal(0)), order.currency)
    key = f"{shipped.reference}/ic"
    purchase = PurchaseOrder(
        purchase_key=key,
        order_key=order.order_key,
        fulfillment_reference=shipped.reference,
        buyer=order.entity,
        supplier=Party(id=price.supplier or owner),
        version=1,
        ordered_at=order.placed_at,
        currency=order.currency,
        location=shipped.location,
        ship_to=order.ship_to,
        lines=tuple(lines),
        total=total,
    )
    return Leg(
        reference=shipped.reference,
        order_key=order.order_key,
        seller=order.entity,
        owner=owner,
        sale=_sale(order, purchase, owner, price),
        purchase=purchase,
    )


def _sale(order: SalesOrder, purchase: PurchaseOrder, owner: str, price: TransferPrice) -> SalesOrder:
    """The other side of `purchase`: the same goods and money, as the owner sells them."""
    described = {line.line: line.description for line in order.lines}
    return SalesOrder(
        order_key=purchase.purchase_key,
        number=purchase.purchase_key,
        channel=order.channel,
        version=purchase.version,
        placed_at=purchase.ordered_at,
        entity=owner,
        currency=purchase.currency,
        customer=Party(id=price.customer or order.entity),
        ship_to=purchase.ship_to,
        po_number=purchase.purchase_key,
        service=order.service,
        lines=tuple(
            OrderLine(
                line=line.line,
                sku=line.sku,
                description=described[line.line],
                quantity=line.quantity,
                unit_price=line.unit_price,
                total=line.total,
                location=purchase.location,
            )
            for line in purchase.lines
        ),
        total=purchase.total,
        note=f"for {order.number} of {order.entity}",
    )


def net_of(line: OrderLine, order: SalesOrder) -> Decimal:
    """What a line costs without tax; its discounts are off, discounts of the whole order are not."""
    inside = line.tax.amount if order.taxes_included and line.tax is not None else Decimal(0)
    return line.total.amount - inside


def _line(
    name: str,
    sku: str,
    quantity: Quantity,
    line: OrderLine,
    order: SalesOrder,
    percent: Decimal,
    products: Mapping[str, ProductFacts],
) -> PurchaseLine:
    product = products.get(line.sku)
    whole = (product.kept(line.quantity) if product is not None else None) or line.quantity
    amount = net_of(line, order) * quantity.value / whole.value * percent / _HUNDRED if whole.value else Decimal(0)
    total = amount.quantize(minor_unit(order.currency), ROUND_HALF_EVEN)
    each = (total / quantity.value).quantize(_FINEST, ROUND_HALF_EVEN).normalize() if quantity.value else Decimal(0)
    return PurchaseLine(
        line=name,
        sku=sku,
        quantity=quantity,
        unit_price=Money(each, order.currency),
        total=Money(total, order.currency),
    )
