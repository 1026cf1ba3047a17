# SPDX-License-Identifier: Apache-2.0
"""Tell the store what left: look at the order, find what the shipment covers, create the fulfillment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """The fulfillments the store has of this shipment, by its tracking numbers; None = none, or not of all of it."""
    shipment: Shipment = item.document
    order = await read_order(client, shipment)
    ours = _ours(order, shipment)
    if not ours or _not_told(order, ours, _wanted(shipment)):
        return None
    return Delivered(reference=_reference(ours))


async def send_fulfillment(
    client: AdminClient,
    item: Outgoing,
    translate: Callable[[Any], Any],
    names: Mapping[str, Any],
    locations: Mapping[str, str],
) -> Outcome:
    """Look, then create what is missing: fulfillmentCreate keeps no idempotency key. `locations`: ours → theirs.

    One fulfillment, or one per location where the store has assigned the lines to several. Raises CallFailed, or
    NeedsEdit when the order does not have what the shipment says.
    """
    shipment: Shipment = item.document
    order = await read_order(client, shipment)
    made = _ours(order, shipment)
    wanted = _not_told(order, made, _wanted(shipment))
    exchange = None
    for lines in _plan(order, wanted, locations.get(shipment.location, "")) if wanted else ():
        source = {
            "document": shipment,
            "known": item.known,
            "reference": item.reference,
            "names": names,
            "lines": lines,
        }
        variables = {"fulfillment": translate(source)}
        answer, exchange = await client.run("CreateFulfillment", variables, _CreateAnswer, cost=10)
        created = answer.fulfillment_create
        if created is None or created.fulfillment is None:
            errors = created.user_errors if created is not None else []
            return Failed(error=_refused(errors), exchange=exchange)
        made.append(created.fulfillment)
    return Delivered(reference=_reference(made), exchange=exchange)


def _ours(order: OrderState, shipment: Shipment) -> list[Fulfillment]:
    numbers = set(tracking_numbers(shipment))
    return [
        fulfillment
        for fulfillment in order.fulfillments
        if fulfillment.status not in _VOID and any(info.number in numbers for info in fulfillment.tracking_info)
    ]


def _not_told(order: OrderState, made: Sequence[Fulfillment], wanted: Mapping[str, int]) -> dict[str, int]:
    """What the store has not been told yet: lines of fulfillment orders that no fulfillment of ours was taken from."""
    covered = {node.id for fulfillment in made for node in fulfillment.fulfillment_orders.nodes}
    if made and not covered:
        return {}
    told = {
        line.line_item.id.rpartition("/")[2]
        for node in order.fulfillment_orders.nodes
        if node.id in covered
        for line in node.line_items.nodes
    }
    return {key: quantity for key, quantity in wanted.items() if key not in told}


def _reference(made: Sequence[Fulfillment]) -> str:
    return ",".join(fulfillment.id for fulfillment in made)


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


def _plan(order: OrderState, wanted: Mapping[str, int], location: str) -> list[list[dict[str, Any]]]:
    """`lineItemsByFulfillmentOrder` per fulfillment to create: of one location where one has it all, ours first."""
    by_location: dict[str, list[FulfillmentOrder]] = defaultdict(list)
    for node in order.fulfillment_orders.nodes:
        if node.status in _OPEN:
            assigned = node.assigned_location.location
            by_location[assigned.id if assigned is not None else ""].append(node)
    places = sorted(by_location, key=lambda place: (place != location, place))
    for place in places:
        missing = dict(wanted)
        planned = _from(by_location[place], missing)
        if not any(missing.values()):
            return [planned]
    # Shopify: all fulfillment orders of one call are assigned to one location.
    missing = dict(wanted)
    plans = [planned for place in places if (planned := _from(by_location[place], missing))]
    if any(missing.values()):
        raise _nothing_left(order, wanted)
    return plans


def _from(nodes: Sequence[FulfillmentOrder], missing: dict[str, int]) -> list[dict[str, Any]]:
    planned = []
    for node in nodes:
        taken = [*_take(node, missing)]
        if taken:
            planned.append({"fulfillmentOrderId": node.id, "fulfillmentOrderLineItems": taken})
    return planned


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
    status = f"; fulfillment orders are {', '.join(sorted(held))}" if held else ""
    told = ", ".join(f"line {key}: {left[key]} left, {quantity} shipped" for key, quantity in [*short.items()][:5])
    reason = f"the store has less left to fulfill than what the shipment says ({told}){status}"
    fix = "compare the order in the store's admin with the shipment, then mend the one that is wrong"
    return NeedsEdit(reason, field="packages", rule="shopify.remaining", value=short, fix=fix)


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
