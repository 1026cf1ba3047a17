# SPDX-License-Identifier: Apache-2.0
"""Tell Business Central what left: a posted shipment through the page of our extension, once per shipment."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from crossdock.canonical.fulfillment import Shipment
from crossdock.connectors.business_central.changes import code
from crossdock.connectors.business_central.client import CallFailed, RestClient, query_of, text
from crossdock.connectors.business_central.errors import DUPLICATE
from crossdock.connectors.business_central.order import OrderNames
from crossdock.connectors.business_central.stored import StoredLine, StoredOrder, find_order
from crossdock.errors import NeedsEdit, OutcomeUnknown
from crossdock.sdk.sending import Delivered, Outgoing

PAGE: Final = "salesOrderShipments"
# The extension: externalReference has at most 100 characters.
_LONGEST: Final = 100
_DIGEST: Final = 32

# Item and unit, as codes.
_Goods = tuple[str, str]


class _Posted(Struct, rename="camel"):
    document_number: str
    external_reference: str = ""


def external_reference(reference: str) -> str:
    """Our reference within 100 characters: a longer one ends in a digest."""
    if len(reference) <= _LONGEST:
        return reference
    digest = hashlib.sha256(reference.encode()).hexdigest()[:_DIGEST]
    return f"{reference[: _LONGEST - _DIGEST - 1]}~{digest}"


async def find_shipment(client: RestClient, item: Outgoing) -> Delivered | None:
    """The posted shipment by our reference; None where Business Central has none. Raises CallFailed."""
    wanted = external_reference(item.reference)
    query = query_of(filter=f"externalReference eq {text(wanted)}", top="2")
    page = await client.page(PAGE, query, _Posted, extension=True)
    for row in page.rows:
        # Business Central may compare without regard to capitals: another's reference is not ours.
        if row.external_reference == wanted:
            return Delivered(reference=row.document_number, exchange=page.exchange)
    return None


async def ship(client: RestClient, item: Outgoing, names: OrderNames, translate: Callable[[Any], Any]) -> Delivered:
    """Post what left of the shipment's order from where it left, after looking whether it is posted. Raises CallFailed,
    or NeedsEdit when the order does not have what left."""
    found = await find_shipment(client, item)
    if found is not None:
        return found
    shipment: Shipment = item.document
    stored = await find_order(client, shipment.order_key)
    if stored is None:
        raise NeedsEdit(
            "Business Central has no sales order for this shipment",
            field="order_key",
            rule="business_central.order_known",
            value=shipment.order_key,
            fix="retry after the order has reached Business Central, or correct the order the shipment belongs to",
        )
    body = translate(
        {
            "document": shipment,
            "known": item.known,
            "reference": external_reference(item.reference),
            "names": {"order_number": stored.number, "carrier": names.carrier},
            "lines": matched(stored, shipment, names),
        }
    )
    try:
        reply = await client.record("POST", PAGE, body=body, extension=True)
    except CallFailed as failed:
        # Somebody posted it since we looked: a worker that was cut off, whose call went on.
        again = await find_shipment(client, item) if failed.code == DUPLICATE else None
        if again is None:
            raise
        return again
    if reply is None:
        raise AssertionError("a 404 is raised")
    try:
        return Delivered(
            reference=msgspec.json.decode(reply.body, type=_Posted).document_number, exchange=reply.exchange
        )
    except msgspec.DecodeError as error:
        unreadable = OutcomeUnknown(f"Business Central's answer could not be read: {error}", rule="answer")
        raise CallFailed(unreadable, reply.exchange) from error


def matched(stored: StoredOrder, shipment: Shipment, names: OrderNames) -> list[dict[str, Any]]:
    """What left, by the order's lines: by item and unit, as far as lines have it left. Charges go with what leaves
    first, or Business Central would never invoice them, and leave nowhere. NeedsEdit when more left than the order
    has."""
    wanted: dict[_Goods, Decimal] = defaultdict(Decimal)
    for package in shipment.packages:
        for line in package.lines:
            sku, unit = line.sku, line.quantity.unit
            wanted[code(names.sku.get(sku, sku)), code(names.unit.get(unit, unit))] += line.quantity.value
    charges = frozenset(code(item) for item in names.charge_items.values())
    where = {"location": code(names.location.get(shipment.location, shipment.location))} if shipment.location else {}
    told: list[dict[str, Any]] = []
    for ordered in stored.lines:
        goods = _goods(ordered, wanted)
        taken = min(wanted[goods], ordered.left) if goods is not None else Decimal(0)
        if goods is not None and taken > 0:
            wanted[goods] -= taken
            told.append({**_line(ordered, taken), **where})
        elif code(ordered.line_object_number) in charges and ordered.open:
            told.append(_line(ordered, ordered.quantity - ordered.shipped_quantity))
    short = {sku: str(quantity) for (sku, _), quantity in wanted.items() if quantity > 0}
    if short or not wanted:
        raise NeedsEdit(
            f"the sales order has less left to ship than what left: {short}"
            if short
            else "the shipment names no goods",
            field="packages",
            rule="business_central.remaining",
            value=short,
            fix="compare the sales order in Business Central with the shipment, then mend the one that is wrong",
        )
    return told


def _goods(line: StoredLine, wanted: dict[_Goods, Decimal]) -> _Goods | None:
    """The goods of `wanted` that the line is of; a line without a unit is of any."""
    item, unit = code(line.line_object_number), code(line.unit_of_measure_code)
    if unit:
        return (item, unit) if (item, unit) in wanted else None
    return next((goods for goods in wanted if goods[0] == item), None)


def _line(ordered: StoredLine, quantity: Decimal) -> dict[str, Any]:
    return {"sequence": ordered.sequence, "quantity": quantity}
