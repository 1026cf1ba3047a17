# SPDX-License-Identifier: Apache-2.0
"""What the store knows of an order's fulfillment: fulfillment orders with what is left of them, fulfillments made."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct, field

from crossdock.canonical.fulfillment import Shipment
from crossdock.connectors.shopify.client import AdminClient
from crossdock.errors import NeedsEdit

# Page sizes: the first try fits most orders and costs about 70 points; the second stays below the 1,000 of one query.
_SMALL: Final = {"orders": 2, "lines": 10, "shipped": 5}
_LARGE: Final = {"orders": 4, "lines": 60, "shipped": 50}
_MAX_PAGES: Final = 50


class Page(Struct, rename="camel"):
    """Where a connection goes on."""

    has_next_page: bool = False
    end_cursor: str | None = None


class Identity(Struct):
    """Something of which only the id is asked for."""

    id: str


class RemainingLine(Struct, rename="camel"):
    """A line of a fulfillment order and how much of it has not been fulfilled."""

    id: str
    remaining_quantity: int
    line_item: Identity


class RemainingLines(Struct, rename="camel"):
    """A page of lines."""

    nodes: list[RemainingLine]
    page_info: Page = field(default_factory=Page)


class Assigned(Struct):
    """The location the store has assigned; null for one that was deleted."""

    location: Identity | None = None


class FulfillmentOrder(Struct, rename="camel"):
    """What the store asks one location to ship."""

    id: str
    status: str
    assigned_location: Assigned
    line_items: RemainingLines


class _FulfillmentOrders(Struct, rename="camel"):
    nodes: list[FulfillmentOrder]
    page_info: Page = field(default_factory=Page)


class Tracking(Struct):
    """One tracking number."""

    number: str | None = None


class _Covered(Struct):
    nodes: list[Identity] = field(default_factory=list)


class Fulfillment(Struct, rename="camel"):
    """What the store has been told left, and the fulfillment orders it was taken from."""

    id: str
    status: str = ""
    tracking_info: list[Tracking] = field(default_factory=list)
    fulfillment_orders: _Covered = field(default_factory=_Covered)


class OrderState(Struct, rename="camel"):
    """An order's fulfillment orders and fulfillments."""

    fulfillments: list[Fulfillment]
    fulfillment_orders: _FulfillmentOrders


class _OrderAnswer(Struct):
    order: OrderState | None


class _MoreOf(Struct, rename="camel"):
    line_items: RemainingLines


class _MoreAnswer(Struct, rename="camel"):
    fulfillment_order: _MoreOf | None


async def read_order(client: AdminClient, shipment: Shipment) -> OrderState:
    """The state of the order that `shipment` belongs to, all pages of it.

    Raises CallFailed, or NeedsEdit when the store has no such order.
    """
    state = await _page(client, shipment, _SMALL, None)
    if _does_not_fit(state):
        state = await _page(client, shipment, _LARGE, None)
    page = state.fulfillment_orders.page_info
    for _ in range(_MAX_PAGES):
        if not page.has_next_page:
            break
        more = await _page(client, shipment, _LARGE, page.end_cursor)
        state.fulfillment_orders.nodes += more.fulfillment_orders.nodes
        page = more.fulfillment_orders.page_info
    for node in state.fulfillment_orders.nodes:
        await _complete(client, node)
    return state


def _does_not_fit(state: OrderState) -> bool:
    orders = state.fulfillment_orders
    return (
        orders.page_info.has_next_page
        or len(state.fulfillments) >= _SMALL["shipped"]
        or any(node.line_items.page_info.has_next_page for node in orders.nodes)
    )


async def _page(client: AdminClient, shipment: Shipment, sizes: dict[str, int], after: str | None) -> OrderState:
    gid = "gid://shopify/Order/" + shipment.order_key.partition("/")[2]
    variables: dict[str, Any] = {"id": gid, "after": after, **sizes}
    cost = sizes["orders"] * (3 + 2 * sizes["lines"]) + 7 * sizes["shipped"] + 3
    answer, _ = await client.run("OrderToFulfill", variables, _OrderAnswer, cost=cost)
    if answer.order is None:
        raise NeedsEdit(
            f"the store has no order {gid}",
            field="order_key",
            rule="shopify.order_known",
            value=shipment.order_key,
            fix="correct the order the shipment belongs to; orders older than 60 days need the scope read_all_orders",
        )
    return answer.order


async def _complete(client: AdminClient, node: FulfillmentOrder) -> None:
    page = node.line_items.page_info
    for _ in range(_MAX_PAGES):
        if not page.has_next_page:
            return
        answer, _ = await client.run("MoreLines", {"id": node.id, "after": page.end_cursor}, _MoreAnswer, cost=402)
        if answer.fulfillment_order is None:
            return
        node.line_items.nodes += answer.fulfillment_order.line_items.nodes
        page = answer.fulfillment_order.line_items.page_info
