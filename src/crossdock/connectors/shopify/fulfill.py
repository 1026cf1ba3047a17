# SPDX-License-Identifier: Apache-2.0
"""Tell the store what left: look at the order, find what the shipment covers, create one fulfillment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct, field

from crossdock.canonical.fulfillment import Shipment
from crossdock.connectors.shopify.client import AdminClient
from crossdock.connectors.shopify.converters import tracking_numbers
from crossdock.connectors.shopify.errors import REFUSED_FULFILLMENT
from crossdock.connectors.shopify.order_state import Fulfillment, FulfillmentOrder, OrderState, read_order
from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.sdk.http_status import error_for
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing

# Shopify: at most 512 lines in one fulfillmentCreate.
MAX_LINES: Final = 512
_OPEN: Final = frozenset({"OPEN", "IN_PROGRESS"})
_VOID: Final = frozenset({"CANCELLED", "ERROR", "FAILURE"})


class _UserError(Struct):
    message: str
    field: list[str] | None = None


class _Created(Struct, rename="camel"):
    fulfillment: Fulfillment | None = None
    user_errors: list[_UserError] = field(default_factory=list)


class _CreateAnswer(Struct, rename="camel"):
    fulfillment_create: _Created | None


async def find_fulfillment(client: AdminClient, item: Outgoing) -> Delivered | None:
    """The fulfillment the store already has of this shipment, known by its tracking numbers; None = it has none."""
    order = await read_order(client, item.document)
    return _existing(order, item.document)


async def send_fulfillment(
    client: AdminClient,
    item: Outgoing,
    translate: Callable[[Any], Any],
    names: Mapping[str, Any],
    locations: Mapping[str, str],
) -> Outcome:
    """Look, then create: fulfillmentCreate keeps no idempotency key. `locations`: our location → the store's id.

    Raises CallFailed, or NeedsEdit when the order does not have what the shipment says.
    """
    shipment: Shipment = item.document
    order = await read_order(client, shipment)
    found = _existing(order, shipment)
    if found is not None:
        return found
    lines = _plan(order, _wanted(shipment), locations.get(shipment.location, ""))
    fulfillment = translate(
        {"document": shipment, "known": item.known, "reference": item.reference, "names": names, "lines": lines}
    )
    answer, exchange = await client.run("CreateFulfillment", {"fulfillment": fulfillment}, _CreateAnswer, cost=10)
    created = answer.fulfillment_create
    if created is None or created.fulfillment is None:
        errors = created.user_errors if created is not None else []
        return Failed(error=_refused(errors), exchange=exchange)
    return Delivered(reference=created.fulfillment.id, exchange=exchange)


def _existing(order: OrderState, shipment: Shipment) -> Delivered | None:
    ours = set(tracking_numbers(shipment))
    for fulfillment in order.fulfillments:
        if fulfillment.status not in _VOID and any(info.number in ours for info in fulfillment.tracking_info):
            return Delivered(reference=fulfillment.id)
    return None


def _wanted(shipment: Shipment) -> dict[str, int]:
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    for package in shipment.packages:
        for line in package.lines:
            wanted[line.line] += line.quantity.value
    if not wanted:
        raise NeedsEdit(
            "the shipment does not say what is in its packages",
            field="packages[0].lines",
            rule="shopify.lines",
            fix="add the lines and quantities that left",
        )
    if len(wanted) > MAX_LINES:
        raise NeedsEdit(
            f"the shipment has {len(wanted)} lines, the store takes {MAX_LINES} at once",
            field="packages",
            rule="shopify.max_lines",
            value=len(wanted),
            fix="split the shipment",
        )
    return {line: int(quantity) for line, quantity in wanted.items()}


def _plan(order: OrderState, wanted: Mapping[str, int], location: str) -> list[dict[str, Any]]:
    """`lineItemsByFulfillmentOrder`: what is wanted, from fulfillment orders of one location, ours first."""
    by_location: dict[str, list[FulfillmentOrder]] = defaultdict(list)
    for node in order.fulfillment_orders.nodes:
        if node.status in _OPEN:
            assigned = node.assigned_location.location
            by_location[assigned.id if assigned is not None else ""].append(node)
    for place in sorted(by_location, key=lambda place: (place != location, place)):
        planned = _from(by_location[place], wanted)
        if planned is not None:
            return planned
    raise _nothing_left(order, wanted)


def _from(nodes: list[FulfillmentOrder], wanted: Mapping[str, int]) -> list[dict[str, Any]] | None:
    missing = dict(wanted)
    planned = []
    for node in nodes:
        taken = [*_take(node, missing)]
        if taken:
            planned.append({"fulfillmentOrderId": node.id, "fulfillmentOrderLineItems": taken})
    return planned if not any(missing.values()) else None


def _take(node: FulfillmentOrder, missing: dict[str, int]) -> Iterator[dict[str, Any]]:
    for line in node.line_items.nodes:
        key = line.line_item.id.rpartition("/")[2]
        quantity = min(missing.get(key, 0), line.remaining_quantity)
        if quantity > 0:
            missing[key] -= quantity
            yield {"id": line.id, "quantity": quantity}


def _nothing_left(order: OrderState, wanted: Mapping[str, int]) -> NeedsEdit:
    left: dict[str, int] = defaultdict(int)
    held = set()
    for node in order.fulfillment_orders.nodes:
        for line in node.line_items.nodes:
            left[line.line_item.id.rpartition("/")[2]] += line.remaining_quantity if node.status in _OPEN else 0
        if node.status not in _OPEN | {"CLOSED"}:
            held.add(node.status.lower().replace("_", " "))
    short = {key: quantity for key, quantity in wanted.items() if left[key] < quantity}
    if not short:
        reason = "the store has assigned what left to more than one location"
        fix = "move the fulfillment orders to one location in the store's admin, then retry"
    else:
        key, quantity = next(iter(short.items()))
        status = f"; fulfillment orders are {', '.join(sorted(held))}" if held else ""
        reason = f"the store has {left[key]} of line {key} left to fulfill, the shipment has {quantity}{status}"
        fix = "compare the order in the store's admin with the shipment, then mend the one that is wrong"
    return NeedsEdit(reason, field="packages", rule="shopify.remaining", value=short or wanted, fix=fix)


def _refused(errors: list[_UserError]) -> CrossdockError:
    if not errors:
        return error_for(REFUSED_FULFILLMENT, rule="shopify.fulfillment")
    first = errors[0]
    return error_for(
        REFUSED_FULFILLMENT,
        detail="; ".join(error.message for error in errors[:5]),
        field=".".join(first.field or ()),
        rule="shopify.fulfillment",
    )
