# SPDX-License-Identifier: Apache-2.0
"""Tell NetSuite what left: transform the sales order into an item fulfillment, once per shipment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from crossdock.canonical.fulfillment import Shipment
from crossdock.connectors.netsuite.client import RestClient, sql_list
from crossdock.connectors.netsuite.order import OrderLine, StoredOrder, external_id, order_id, read_stored
from crossdock.errors import NeedsEdit, OutcomeUnknown
from crossdock.sdk.sending import Delivered, Outgoing


async def find_fulfillments(client: RestClient, batch: Sequence[Outgoing]) -> list[Delivered | None]:
    """Item fulfillments by our reference; None where NetSuite has none. Raises CallFailed."""
    wanted = sql_list([external_id(item.reference) for item in batch])
    query = f"SELECT id, externalid FROM transaction WHERE type = 'ItemShip' AND externalid IN {wanted}"  # noqa: S608
    found = {row.externalid: row.id for row in await client.suiteql(query)}
    references = [found.get(external_id(item.reference)) for item in batch]
    return [Delivered(reference=reference) if reference else None for reference in references]


async def fulfill(
    client: RestClient,
    item: Outgoing,
    internal_id: str,
    names: Mapping[str, dict[str, str]],
    translate: Callable[[Any], Any],
) -> Delivered:
    """Transform sales order `internal_id` ("" = look it up). `names`: our SKU and location → theirs.

    A transform is not idempotent: after a first try the fulfillment is looked for before another. Raises CallFailed, or
    NeedsEdit when the order does not have what left.
    """
    if item.attempt > 1:
        found = (await find_fulfillments(client, [item]))[0]
        if found is not None:
            return found
    shipment: Shipment = item.document
    internal_id = internal_id or await order_id(client, shipment.order_key)
    stored = await read_stored(client, internal_id) if internal_id else None
    if stored is None:
        raise NeedsEdit(
            "NetSuite has no sales order for this shipment",
            field="order_key",
            rule="netsuite.order_known",
            value=shipment.order_key,
            fix="retry after the order has reached NetSuite, or correct the order the shipment belongs to",
        )
    body = translate(
        {
            "document": shipment,
            "known": item.known,
            "reference": external_id(item.reference),
            "names": names,
            "lines": await _match(client, stored, shipment, names),
        }
    )
    reply = await client.record("POST", f"salesOrder/{internal_id}/!transform/itemFulfillment", body=body)
    if reply is None or not reply.record_id:
        raise OutcomeUnknown("NetSuite named no record for the item fulfillment", rule="netsuite.location")
    return Delivered(reference=reply.record_id, exchange=reply.exchange)


async def _match(
    client: RestClient, stored: StoredOrder, shipment: Shipment, names: Mapping[str, dict[str, str]]
) -> list[dict[str, Any]]:
    """What left per order line; lines of which nothing left are excluded by name, or NetSuite would ship them all."""
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    for package in shipment.packages:
        for line in package.lines:
            wanted[names["sku"].get(line.sku, line.sku)] += line.quantity.value
    item_of = await skus_of(client, stored.item.items, wanted)
    location = names["location"].get(shipment.location)
    lines = []
    for ordered in stored.item.items:
        sku = item_of.get(ordered.line, "")
        left = Decimal(str(ordered.quantity)) - Decimal(str(ordered.quantity_fulfilled))
        taken = min(wanted.get(sku, Decimal(0)), max(left, Decimal(0)))
        if taken > 0:
            wanted[sku] -= taken
            # A JSON number: NetSuite refuses one in quotes.
            quantity = int(taken) if taken == taken.to_integral_value() else float(taken)
            entry: dict[str, Any] = {"orderLine": ordered.line, "itemReceive": True, "quantity": quantity}
            lines.append({**entry, "location": {"id": location}} if location else entry)
        else:
            lines.append({"orderLine": ordered.line, "itemReceive": False})
    short = {sku: str(quantity) for sku, quantity in wanted.items() if quantity > 0}
    if short or not wanted:
        raise NeedsEdit(
            f"the sales order has less left to ship than what left: {short}"
            if short
            else "the shipment names no goods",
            field="packages",
            rule="netsuite.remaining",
            value=short,
            fix="compare the sales order in NetSuite with the shipment, then mend the one that is wrong",
        )
    return lines


async def skus_of(client: RestClient, lines: Sequence[OrderLine], wanted: Mapping[str, Decimal]) -> dict[int, str]:
    """SKU per line of a record, for the SKUs wanted; asked for where NetSuite's answer does not name them."""
    item_of = _known_items(lines, wanted)
    return await _asked_items(client, lines, wanted) if wanted.keys() - item_of.values() else item_of


def _known_items(lines: Sequence[OrderLine], wanted: Mapping[str, Decimal]) -> dict[int, str]:
    """SKU per order line, as far as NetSuite's answer names it."""
    return {
        line.line: name
        for line in lines
        for name in (line.item.external_id, line.item.ref_name)
        if name and name in wanted
    }


async def _asked_items(client: RestClient, lines: Sequence[OrderLine], wanted: Mapping[str, Decimal]) -> dict[int, str]:
    """SKU per order line by asking which items have these external ids."""
    query = f"SELECT id, externalid FROM item WHERE externalid IN {sql_list(list(wanted))}"  # noqa: S608
    sku_of = {row.id: row.externalid for row in await client.suiteql(query)}
    return {line.line: sku_of[line.item.id] for line in lines if line.item.id in sku_of}
