# SPDX-License-Identifier: Apache-2.0
"""The interfaces by which orders of the API come in: one for every channel that takes them."""

from __future__ import annotations

from datetime import timedelta

from crossdock.decide_orders import InterfaceFacts
from crossdock.estate.compile import CompiledEstate
from crossdock.estate.durations import duration
from crossdock.inventory.back_orders import TOPIC as BACK_ORDERS
from crossdock.inventory.back_orders import interface_of as back_orders_of
from crossdock.orders.placed import CANCEL_TOPIC, TOPIC, interface_of
from crossdock.returns.placed import TOPIC as RETURN_TOPIC
from crossdock.translate import Topic

SETTLE_ORDERS = timedelta(hours=1)
"""How long an order of the API may stay open, where the estate names no tier."""
FULFILLMENT = "fulfillment"
"""The operation by which a channel's system is told what has left."""


def order_interfaces(estate: CompiledEstate) -> list[InterfaceFacts]:
    """Name, owner and deadline of each; `system` is the channel's, whose crosswalks name its SKUs and customers."""
    declared = estate.declared
    found = []
    for name, channel in declared.channels.items():
        api = channel.by_api
        if api is not None:
            within = duration(declared.tiers[api.tier].settle_within) if api.tier else SETTLE_ORDERS
            owner = api.owner or declared.systems[channel.system].owner
            found.append(
                InterfaceFacts(name=interface_of(name), system=channel.system, owner=owner, settle_within=within)
            )
    return found


def back_order_interfaces(estate: CompiledEstate) -> list[InterfaceFacts]:
    """The interfaces by which goods are looked for that orders wait for, one for every channel that has back-orders."""
    declared = estate.declared
    return [
        InterfaceFacts(
            name=back_orders_of(name),
            system=channel.system,
            owner=declared.systems[channel.system].owner,
            settle_within=SETTLE_ORDERS,
        )
        for name, channel in declared.channels.items()
        if channel.back_order == "split"
    ]


def order_topics(estate: CompiledEstate) -> dict[tuple[str, str], Topic]:
    """What comes in by them is canonical already."""
    kinds = {TOPIC: "sales_order", CANCEL_TOPIC: "sales_order", RETURN_TOPIC: "goods_return"}
    found = {
        (one.name, topic): Topic(translator=None, kind=kind)
        for one in order_interfaces(estate)
        for topic, kind in kinds.items()
    }
    for one in back_order_interfaces(estate):
        found[one.name, BACK_ORDERS] = Topic(translator=None, kind="back_order")
    return found


def is_told(estate: CompiledEstate, channel: str) -> bool:
    """Whether the system of `channel` is told what has left, if it can be told.

    Whoever orders by the API asks or subscribes; their system is told besides only where an interface says so.
    """
    declared = estate.declared.channels[channel]
    return declared.by_api is None or (declared.system, FULFILLMENT) in estate.outgoing
