# SPDX-License-Identifier: Apache-2.0
"""Decide on sales orders (Process Manager): validated, routed, allocated, owed to ERP and warehouses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.errors import CrossdockError
from crossdock.fulfillment.plan import Plan, Wanted, left_already, plan
from crossdock.inventory.allocate import Granted, allocate, pairs_wanted
from crossdock.inventory.back_orders import Waiting, queue, waiting_for, write_waiting
from crossdock.inventory.free import Freed, free, open_holds
from crossdock.inventory.hold import Named, drop, held_by_orders, reserved_for, take_over, write_holds
from crossdock.inventory.level import Levels, Pair
from crossdock.inventory.needs import Owed
from crossdock.inventory.rules import StockRules
from crossdock.journal.decided import Decided, Routed, Split, Translated
from crossdock.orders.accept import Prepared, Weighed, accept, prepare, refused, weigh
from crossdock.orders.changes import MOVES_GOODS, Meaning
from crossdock.orders.checks import NO_CHECKS, Checks
from crossdock.orders.examine import ChannelRules, unknown_channel, with_account, with_our_skus
from crossdock.orders.held import held_before, tell_hold, tell_release
from crossdock.orders.holds import ReleaseRule
from crossdock.orders.others import Asking, OtherOrders, read_others
from crossdock.orders.tax import TaxService
from crossdock.returns.policy import ReturnRules
from crossdock.routing.allot import Ground, Had, places_of, wish_of
from crossdock.routing.placed import placed
from crossdock.routing.policy import Policy
from crossdock.routing.route import route
from crossdock.routing.trade import Moved, Trading, trade
from crossdock.runtime.clock import now


class InterfaceFacts(Struct, frozen=True, kw_only=True):
    """What the path needs of an incoming interface."""

    name: str
    system: str
    owner: str
    settle_within: timedelta


class Rules(Struct, frozen=True, kw_only=True):
    """What decisions are made with, compiled from the estate.

    `outgoing`: (system, operation) → outgoing interface. `channel_system`: channel → the system that is told of its
    shipments. `stock`: what may be sold. `checks`: channel → what else its orders are checked for; `releases`: what of
    that is let through all the same. `tax`: who knows what tax is due. `returns`: what may come back.
    """

    catalog: Catalog
    policy: Policy
    interfaces: Mapping[str, InterfaceFacts]
    outgoing: Mapping[tuple[str, str], str]
    channel_system: dict[str, str]
    stock: StockRules
    checks: Mapping[str, Checks] = MappingProxyType({})
    returns: ReturnRules = ReturnRules()
    releases: tuple[ReleaseRule, ...] = ()
    tax: TaxService | None = None

    @property
    def back_orders(self) -> bool:
        """Whether any channel splits orders whose goods are not all there."""
        return any(facts.when_short == "split" for facts in self.policy.channels.values())

    @property
    def ground(self) -> Ground:
        """What stock is allotted by."""
        return Ground(policy=self.policy, stock=self.stock, products=self.catalog.products)

    def facts(self, interface: str) -> InterfaceFacts:
        """What is known of `interface`; of one that the estate no longer has, that its documents are due at once."""
        known = self.interfaces.get(interface)
        return known or InterfaceFacts(name=interface, system="", owner="", settle_within=timedelta(0))

    def limits(self, channel: str, others: OtherOrders | None = None) -> ChannelRules | None:
        """What an order must keep to on `channel`; None when there is no such channel. `others`: what other orders
        say, None when they are not asked."""
        facts = self.policy.channels.get(channel)
        if facts is None:
            return None
        return ChannelRules(
            currency=facts.currency,
            customer=facts.customer,
            max_lines=self.policy.max_lines,
            locations=self.policy.locations,
            checks=self.checks.get(channel, NO_CHECKS),
            others=others,
            releases=self.releases,
            entity=facts.entity,
            tax=self.tax,
        )


async def pairs_of_orders(conn: asyncpg.Connection, rules: Rules, orders: Sequence[Prepared]) -> set[Pair]:
    """The stock levels that deciding on these orders may change. Nothing is locked by asking."""
    if not orders:
        return set()
    pairs: set[Pair] = set()
    for one in orders:
        pairs |= pairs_wanted(one.order, rules.catalog.products, places_of(one.order, one.routed, rules.stock))
    pairs |= await held_by_orders(conn, [one.order.order_key for one in orders])
    for held in (await reserved_for(conn, _reservations(orders))).values():
        pairs |= set(held)
    return pairs


def _reservations(orders: Sequence[Prepared]) -> set[Named]:
    """The reservations that orders name, with the orders' channels."""
    return {(one.order.reservation, one.order.channel) for one in orders if one.order.reservation}


