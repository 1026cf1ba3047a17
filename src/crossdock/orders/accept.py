# SPDX-License-Identifier: Apache-2.0
"""Accept orders (Process Manager): validate, route, and owe them to ERP and warehouse, exactly once per version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.handed import HANDED
from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.journal.decided import Decided, NewDelivery, NewEvent, Routed, Translated
from crossdock.orders.changes import MOVES_GOODS, Known, Meaning, content_of, meaning_of
from crossdock.orders.enrich import enriched
from crossdock.orders.examine import ChannelRules, examine
from crossdock.orders.follow import Begun, begin
from crossdock.orders.holds import Waived, name_holds
from crossdock.orders.life import FIRST
from crossdock.orders.others import likeness_of
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
_BEGINS = MOVES_GOODS | {Meaning.NEW_CANCELLED}


class Prepared(Struct, kw_only=True):
    """An order after validation and routing, before it is written."""

    item: Translated
    order: SalesOrder
    routed: Routed
    content: int
    likeness: int | None = None
    waived: tuple[Waived, ...] = ()


def prepare(
    item: Translated,
    order: SalesOrder,
    catalog: Catalog,
    rules: ChannelRules,
    source: str,
    routed: Routed | CrossdockError,
) -> Prepared | Decided:
    """Validate and enrich `order`, the item's in our SKUs (Content Enricher); a Decided when it may not go on.

    `source` is the system whose crosswalks name SKUs and customers.
    """
    if isinstance(routed, CrossdockError):
        return refused(order, routed)
    if rules.entity != routed.entity:
        rules = msgspec.structs.replace(rules, entity=routed.entity)
    examined = examine(order, catalog, rules, source)
    if examined.failures or examined.customer is None:
        return refused(order, NeedsEdit.of(examined.failures))
    ours = enriched(order, examined.customer, routed.entity, catalog, rules.tax)
    if rules.others is not None and order.status == "open" and not examined.settled:
        rules.others.passed(ours, rules.checks)
    likeness = None
    if rules.checks.duplicates is not None:
        likeness = likeness_of(ours) if rules.others is None else rules.others.likeness(ours)
    return Prepared(
        item=item,
        order=ours,
        routed=routed,
        content=content_of(order),
        likeness=likeness,
        waived=examined.waived,
    )


def refused(order: SalesOrder, error: CrossdockError) -> Decided:
    """The decision on an order that may not go on, with the money that waits."""
    if isinstance(error, NeedsEdit):
        # Those of checks have their names already, with our account in place.
        name_holds(order, (one for one in error.every if not one.hold))
    return Decided(error=error, money=order.total.amount, currency=order.total.currency)


class Weighed(Struct, frozen=True):
    """A prepared order beside the one we have (None = none), and what it means."""

    prepared: Prepared
    known: Known | None
    meaning: Meaning


async def weigh(conn: asyncpg.Connection, batch: Sequence[Prepared]) -> list[Weighed]:
    """What each prepared order means beside what we have, which is locked; in the same order.

    At most one version of an order is in a batch (claims take the oldest of each key).
    """
    if not batch:
        return []
    rows = await conn.fetch(SQL.known_orders, sorted(p.order.order_key for p in batch))
    known = {
        row["order_key"]: Known(
            version=row["version"],
            status=row["status"],
            content=row["content"],
            erp=row["erp"],
            document_id=row["document_id"],
        )
        for row in rows
    }
    return [
        Weighed(p, known.get(p.order.order_key), meaning_of(p.order, p.content, known.get(p.order.order_key)))
        for p in batch
    ]


async def accept(
    conn: asyncpg.Connection, batch: Sequence[Weighed], blocked: Mapping[str, CrossdockError]
) -> list[tuple[Meaning, Decided]]:
    """Write orders and decide what each version owes the ERP; in the same order.

    `blocked`: order key → why its goods cannot be moved now (they have left, or there are none); such an order or
    change is not written.
    """
    stopped = [blocked.get(w.prepared.order.order_key) if w.meaning in MOVES_GOODS else None for w in batch]
    taken = [w for w, error in zip(batch, stopped, strict=True) if w.meaning is not Meaning.STALE and error is None]
    await _write(conn, [w.prepared for w in taken])
    await begin(conn, sorted((_begun(w) for w in taken if w.meaning in _BEGINS), key=lambda one: one.order.order_key))
    return [
        (Meaning.STALE, refused(w.prepared.order, error))
        if error is not None
        else (w.meaning, _decide(w.prepared, w.meaning, w.known))
        for w, error in zip(batch, stopped, strict=True)
    ]


def _begun(weighed: Weighed) -> Begun:
    prepared = weighed.prepared
    state = "cancelled" if weighed.meaning is Meaning.NEW_CANCELLED else FIRST
    return Begun(prepared.order, state, prepared.item.claimed.id)


async def _write(conn: asyncpg.Connection, batch: Sequence[Prepared]) -> None:
    if not batch:
        return
    batch = sorted(batch, key=lambda p: p.order.order_key)
    orders = [p.order for p in batch]
    await conn.execute(
        SQL.upsert_orders,
        [o.order_key for o in orders],
        [o.number for o in orders],
        [o.channel for o in orders],
        [o.entity for o in orders],
        [o.customer.id for o in orders],
        [o.po_number for o in orders],
        [o.status for o in orders],
        [o.version for o in orders],
        [o.currency for o in orders],
        [o.total.amount for o in orders],
        [p.item.claimed.id for p in batch],
        [p.content for p in batch],
        [p.routed.erp for p in batch],
        [o.placed_at for o in orders],
        [p.routed.record for p in batch],
        [p.likeness for p in batch],
    )
    asked = [(o.order_key, sku) for o in orders for sku in sorted({line.sku for line in o.lines})]
    await conn.execute(SQL.index_skus, [key for key, _ in asked], [sku for _, sku in asked])


def _decide(prepared: Prepared, meaning: Meaning, known: Known | None) -> Decided:
    order, routed = prepared.order, prepared.routed
    # An order stays with the ERP that has it, also when the estate has moved its entity to another one since.
    erp = known.erp if known is not None else routed.erp
    if meaning is Meaning.STALE:
        return Decided(
            duplicate=True, note="an equal or newer version of the order is here already", rules=routed.rules
        )
    deliveries: tuple[NewDelivery, ...] = ()
    if meaning in (Meaning.NEW, Meaning.CHANGED, Meaning.REVIVED):
        deliveries = (_to_erp(order, erp, "sales_order"),)
    elif meaning is Meaning.CANCELLED:
        deliveries = (_to_erp(order, erp, "order_cancel"),)
    event = {Meaning.NEW: "accepted", Meaning.NEW_CANCELLED: "cancelled", Meaning.CANCELLED: "cancelled"}
    return Decided(
        body=HANDED.encode(order),
        deliveries=deliveries,
        events=(NewEvent(type=f"sales_order.{event.get(meaning, 'changed')}", data=_summary(prepared)),),
        accepted=True,
        note="" if meaning is Meaning.NEW else meaning.value,
        rules=routed.rules,
        money=order.total.amount,
        currency=order.currency,
        orders=(order.order_key,) if known is not None else (),
    )


def _summary(prepared: Prepared) -> bytes:
    order = prepared.order
    return encode(
        {
            "order_key": order.order_key,
            "number": order.number,
            "channel": order.channel,
            "entity": order.entity,
            "status": order.status,
            "version": order.version,
            "total": order.total,
            "lines": len(order.lines),
        }
    )


def _to_erp(order: SalesOrder, erp: str, operation: str) -> NewDelivery:
    return NewDelivery(system=erp, operation=operation, object="sales_order", reference=order.order_key)
