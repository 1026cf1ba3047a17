# SPDX-License-Identifier: Apache-2.0
"""Bring a sales order to NetSuite: an upsert by our order key, or closing its lines when it was cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from crossdock.canonical.money import Money
from crossdock.canonical.sales_order import Charge, SalesOrder
from crossdock.connectors.netsuite.client import Reply, RestClient, by_external_id, sql_text
from crossdock.errors import AlreadyDone, NeedsEdit, OutcomeUnknown
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.sending import Delivered, Outgoing

_ZERO: Final = Decimal(0)


class OrderNames(Struct, frozen=True, kw_only=True):
    """How this account names what our documents name: crosswalks canonical → theirs, and settings."""

    sku: dict[str, str]
    location: dict[str, str]
    customer: Mapping[str, str]
    currency: Mapping[str, str]
    charge_items: Mapping[str, str]
    default_customer: str = ""
    subsidiary: str | None = None
    scrap_location: str = ""


class ItemRef(Struct, rename="camel"):
    """A reference to an item as NetSuite answers it."""

    id: str = ""
    ref_name: str = ""
    external_id: str = ""


class OrderLine(Struct, rename="camel"):
    """A line of a sales order as NetSuite has it."""

    line: int
    item: ItemRef
    quantity: float = 0
    quantity_fulfilled: float = 0
    is_closed: bool = False


class _Lines(Struct):
    items: list[OrderLine] = field(default_factory=list)


class StoredOrder(Struct):
    """A sales order as NetSuite has it, with its lines."""

    id: str = ""
    item: _Lines = field(default_factory=_Lines)


def names_of(config: SystemConfig) -> OrderNames:
    """The names of `config`'s system; what is not in a crosswalk has the same name on both sides."""
    settings = config.settings
    subsidiary = settings.get("subsidiary")
    return OrderNames(
        sku=dict(config.names.get("sku", {})),
        location=dict(config.names.get("location", {})),
        customer=config.names.get("customer", {}),
        currency=config.names.get("currency", {}),
        charge_items=settings.get("charge_items") or {},
        default_customer=str(settings.get("default_customer") or ""),
        subsidiary=str(subsidiary) if subsidiary else None,
        scrap_location=str(settings.get("scrap_location") or ""),
    )


def external_id(reference: str) -> str:
    """Our reference as an external id: a slash would end the path segment that it is sent in."""
    return reference.replace("/", "-")


def order_body(
    item: Outgoing, names: OrderNames, translate: Callable[[Any], Any], translate_charge: Callable[[Any], Any]
) -> dict[str, Any]:
    """The salesOrder record for an order. NeedsEdit when it has no customer or a charge has no item."""
    order: SalesOrder = item.document
    body: dict[str, Any] = translate(
        {
            "document": order,
            "known": item.known,
            "reference": item.reference,
            "names": {
                "sku": names.sku,
                "location": names.location,
                "customer": _customer(order, names),
                "currency": names.currency.get(order.currency),
                "subsidiary": names.subsidiary,
            },
        }
    )
    lines = body["item"]["items"]
    shipping = _ZERO
    for charge in _charges(order):
        code = names.charge_items.get(charge.kind)
        if code is not None:
            quantity = None if charge.kind == "discount" else 1
            lines.append(translate_charge({"document": charge, "names": {"item": code, "quantity": quantity}}))
        elif charge.kind == "shipping":
            # NetSuite has a field of its own for it: orders need no item for shipping.
            shipping += charge.amount.amount
        else:
            raise NeedsEdit(
                f"no NetSuite item stands for a charge of kind {charge.kind!r}",
                field="charges",
                rule="netsuite.charge_item",
                value=charge.kind,
                fix=f"add charge_items: {{{charge.kind}: <external id of an item>}} to the settings, then retry",
            )
    if shipping:
        body["shippingCost"] = shipping
    return body


async def upsert_order(client: RestClient, item: Outgoing, body: dict[str, Any]) -> Delivered:
    """PUT by external id, lines replaced: repeated, it changes nothing. Raises CallFailed."""
    path = "salesOrder/" + by_external_id(external_id(item.reference))
    reply = _there(await client.record("PUT", path, query="replace=item", body=body))
    reference = reply.record_id or await order_id(client, item.reference)
    if not reference or reference.startswith("eid:"):
        raise OutcomeUnknown("NetSuite named no record for the order", rule="netsuite.location")
    return Delivered(reference=reference, exchange=reply.exchange)


async def order_id(client: RestClient, reference: str) -> str:
    """The internal id of the sales order with our `reference`, "" when there is none. Raises CallFailed."""
    wanted = sql_text(external_id(reference))
    rows = await client.suiteql(f"SELECT id FROM transaction WHERE type = 'SalesOrd' AND externalid = {wanted}")  # noqa: S608
    return rows[0].id if rows else ""


async def read_stored(client: RestClient, internal_id: str) -> StoredOrder | None:
    """A sales order with its lines; None when it is gone. Raises CallFailed."""
    path = f"salesOrder/{internal_id}"
    reply = await client.record("GET", path, query="expandSubResources=true", missing_is_none=True)
    return msgspec.json.decode(reply.body, type=StoredOrder) if reply is not None else None


async def cancel_order(client: RestClient, item: Outgoing, internal_id: str) -> Delivered:
    """Close every line. AlreadyDone when NetSuite never had the order or has closed it; raises CallFailed."""
    stored = await read_stored(client, internal_id) if internal_id else None
    if stored is None:
        raise AlreadyDone("NetSuite has no sales order to cancel", reference="none")
    if is_closed(stored):
        raise AlreadyDone("every line of the sales order is closed", reference=internal_id)
    lines = [{"line": line.line, "isClosed": True} for line in stored.item.items]
    # Without ?replace=item lines that are named by their number are changed where they are, none is taken away.
    reply = _there(await client.record("PATCH", f"salesOrder/{internal_id}", body={"item": {"items": lines}}))
    return Delivered(reference=internal_id, exchange=reply.exchange)


def is_closed(stored: StoredOrder) -> bool:
    """Whether nothing of the order is left open."""
    return all(line.is_closed for line in stored.item.items)


def _customer(order: SalesOrder, names: OrderNames) -> str:
    customer = order.customer.id
    mapped = names.customer.get(customer) if customer else None
    chosen = mapped or customer or names.default_customer
    if not chosen:
        raise NeedsEdit(
            "the order names no customer",
            field="customer.id",
            rule="netsuite.customer",
            fix="put the account, or set default_customer for orders of people without one",
        )
    return chosen


def _charges(order: SalesOrder) -> Iterator[Charge]:
    yield from (charge for charge in order.charges if charge.amount.amount)
    if order.tax is not None and order.tax.amount and not order.taxes_included:
        yield Charge(kind="tax", description="Tax", amount=Money(order.tax.amount, order.tax.currency))


def _there(reply: Reply | None) -> Reply:
    if reply is None:
        raise OutcomeUnknown("NetSuite gave no answer", rule="answer")
    return reply