async def decide_orders(
    conn: asyncpg.Connection, rules: Rules, orders: Sequence[Prepared | Decided], levels: Levels
) -> list[Decided]:
    """The decision on each prepared order, in the same order. `levels`: those of `pairs_of_orders`, locked."""
    ready = [one for one in orders if isinstance(one, Prepared)]
    weighed = await weigh(conn, ready)
    blocked: dict[str, CrossdockError] = {**await left_already(conn, [one.order.order_key for one in ready])}
    granted: dict[str, Granted] = {}
    if rules.stock.governed:
        granted = await _allocate(conn, rules, weighed, blocked, levels)
    accepted = await accept(conn, weighed, blocked)
    plans = await _plan(conn, rules, weighed, accepted, granted)
    owed = {key: planned.deliveries for key, planned in plans.items()}
    done = {
        one.item.claimed.id: replace(decided, deliveries=(*decided.deliveries, *owed.get(one.order.order_key, ())))
        for one, (_, decided) in zip(ready, accepted, strict=True)
    }
    return [one if isinstance(one, Decided) else done[one.item.claimed.id] for one in orders]


async def tell_holds(
    conn: asyncpg.Connection,
    rules: Rules,
    items: Sequence[Translated],
    orders: Sequence[Prepared | Decided],
    decisions: Sequence[Decided],
) -> list[Decided]:
    """The decisions on `items`, with what is to be told of orders that are held, or go on that were."""
    before = await held_before(conn, [item.claimed.id for item in items if item.claimed.attempts])
    told = []
    for item, one, decided in zip(items, orders, decisions, strict=True):
        claimed, was = item.claimed, before.get(item.claimed.id, ())
        if isinstance(one, Prepared) and decided.error is None:
            told.append(tell_release(one.order, decided, one.waived, was))
        else:
            deadline = claimed.received_at + rules.facts(claimed.interface).settle_within
            told.append(tell_hold(item.document, decided, was, deadline))
    return told


async def _allocate(
    conn: asyncpg.Connection,
    rules: Rules,
    weighed: Sequence[Weighed],
    blocked: dict[str, CrossdockError],
    levels: Levels,
) -> dict[str, Granted]:
    """What each order got; orders that got nothing are added to `blocked`."""
    moving = [w for w in weighed if w.meaning in MOVES_GOODS and w.prepared.order.order_key not in blocked]
    known = [w.prepared.order.order_key for w in moving if w.known is not None]
    before = await open_holds(conn, known) if known else {}
    gone = [w for w in weighed if w.meaning is Meaning.NEW_CANCELLED]
    held = await reserved_for(conn, _reservations([w.prepared for w in (*moving, *gone)]))
    await _drop(conn, [w.prepared for w in gone], held, levels)
    granted: dict[str, Granted] = {}
    freed: list[Freed] = []
    took: list[tuple[str, str]] = []
    owed = await _owed(conn, rules, moving)
    anew: list[str] = []
    waiting: list[Waiting] = []
    for one in moving:
        order = one.prepared.order
        if one.meaning is Meaning.CANCELLED:
            # Its goods stay held until the warehouse has said that it ships none of them (`inventory.withdraw`).
            anew.append(order.order_key)
            continue
        mine = held.pop((order.reservation, order.channel), {}) if one.known is None else {}
        had = Had(
            held=mine,
            before=before.get(order.order_key, []),
            waited=(now() - one.prepared.item.claimed.received_at).total_seconds(),
            owed=owed,
        )
        wish = wish_of(order, one.prepared.routed, rules.ground, had, now())
        result = allocate(wish, rules.catalog.products, levels, rules.stock.hold_for.total_seconds())
        if isinstance(result, CrossdockError):
            blocked[order.order_key] = result
            continue
        granted[order.order_key] = result
        one.prepared.routed = replace(
            one.prepared.routed, record=placed(order, one.prepared.routed, result, rules.policy)
        )
        freed += [(hold, quantity, one.prepared.item.claimed.id) for hold, quantity in result.freed]
        anew += [order.order_key] if one.known is not None else []
        waiting += waiting_for(order.order_key, result.waiting, wish.locations, now())
        if mine:
            took.append((order.reservation, order.order_key))
    if rules.back_orders:
        await write_waiting(conn, anew, waiting)
    await free(conn, freed)
    await take_over(conn, took)
    return granted


async def _owed(conn: asyncpg.Connection, rules: Rules, moving: Sequence[Weighed]) -> list[Owed]:
    """What other orders wait for of the goods that these want."""
    if not rules.back_orders:
        return []
    orders = [one.prepared.order for one in moving]
    skus = {sku for order in orders for sku, _ in pairs_wanted(order, rules.catalog.products, ("",))}
    own = {order.order_key for order in orders}
    rows = await queue(conn, skus) if skus else []
    return [Owed(row.sku, row.places, row.quantity) for row in rows if row.order_key not in own]


