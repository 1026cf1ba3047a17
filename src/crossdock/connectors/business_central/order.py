# SPDX-License-Identifier: Apache-2.0
"""Bring a sales order to Business Central: made once, changed where it differs, taken off when it was cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from crossdock.canonical.money import Money
from crossdock.canonical.sales_order import Charge, SalesOrder
from crossdock.connectors.business_central.changes import header_changes, line_changes, withdrawal
from crossdock.connectors.business_central.client import CallFailed, RestClient
from crossdock.connectors.business_central.settle import Plan, settle
from crossdock.connectors.business_central.stored import external_number, find_invoiced, find_order
from crossdock.errors import AlreadyDone, NeedsEdit, OutcomeUnknown
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.sending import Delivered, Outgoing

_ZERO: Final = Decimal(0)


class OrderNames(Struct, frozen=True, kw_only=True):
    """How this company names what our documents name: crosswalks canonical → theirs, and settings."""

    sku: Mapping[str, str]
    location: Mapping[str, str]
    customer: Mapping[str, str]
    currency: Mapping[str, str]
    unit: Mapping[str, str]
    carrier: Mapping[str, str]
    charge_items: Mapping[str, str]
    default_customer: str = ""


class _Made(Struct, rename="camel"):
    number: str
    discount_amount: Decimal = _ZERO


def names_of(config: SystemConfig) -> OrderNames:
    """The names of `config`'s system; what is not in a crosswalk has the same name on both sides."""
    settings, names = config.settings, config.names
    return OrderNames(
        sku=dict(names.get("sku", {})),
        location=dict(names.get("location", {})),
        customer=names.get("customer", {}),
        currency=dict(names.get("currency", {})),
        unit=dict(names.get("unit", {})),
        carrier=dict(names.get("carrier", {})),
        charge_items=settings.get("charge_items") or {},
        default_customer=str(settings.get("default_customer") or ""),
    )


def order_body(
    item: Outgoing,
    names: OrderNames,
    location_ids: Mapping[str, str],
    translate: Callable[[Any], Any],
    translate_charge: Callable[[Any], Any],
) -> dict[str, Any]:
    """The salesOrder with its lines for an order, and its `discountAmount`, which is said apart when it is made.

    `location_ids`: the id of every location that a line names. NeedsEdit when the order has no customer or a charge has
    no item.
    """
    order: SalesOrder = item.document
    body: dict[str, Any] = translate(
        {
            "document": order,
            "known": item.known,
            "reference": item.reference,
            "names": {
                "external_number": external_number(item.reference),
                "customer": _customer(order, names),
                "sku": names.sku,
                "location": location_ids,
                "currency": names.currency,
                "unit": names.unit,
            },
        }
    )
    if order.ship_to is None:
        body = {name: value for name, value in body.items() if not name.startswith("shipTo")}
    discount = _ZERO
    for charge in _charges(order, names.charge_items):
        amount = charge.amount.amount
        code = names.charge_items.get(charge.kind)
        if code is not None:
            given = {"item": code, "quantity": 1 if amount > 0 else -1}
            body["salesOrderLines"].append(translate_charge({"document": charge, "names": given}))
        elif charge.kind == "discount" and amount < 0:
            discount -= amount
        else:
            raise NeedsEdit(
                f"no item of Business Central stands for a charge of kind {charge.kind!r}",
                field="charges",
                rule="business_central.charge_item",
                value=charge.kind,
                fix=f"add charge_items: {{{charge.kind}: <number of an item>}} to the settings, then retry",
            )
    return {**body, "discountAmount": discount}


async def bring_order(client: RestClient, item: Outgoing, wanted: Mapping[str, Any], known: str) -> Delivered:
    """Make the order, or change the one that is there so that it says what ours says; repeated, it changes nothing.

    `known`: the number it had before, "" = it is new to us. AlreadyDone when all of it is invoiced; raises CallFailed,
    NeedsEdit.
    """
    stored = await find_order(client, item.reference)
    if stored is None:
        invoiced = await find_invoiced(client, item.reference)
        if invoiced and known:
            raise NeedsEdit(
                "the sales order is invoiced: Business Central can change it no more",
                field="lines",
                rule="business_central.invoiced",
                value=invoiced,
                fix="credit or invoice the difference in Business Central, then dismiss the case",
            )
        if invoiced:
            raise AlreadyDone("the sales order was there, and is invoiced", reference=invoiced)
        return await _make(client, item, wanted)
    exchange = await settle(client, item.reference, stored, _to(wanted))
    return Delivered(reference=stored.number, exchange=exchange or stored.exchange)


