# SPDX-License-Identifier: Apache-2.0
"""An order as a caller of the API asks for it: a sales order with less to say."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from crossdock.canonical.money import Currency
from crossdock.canonical.party import Address, Text
from crossdock.canonical.quantity import Unit
from crossdock.canonical.sales_order import ChargeKind, Key

MOST_CHARGES = 100
"""The most charges an order may have."""

Amount = Annotated[Decimal, Meta(description="an amount in the order's currency, as a JSON string or number")]
Note = Annotated[str, Meta(max_length=5000)]


class OrderLineRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One line: `quantity` of `sku`, which is ours or what the channel calls it.

    `line` "" = its number, from 1; `unit` "" = the product's own. `unit_price` left out: what price lists say.
    `discount` is off the whole line; `total` left out: quantity × unit price − discount, rounded to the currency.
    `location`: where the goods are to come from, "" = routing decides.
    """

    sku: Key
    quantity: Decimal
    line: Annotated[str, Meta(max_length=200)] = ""
    unit: Unit | None = None
    unit_price: Amount | None = None
    discount: Amount | None = None
    tax: Amount | None = None
    total: Amount | None = None
    description: Text = ""
    location: Text = ""


class ChargeRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Money on the order that is no goods; a discount on the order is negative."""

    kind: ChargeKind
    amount: Amount
    code: Text = ""
    description: Text = ""


class BuyerRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who buys. `id`: the account, ours or what the channel calls it; "" = the channel's account for everybody."""

    id: Text = ""
    name: Text = ""
    email: Text = ""
    gln: Text = ""


class AddressRequest(Address, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A postal address; `country` is ISO 3166-1 alpha-2, `region` the ISO 3166-2 part after the dash."""


class OrderRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An order to be placed on `channel`.

    Left out and derived: `currency`, the channel's; `number`, the order's id; line numbers, units, line totals; and
    `total`: lines + charges + tax. What is given is checked against what would be derived. `tax` is the tax of the
    whole order; with `taxes_included` it is within the prices. `reservation`: the id of one that holds the goods.
    `terms`: payment terms, "" = the account's. `charges`: 100 at most.
    """

    channel: Key
    lines: tuple[OrderLineRequest, ...]
    customer: BuyerRequest = BuyerRequest()
    ship_to: AddressRequest | None = None
    bill_to: AddressRequest | None = None
    number: Annotated[str, Meta(max_length=200)] = ""
    po_number: Text = ""
    currency: Currency | None = None
    reservation: Text = ""
    service: Text = ""
    terms: Text = ""
    charges: tuple[ChargeRequest, ...] = ()
    tax: Amount | None = None
    taxes_included: bool = False
    total: Amount | None = None
    note: Note = ""
