# SPDX-License-Identifier: Apache-2.0
"""What decisions need of a customer account."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from crossdock.canonical.money import Money
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


class _Said(Struct):
    currency: str | None = None
    terms: str = ""
    price_group: str = ""
    credit_limit: Money | None = None
    addresses: tuple[Address, ...] = ()


_SAID = msgspec.json.Decoder(_Said)


def account_of(status: str, body: bytes) -> CustomerFacts:
    """The facts of an account by its canonical body."""
    said = _SAID.decode(body)
    return CustomerFacts(
        status=status,
        currency=said.currency or "",
        terms=said.terms,
        group=said.price_group,
        limit=said.credit_limit,
        ship_to=said.addresses,
    )
