# SPDX-License-Identifier: Apache-2.0
"""The shape of what an estate says of orders: how they live, what holds them, what they are checked for, their tax."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from crossdock.canonical.party import Country
from crossdock.estate.shape import Name

OpenState = Literal["accepted", "acknowledged", "allocated", "partly_shipped", "shipped", "invoiced"]


Amount = Annotated[float, Meta(ge=0, le=1_000_000_000)]


class StandingRelease(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may go on without being asked about: failures of `rule` (a hold), of orders of `channel` and of account
    `customer` ("" = any) whose total is below `total_below` in the order's currency (none: whatever it is)."""

    rule: Name
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    channel: str = ""
    customer: str = ""
    total_below: Amount | None = None


class Orders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How orders live. `within`: how long one may be in a state ("30m") before it is told as overdue; a state that is
    not named may last for ever. `release`: what holds nobody; `look_again`: how often held orders are looked at again
    by themselves ("15m"), "" = when somebody retries them."""

    within: dict[OpenState, str] = field(default_factory=dict)
    release: Annotated[tuple[StandingRelease, ...], Meta(max_length=200)] = ()
    look_again: str = ""


class FraudChecks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds an order of a channel: a total above `above`, or above `unknown_account_above` when its buyer has no
    account (both in the order's currency); one of `countries` to ship to; another address than the invoice's."""

    above: Amount | None = None
    countries: Annotated[tuple[Country, ...], Meta(max_length=250)] = ()
    addresses_differ: bool = False
    unknown_account_above: Amount | None = None


class TaxRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tax is due: `percent` of the net amount, known to ERPs as `code`, on what `entity` sends to `country` and
    `region` (ISO 3166-2 after the dash), of SKUs that begin with `sku_prefix`; what is left out is any."""

    percent: Annotated[float, Meta(ge=0, le=100)]
    code: Annotated[str, Meta(max_length=100)] = ""
    entity: str = ""
    country: Country | None = None
    region: Annotated[str, Meta(max_length=20)] = ""
    sku_prefix: Annotated[str, Meta(max_length=100)] = ""
    note: str = ""


class Tax(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tax by a table: of its rules the first that fits counts."""

    rules: Annotated[tuple[TaxRule, ...], Meta(max_length=1000)] = ()


class OrderChecks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What orders of a channel are checked for besides what every order is. `customer`: the account is not blocked;
    `product`: nothing retired; `unit`: units and packs of the product; `price`: contract prices within `pricing`;
    `terms`: the account's payment terms; `credit`: its limit against what was ordered within `credit_days`; `ship_to`:
    an address of the account; `duplicates_within`: no other order says the same ("7d"; "" = may be); `address`: it is
    whole; `fraud`: what is suspicious; `tax`: it names the tax that `tax` says is due.
    """

    customer: bool = False
    product: bool = False
    unit: bool = False
    price: bool = False
    terms: bool = False
    credit: bool = False
    credit_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    ship_to: bool = False
    duplicates_within: str = ""
    address: bool = False
    fraud: FraudChecks | None = None
    tax: bool = False
