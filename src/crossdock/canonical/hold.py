# SPDX-License-Identifier: Apache-2.0
"""Holds as data: the checks of an order that somebody may let through. Whatever else fails is a fault."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from msgspec import Struct

HoldKind = Literal["address", "credit", "duplicate", "fraud", "price", "stock"]
KINDS: tuple[str, ...] = get_args(HoldKind)


class Hold(Struct, frozen=True):
    """What a check holds an order by. Not `releasable`: nobody's word makes it true, as goods that are not there."""

    kind: HoldKind
    releasable: bool = True


HOLDS: Mapping[str, Hold] = MappingProxyType(
    {
        "order.address_complete": Hold("address"),
        "order.contract_price": Hold("price"),
        "order.credit_currency": Hold("credit"),
        "order.credit_limit": Hold("credit"),
        "order.customer_blocked": Hold("credit"),
        "order.duplicate": Hold("duplicate"),
        "order.fraud_above": Hold("fraud"),
        "order.fraud_addresses": Hold("fraud"),
        "order.fraud_country": Hold("fraud"),
        "order.fraud_unknown_account": Hold("fraud"),
        "order.price_known": Hold("price"),
        "order.ship_to_known": Hold("address"),
        "order.stock": Hold("stock", releasable=False),
        "order.tax": Hold("price"),
        "order.tax_known": Hold("price"),
        "order.terms": Hold("credit"),
        "order.terms_known": Hold("credit"),
    }
)
"""Rule → the hold that its failures are."""
