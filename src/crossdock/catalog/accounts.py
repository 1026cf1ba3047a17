# SPDX-License-Identifier: Apache-2.0
"""What decisions need of a customer account."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from crossdock.canonical.master_data import Customer
from crossdock.canonical.money import Money
from crossdock.canonical.objects import encode
from crossdock.canonical.party import Address


class CustomerFacts(Struct, frozen=True, kw_only=True):
    """An account in short. `limit`: the most that may be open at a time, None where none is known; `ship_to`: where it
    may be shipped to, () = anywhere."""

    status: str = "active"
    currency: str = ""
    terms: str = ""
    group: str = ""
    limit: Money | None = None
    ship_to: tuple[Address, ...] = ()


class _Said(Struct, frozen=True, omit_defaults=True):
    """What not every account has."""

    currency: str | None = None
    terms: str = ""
    price_group: str = ""
    credit_limit: Money | None = None
    addresses: tuple[Address, ...] = ()


_SAID = msgspec.json.Decoder(_Said)
_PLAIN = _Said()


def account_details_of(account: Customer) -> bytes | None:
    """The `details` column of `account`; None when there is nothing to say."""
    said = _Said(account.currency, account.terms, account.price_group, account.credit_limit, account.addresses)
    return encode(said) if said != _PLAIN else None


def account_of(status: str, details: bytes | None) -> CustomerFacts:
    """The facts of an account row."""
    if details is None:
        return CustomerFacts(status=status)
    said = _SAID.decode(details)
    return CustomerFacts(
        status=status,
        currency=said.currency or "",
        terms=said.terms,
        group=said.price_group,
        limit=said.credit_limit,
        ship_to=said.addresses,
    )