async def look_for_order(client: RestClient, item: Outgoing, wanted: Mapping[str, Any], known: str) -> Delivered | None:
    """The order, when it says what ours says or was invoiced; None when it is to be sent. Raises CallFailed."""
    stored = await find_order(client, item.reference)
    if stored is not None:
        done = not any(plan(stored) for plan in _to(wanted))
        return Delivered(reference=stored.number, exchange=stored.exchange) if done else None
    invoiced = "" if known else await find_invoiced(client, item.reference)
    return Delivered(reference=invoiced) if invoiced else None


async def cancel_order(client: RestClient, item: Outgoing, known: str) -> Delivered:
    """Delete the order, or take off its lines what has not been shipped. `known`: its number, "" = not known to us.

    AlreadyDone when Business Central never had it, has it no more, or has nothing left to ship; raises CallFailed,
    NeedsEdit when it is invoiced.
    """
    stored = await find_order(client, item.reference)
    if stored is None:
        invoiced = await find_invoiced(client, item.reference)
        if invoiced:
            raise NeedsEdit(
                "the sales order is invoiced: there is nothing left to cancel",
                field="status",
                rule="business_central.invoiced",
                value=invoiced,
                fix="credit its posted invoice in Business Central, then dismiss the case",
            )
        raise AlreadyDone("Business Central has no sales order to cancel", reference=known or "none")
    if not withdrawal(stored):
        raise AlreadyDone("nothing of the sales order is left to ship", reference=stored.number)
    exchange = await settle(client, item.reference, stored, (withdrawal,))
    return Delivered(reference=stored.number, exchange=exchange)


async def look_for_cancelled(client: RestClient, item: Outgoing, known: str) -> Delivered | None:
    """Whether nothing of the order is left to ship; None when something is, or it was invoiced. Raises CallFailed."""
    stored = await find_order(client, item.reference)
    if stored is not None:
        return None if withdrawal(stored) else Delivered(reference=stored.number)
    return None if await find_invoiced(client, item.reference) else Delivered(reference=known or "none")


async def _make(client: RestClient, item: Outgoing, wanted: Mapping[str, Any]) -> Delivered:
    body = {name: value for name, value in wanted.items() if name != "discountAmount"}
    reply = await client.record("POST", "salesOrders", body=body)
    if reply is None:
        raise AssertionError("a 404 is raised")
    try:
        made = msgspec.json.decode(reply.body, type=_Made)
    except msgspec.DecodeError as error:
        unreadable = OutcomeUnknown(f"Business Central's answer could not be read: {error}", rule="answer")
        raise CallFailed(unreadable, reply.exchange) from error
    if made.discount_amount != wanted["discountAmount"]:
        stored = await find_order(client, item.reference)
        if stored is None:
            raise CallFailed(OutcomeUnknown("the order that was made is not there", rule="answer"), reply.exchange)
        await settle(client, item.reference, stored, _to(wanted))
    return Delivered(reference=made.number, exchange=reply.exchange)


def _to(wanted: Mapping[str, Any]) -> tuple[Plan, ...]:
    """Lines first: Business Central shares the order's discount out over the lines that are there."""
    return (lambda order: line_changes(order, wanted), lambda order: header_changes(order, wanted))


def _customer(order: SalesOrder, names: OrderNames) -> str:
    customer = order.customer.id
    mapped = names.customer.get(customer) if customer else None
    chosen = mapped or customer or names.default_customer
    if not chosen:
        raise NeedsEdit(
            "the order names no customer",
            field="customer.id",
            rule="business_central.customer",
            fix="put the account, or set default_customer for orders of people without one",
        )
    return chosen


def _charges(order: SalesOrder, charge_items: Mapping[str, str]) -> Iterator[Charge]:
    """What is to be a line, or the order's discount. Business Central works tax out itself unless it has an item."""
    yield from (
        charge for charge in order.charges if charge.amount.amount and (charge.kind != "tax" or "tax" in charge_items)
    )
    if "tax" in charge_items and order.tax is not None and order.tax.amount and not order.taxes_included:
        yield Charge(kind="tax", description="Tax", amount=Money(order.tax.amount, order.tax.currency))
