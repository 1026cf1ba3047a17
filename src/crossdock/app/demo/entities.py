# SPDX-License-Identifier: Apache-2.0
"""What each legal entity's ERP has booked, counted in the ERP, against what its channels sold; to the cent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from crossdock.app.demo.control import Control
from crossdock.connectors.business_central.stored import external_number

CENT = Decimal("0.01")


class Booked(Struct, frozen=True, kw_only=True):
    """An order as an ERP has it: our key as it writes it, the number of the customer's, and what it comes to."""

    erp: str
    key: str
    number: str
    total: Decimal


class EntityCounts(Struct, frozen=True, kw_only=True):
    """A legal entity. `orders` of its channels that stand, and what they come to (`sold`); what its ERP has of them,
    counted there (`in_erp`), what that comes to (`booked`), and how many of those differ (`differing`)."""

    erp: str
    orders: int
    in_erp: int
    differing: int
    sold: Decimal
    booked: Decimal


class Standing(Struct, frozen=True, kw_only=True):
    """An order of ours that should be in its entity's ERP. `total`: as its channel says."""

    key: str
    entity: str
    erp: str
    total: Decimal


async def booked(control: Control) -> list[Booked]:
    """Every sales order of every ERP."""
    found = [
        Booked(
            erp="netsuite",
            key=record["externalId"],
            number=record.get("otherRefNum") or "",
            total=_sum((1, line["amount"]) for line in record["item"]) + _sum([(1, record.get("shippingCost"))]),
        )
        for record in (await control.get("netsuite", "sales_orders"))["sales_orders"]
    ]
    if "business_central" in control.systems:
        found += [
            Booked(
                erp="business-central",
                key=order["externalDocumentNumber"],
                number="",
                total=_sum((line["quantity"], line["unitPrice"]) for line in order["lines"]),
            )
            for order in (await control.get("business_central", "orders"))["orders"]
        ]
    return found


def written(erp: str, key: str) -> str:
    """How an ERP writes an order key: NetSuite has no slash in an external id; Business Central has 35 capitals."""
    return key.replace("/", "-") if erp == "netsuite" else external_number(key)


def entity_counts(standing: Iterable[Standing], books: Iterable[Booked]) -> dict[str, EntityCounts]:
    """The figures of each entity that sold something."""
    totals: dict[tuple[str, str], Decimal] = {}
    for one in books:
        totals[one.erp, one.key] = totals.get((one.erp, one.key), Decimal(0)) + one.total
    found: dict[str, EntityCounts] = {}
    for order in standing:
        total = totals.get((order.erp, written(order.erp, order.key)))
        none = EntityCounts(erp=order.erp, orders=0, in_erp=0, differing=0, sold=Decimal(0), booked=Decimal(0))
        before = found.get(order.entity, none)
        found[order.entity] = EntityCounts(
            erp=order.erp,
            orders=before.orders + 1,
            in_erp=before.in_erp + (total is not None),
            differing=before.differing + (total is not None and total != order.total),
            sold=before.sold + order.total,
            booked=before.booked + (total or 0),
        )
    return dict(sorted(found.items()))


def total_of(placed: Mapping[str, Any]) -> Decimal:
    """What an order comes to by its channel: a store's `total_price`, or a market's `total`."""
    return Decimal(str(placed.get("total_price") or placed.get("total") or 0))


def _sum(lines: Iterable[tuple[Any, Any]]) -> Decimal:
    amounts = (Decimal(str(quantity or 0)) * Decimal(str(price or 0)) for quantity, price in lines)
    return sum(amounts, Decimal(0)).quantize(CENT)
