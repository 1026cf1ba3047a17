# SPDX-License-Identifier: Apache-2.0
"""Take shipments in: find their fulfillment order, count what has left, tell ERP and channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import asyncpg

from crossdock.canonical.fulfillment import Shipment
from crossdock.canonical.objects import encode
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import CrossdockError, NeedsEdit, RetryLater
from crossdock.fulfillment.convert import as_kept, as_ordered
from crossdock.fulfillment.lines import LineState, dump, load
from crossdock.fulfillment.plan import SQL
from crossdock.journal.decided import Decided, NewDelivery, NewEvent, Translated

_WAIT_FOR_ORDER = 5
_SEPARATOR = chr(31)


async def ship(
    conn: asyncpg.Connection,
    batch: Sequence[Translated],
    channel_system: dict[str, str],
    products: Mapping[str, ProductFacts],
) -> list[Decided]:
    """Decide on shipments, in the same order. `channel_system`: channel → the system that is told.

    A shipment that is known is a duplicate. One whose fulfillment order we don't have is tried again a few times (it
    may have overtaken the order) and then becomes a case; one that ships more than was asked for is a case. ERP and
    channel are told in the units of the order, whichever the warehouse counts in; the shipment is kept, and its event
    made, as the warehouse said it. `products`: what the units of each SKU hold.
    """
    shipments: list[Shipment] = [item.document for item in batch]
    keys = sorted({_key(shipment) for shipment in shipments})
    known = {row["shipment_key"] for row in await conn.fetch(SQL.shipments_known, keys)}
    order_keys = sorted({shipment.order_key for shipment in shipments})
    orders = {row["order_key"]: row for row in await conn.fetch(SQL.orders_of, order_keys)}
    asked = {row["reference"]: row for row in await conn.fetch(SQL.fulfillment_orders_of, order_keys)}
    states = {reference: load(row["lines"]) for reference, row in asked.items()}
    decisions: list[Decided] = []
    written: list[tuple[Translated, Shipment]] = []
    for item, shipment in zip(batch, shipments, strict=True):
        key = _key(shipment)
        if key in known:
            decisions.append(Decided(duplicate=True, note="the shipment is here already"))
            continue
        error = _check_reference(item, shipment, asked)
        if error is not None:
            decisions.append(Decided(error=error))
            continue
        lines = states[shipment.fulfillment_reference]
        gone = as_kept(shipment, lines, products)
        error = gone if isinstance(gone, NeedsEdit) else _check(gone, lines)
        if error is not None or isinstance(gone, NeedsEdit):
            decisions.append(Decided(error=error))
            continue
        known.add(key)
        told = as_ordered(shipment, lines, products)
        for line, quantity in gone.items():
            lines[line].shipped += quantity
        written.append((item, shipment))
        decisions.append(_decide(shipment, told, orders[shipment.order_key], channel_system))
    await _write(conn, written, states)
    return decisions


def _key(shipment: Shipment) -> str:
    return f"{shipment.fulfillment_reference}/{shipment.shipment_id}"


def _check_reference(item: Translated, shipment: Shipment, asked: dict[str, asyncpg.Record]) -> CrossdockError | None:
    reference = shipment.fulfillment_reference
    if reference not in asked or asked[reference]["order_key"] != shipment.order_key:
        if item.claimed.attempts < _WAIT_FOR_ORDER:
            return RetryLater(f"fulfillment order {reference} is not here yet", rule="shipment.order_known")
        return NeedsEdit(
            f"no fulfillment order {reference} was ever asked for",
            field="fulfillment_reference",
            rule="shipment.order_known",
            value=reference,
            fix="put the reference of the fulfillment order that was shipped, or dismiss if it is not ours",
        )
    return None


def _check(gone: Mapping[str, Decimal], lines: Mapping[str, LineState]) -> NeedsEdit | None:
    if not gone:
        return NeedsEdit(
            "the shipment says of no line that it left",
            field="packages",
            rule="shipment.not_empty",
            fix="put the lines that left into its packages, or dismiss it",
        )
    for line, quantity in gone.items():
        state = lines.get(line)
        if state is None or quantity <= 0 or state.shipped + quantity > state.ordered:
            left = state.ordered - state.shipped if state is not None else Decimal(0)
            return NeedsEdit(
                f"line {line}: {quantity} shipped, {left} left to ship",
                field=f"packages.lines[{line}].quantity",
                rule="shipment.quantity",
                value=quantity,
                fix=f"put a quantity above zero and up to {left}, or ask the warehouse what left",
            )
    return None


def _decide(shipment: Shipment, told: Shipment, order: asyncpg.Record, channel_system: dict[str, str]) -> Decided:
    whole = any(package.lines for package in told.packages)
    systems = [(order["erp"], "item_fulfillment"), (channel_system.get(order["channel"], ""), "fulfillment")]
    body = None if told is shipment else encode(told)
    return Decided(
        deliveries=tuple(_tell(system, operation, told, body) for system, operation in systems if whole and system),
        note="" if whole else "no unit of the order has left in whole yet: it is told with the rest of it",
        events=(NewEvent(type="shipment.confirmed", data=encode(shipment)),),
        accepted=True,
        orders=(shipment.order_key,),
    )


def _tell(system: str, operation: str, shipment: Shipment, body: bytes | None) -> NewDelivery:
    return NewDelivery(
        system=system,
        operation=operation,
        object="shipment",
        reference=_key(shipment),
        body=body,
    )


async def _write(
    conn: asyncpg.Connection, written: list[tuple[Translated, Shipment]], states: dict[str, dict[str, LineState]]
) -> None:
    if not written:
        return
    await conn.execute(
        SQL.insert_shipments,
        [_key(s) for _, s in written],
        [s.order_key for _, s in written],
        [s.fulfillment_reference for _, s in written],
        [s.location for _, s in written],
        [s.carrier for _, s in written],
        [_SEPARATOR.join(p.tracking_number for p in s.packages if p.tracking_number) for _, s in written],
        [s.shipped_at for _, s in written],
        [item.claimed.id for item, _ in written],
    )
    touched = sorted({s.fulfillment_reference for _, s in written})
    await conn.execute(
        SQL.update_fulfillment_orders,
        touched,
        ["shipped" if _all_left(states[reference]) else "partly_shipped" for reference in touched],
        [dump(states[reference]) for reference in touched],
    )


def _all_left(lines: dict[str, LineState]) -> bool:
    return all(line.shipped >= line.ordered for line in lines.values())
