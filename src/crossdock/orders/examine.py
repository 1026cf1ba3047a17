# SPDX-License-Identifier: Apache-2.0
"""Examine an order: every check it must pass, at the door where it is taken in and again before it goes to an ERP.

The one entry to all checks: the worker decides by it, and the order API refuses by it what the worker would have to
lay before a person. Pure, of what is in memory.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

import msgspec
from msgspec import Struct

from crossdock.canonical.party import Party
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.orders.validate import failures_of


class ChannelRules(Struct, frozen=True, kw_only=True):
    """What an order must keep to on its channel. `customer`: the account unknown customers are booked on, "" = none.

    `locations`: the places that a line may name; None = not looked at.
    """

    currency: str
    customer: str
    max_lines: int
    locations: Container[str] | None = None


class Examined(Struct, frozen=True):
    """What an examination found: the customer with the account that the order is booked on (None: there is none), and
    everything that is wrong with the order; nothing is when it may go on."""

    customer: Party | None
    failures: list[NeedsEdit]


def examine(order: SalesOrder, catalog: Catalog, rules: ChannelRules, source: str) -> Examined:
    """Everything that is wrong with `order`, which is in our SKUs, and its account.

    `source` is the system whose crosswalk names customers.
    """
    failures = failures_of(order, catalog.products.__contains__, rules.max_lines)
    if order.currency != rules.currency:
        failures.append(
            NeedsEdit(
                f"the order is in {order.currency}, its channel sells in {rules.currency}",
                field="currency",
                rule="order.currency_channel",
                value=order.currency,
                fix=f"put {rules.currency}, or set the channel's currency in the estate",
            )
        )
    customer = account_of(order.customer, catalog, rules, source)
    if customer is None:
        failures.append(
            NeedsEdit(
                f"customer {order.customer.id or '(none)'} has no account and the channel has no account for others",
                field="customer.id",
                rule="order.customer_known",
                value=order.customer.id,
                fix="add the account, map it in crosswalk `customer`, or give the channel a default customer",
            )
        )
    if rules.locations is not None:
        failures += _misplaced(order, rules.locations)
    return Examined(customer, failures)


def with_our_skus(order: SalesOrder, catalog: Catalog, source: str) -> SalesOrder:
    """The order with every SKU that the crosswalk knows turned into ours; unknown ones are left for validation."""
    if not catalog.translates(source, "sku"):
        return order
    if all(line.sku in catalog.products and catalog.look_up(source, "sku", line.sku) is None for line in order.lines):
        return order
    lines = tuple(msgspec.structs.replace(line, sku=catalog.sku(source, line.sku) or line.sku) for line in order.lines)
    return msgspec.structs.replace(order, lines=lines)


def unknown_channel(channel: str) -> NeedsEdit:
    """There is no such channel."""
    return NeedsEdit(
        f"channel {channel!r} is not in the estate",
        field="channel",
        rule="order.channel_known",
        value=channel,
        fix="add the channel to the estate, or put the right one",
    )


def account_of(customer: Party, catalog: Catalog, rules: ChannelRules, source: str) -> Party | None:
    """The customer with the account that an order of its channel is booked on; None when there is none."""
    theirs = customer.id
    ours = catalog.look_up(source, "customer", theirs) if theirs else None
    account = ours or (theirs if theirs in catalog.customers else rules.customer)
    return msgspec.structs.replace(customer, id=account) if account else None


def _misplaced(order: SalesOrder, locations: Container[str]) -> Iterator[NeedsEdit]:
    for index, line in enumerate(order.lines):
        if line.location and line.location not in locations:
            yield NeedsEdit(
                f"there is no location {line.location!r}",
                field=f"lines[{index}].location",
                rule="order.location_known",
                value=line.location,
                fix="put a location of the estate, or leave it out",
            )