async def _drop(
    conn: asyncpg.Connection, orders: Sequence[Prepared], held: dict[Named, dict[Pair, Decimal]], levels: Levels
) -> None:
    """Give back what was reserved for orders that came cancelled."""
    ended: list[tuple[str, str]] = []
    for one in orders:
        goods = held.pop((one.order.reservation, one.order.channel), None)
        if goods is not None:
            ended.append((one.order.reservation, one.order.order_key))
            for (sku, location), quantity in goods.items():
                levels.change(sku, location, reserved=-quantity)
    await drop(conn, ended)


async def _plan(
    conn: asyncpg.Connection,
    rules: Rules,
    weighed: Sequence[Weighed],
    accepted: Sequence[tuple[Meaning, Decided]],
    granted: Mapping[str, Granted],
) -> dict[str, Plan]:
    wanted = [
        Wanted(
            document_id=w.prepared.item.claimed.id,
            order=w.prepared.order,
            splits=() if meaning is Meaning.CANCELLED else _splits(w.prepared, granted),
            known=meaning is not Meaning.NEW,
        )
        for w, (meaning, _) in zip(weighed, accepted, strict=True)
        if meaning in MOVES_GOODS
    ]
    system_of = {name: facts.system for name, facts in rules.policy.locations.items()}
    made = await plan(conn, wanted, system_of, rules.catalog.products)
    made = await with_trade(conn, rules, wanted, made)
    plans = {one.order.order_key: planned for one, planned in zip(wanted, made, strict=True)}
    await write_holds(
        conn,
        [
            (key, one.document_id, plans[key].references, granted[key].taken)
            for one in wanted
            for key in [one.order.order_key]
            if key in granted
        ],
        rules.catalog.products,
    )
    return plans


async def with_trade(
    conn: asyncpg.Connection, rules: Rules, wanted: Sequence[Wanted], plans: Sequence[Plan]
) -> list[Plan]:
    """The plans with what ERPs are owed of goods that one entity sells another."""
    by = Trading(policy=rules.policy, products=rules.catalog.products, outgoing=rules.outgoing)
    moved = [
        Moved(document_id=one.document_id, order=one.order, made=planned.made, cancelled=planned.cancelled)
        for one, planned in zip(wanted, plans, strict=True)
    ]
    legs = await trade(conn, moved, by)
    return [
        replace(planned, deliveries=[*planned.deliveries, *owed]) for planned, owed in zip(plans, legs, strict=True)
    ]


def _splits(prepared: Prepared, granted: Mapping[str, Granted]) -> tuple[Split, ...]:
    key = prepared.order.order_key
    splits = granted[key].splits if key in granted else prepared.routed.splits
    return tuple(split for split in splits if split.system)


async def others_of(
    conn: asyncpg.Connection, rules: Rules, items: Sequence[Translated], *, lock: bool = True
) -> OtherOrders | None:
    """What other orders say of those whose channels check more than what every order is checked for; None when none
    does. `lock`: see `read_others`; call it before anything else is locked."""
    if not rules.checks:
        return None
    asking = []
    for item in items:
        order: SalesOrder = item.document
        limits = rules.limits(order.channel)
        if limits is not None and limits.checks != NO_CHECKS:
            source = rules.facts(item.claimed.interface).system
            ours = with_account(order, rules.catalog, limits, source)
            account = rules.catalog.customers.get(ours.customer.id)
            # Without a limit it does not matter what is open: nobody need wait for the account's other orders.
            unlimited = account is None or account.limit is None
            asking.append(Asking(ours, replace(limits.checks, credit=None) if unlimited else limits.checks))
    return await read_others(conn, asking, lock=lock) if asking else None


def prepare_order(rules: Rules, item: Translated, others: OtherOrders | None = None) -> Prepared | Decided:
    """Validate, enrich and route one order; a Decided when it may not go on."""
    source = rules.facts(item.claimed.interface).system
    order: SalesOrder = with_our_skus(item.document, rules.catalog, source)
    limits = rules.limits(order.channel, others)
    if limits is None:
        return refused(order, unknown_channel(order.channel))
    return prepare(item, order, rules.catalog, limits, source, routed_of(rules, order))


def routed_of(rules: Rules, order: SalesOrder) -> Routed | CrossdockError:
    """Where routing sends `order`, which is in our words; or why it cannot say."""
    try:
        return route(order, rules.policy, rules.catalog.location_of, rules.catalog.stocked)
    except CrossdockError as error:
        return error
