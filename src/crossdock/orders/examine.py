# SPDX-License-Identifier: Apache-2.0
"""Examine an order: every check it must pass, at the door where it is taken in and again before it goes to an ERP.

The one entry to all checks: the worker decides by it, and the order API refuses by it what the worker would have to
lay before a person. Pure, of what is in memory; what other orders say is read before and given.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

import msgspec
from msgspec import Struct

from crossdock.canonical.party import Party
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.orders.checks import NO_CHECKS, NO_OTHERS, Checks, check
from crossdock.orders.holds import NO_RELEASES, ReleaseRule, Waived, let_through, name_holds
from crossdock.orders.others import OtherOrders
from crossdock.orders.tax import TaxService
from crossdock.orders.validate import failures_of


class ChannelRules(Struct, frozen=True, kw_only=True):
    """What an order must keep to on its channel. `customer`: the account unknown customers are booked on, "" = none.

    `locations`: the places that a line may name; None = not looked at. `checks`: what else its orders are checked for.
    `others`: what other orders say; None = not asked: somebody outside wants to know, who is not told of fraud checks.
    `releases`: standing releases of the estate. `entity`: the company that sells; `tax`: who knows tax codes.
    """

    currency: str
    customer: str
    max_lines: int
    locations: Container[str] | None = None
    checks: Checks = NO_CHECKS
    others: OtherOrders | None = None
    releases: tuple[ReleaseRule, ...] = ()
    entity: str = ""
    tax: TaxService | None = None


class Examined(Struct, frozen=True):
    """What an examination found: the customer with the account that the order is booked on (None: there is none), and
    everything that is wrong with the order; nothing is when it may go on. `settled`: we have a version as new, or one
    that asks for the same, so that its channel's checks were not made again. `waived`: holds that were let through."""

    customer: Party | None
    failures: list[NeedsEdit]
    settled: bool = False
    waived: tuple[Waived, ...] = ()


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
    if rules.checks == NO_CHECKS or any(one.rule == "order.number_range" for one in failures):
        return Examined(customer, failures)
    if rules.others is not None and rules.others.settled(order):
        return Examined(customer, failures, settled=True)
    ours = msgspec.structs.replace(order, customer=customer or order.customer, entity=rules.entity or order.entity)
    others = NO_OTHERS if rules.others is None or customer is None else rules.others.of(ours, rules.checks)
    checks = rules.checks.told if rules.others is None else rules.checks
    found = check(ours, catalog, checks, others)
    if not found:
        return Examined(customer, failures)
    name_holds(ours, found)
    released = NO_RELEASES if rules.others is None else rules.others.released(order.order_key)
    left, waived = let_through(ours, found, rules.releases, released)
    return Examined(customer, [*failures, *left], waived=waived)


def with_account(order: SalesOrder, catalog: Catalog, rules: ChannelRules, source: str) -> SalesOrder:
    """`order` in our SKUs and with our account in place, where it has one."""
    ours = with_our_skus(order, catalog, source)
    customer = account_of(order.customer, catalog, rules, source)
    return ours if customer is None else msgspec.structs.replace(ours, customer=customer)


def with_our_skus(order: SalesOrder, catalog: Catalog, source: str) -> SalesOrder:
    """The order with every SKU that the crosswalk knows turned into ours, and its carrier service too; unknown SKUs are
    left for validation, a service that no crosswalk knows is ours."""
    if order.service and catalog.translates(source, "service"):
        order = msgspec.structs.replace(
            order, service=catalog.look_up(source, "service", order.service) or order.service
        )
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
