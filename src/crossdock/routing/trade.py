# SPDX-License-Identifier: Apache-2.0
"""Trade between entities: write legs of new fulfillment orders, take back those of cancelled ones, tell the ERPs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.fulfillment import FulfillmentOrder
from crossdock.canonical.objects import decode, encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.journal.decided import NewDelivery
from crossdock.routing.intercompany import Leg, leg_of, price_for
from crossdock.routing.policy import Policy
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
SALE = "intercompany_sale"
PURCHASE = "purchase_order"


class Moved(Struct, frozen=True, kw_only=True):
    """What became of an order's fulfillment orders: those that are `made` by a document, and references `cancelled`."""

    document_id: int
    order: SalesOrder
    made: Sequence[FulfillmentOrder]
    cancelled: Sequence[str]


class Trading(Struct, frozen=True, kw_only=True):
    """What entities trade by. `outgoing`: (system, operation) pairs that the estate has an interface for."""

    policy: Policy
    products: Mapping[str, ProductFacts]
    outgoing: Mapping[tuple[str, str], str]

    def owner(self, location: str) -> str:
        """The entity whose goods are at `location`, "" = whoever sells them."""
        facts = self.policy.locations.get(location)
        return facts.entity if facts is not None else ""

    def told(self, leg: Leg) -> list[NewDelivery]:
        """What both ERPs are owed of a leg; one that the estate has no interface for is told nothing."""
        sides = (
            (leg.owner, SALE, "sales_order", leg.sale.order_key, leg.sale),
            (leg.seller, PURCHASE, "purchase_order", leg.purchase.purchase_key, leg.purchase),
        )
        return [
            NewDelivery(system=erp, operation=operation, object=object_, reference=reference, body=encode(document))
            for entity, operation, object_, reference, document in sides
            for erp in [self.policy.erp_of.get(entity, "")]
            if (erp, operation) in self.outgoing
        ]


async def trade(conn: asyncpg.Connection, batch: Sequence[Moved], by: Trading) -> list[list[NewDelivery]]:
    """What ERPs are owed of the legs of each order, in the same order. Takes back before it makes anew."""
    if not any(facts.entity for facts in by.policy.locations.values()):
        return [[] for _ in batch]
    gone = await _cancel(conn, [reference for one in batch for reference in one.cancelled])
    new = [[leg for shipped in one.made for leg in _legs(one.order, shipped, by)] for one in batch]
    await _write(conn, [(leg, one.document_id) for one, legs in zip(batch, new, strict=True) for leg in legs])
    return [
        [
            delivery
            for leg in [*(gone[name] for name in one.cancelled if name in gone), *legs]
            for delivery in by.told(leg)
        ]
        for one, legs in zip(batch, new, strict=True)
    ]


def _legs(order: SalesOrder, shipped: FulfillmentOrder, by: Trading) -> list[Leg]:
    owner = by.owner(shipped.location)
    if owner in ("", order.entity):
        return []
    price = price_for(by.policy.transfer_prices, order.entity, owner)
    return [leg_of(order, shipped, owner, price, by.products)]


async def _cancel(conn: asyncpg.Connection, references: Sequence[str]) -> dict[str, Leg]:
    rows = await conn.fetch(SQL.open_legs, sorted(references)) if references else []
    legs = {row["reference"]: _cancelled(row) for row in rows}
    if legs:
        await conn.execute(
            SQL.cancel_legs,
            list(legs),
            [leg.sale.version for leg in legs.values()],
            [encode(leg.sale) for leg in legs.values()],
            [encode(leg.purchase) for leg in legs.values()],
        )
    return legs


def _cancelled(row: asyncpg.Record) -> Leg:
    version = row["version"] + 1
    sale, purchase = decode("sales_order", row["sale"]), decode("purchase_order", row["purchase"])
    return Leg(
        reference=row["reference"],
        order_key=row["order_key"],
        seller=row["seller"],
        owner=row["owner"],
        sale=replace(sale, status="cancelled", version=version),
        purchase=replace(purchase, status="cancelled", version=version),
    )


async def _write(conn: asyncpg.Connection, legs: Sequence[tuple[Leg, int]]) -> None:
    if legs:
        await conn.execute(
            SQL.insert_legs,
            [leg.reference for leg, _ in legs],
            [leg.order_key for leg, _ in legs],
            [leg.seller for leg, _ in legs],
            [leg.owner for leg, _ in legs],
            [leg.purchase.currency for leg, _ in legs],
            [leg.purchase.total.amount for leg, _ in legs],
            [encode(leg.sale) for leg, _ in legs],
            [encode(leg.purchase) for leg, _ in legs],
            [document_id for _, document_id in legs],
        )
