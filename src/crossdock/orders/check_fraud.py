# SPDX-License-Identifier: Apache-2.0
"""Check an order for what fraud looks like: a large total, a country, an address that is not the payer's, no account.

Pure. These failures are holds: a person, or a standing rule, lets good orders through.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from crossdock.canonical.party import Address
from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import NeedsEdit
from crossdock.orders.check_address import folded
from crossdock.orders.failure import edit

_COMPARED = ("street", "city", "postal_code", "country")


class Fraud(Struct, frozen=True, kw_only=True):
    """What is suspicious. Totals are in the order's currency, None = of no matter: above `above`; above
    `unknown_account_above` when the buyer has no account and the order is booked on `default_account`. `countries`:
    where it goes to (ISO 3166-1). `addresses_differ`: goods go elsewhere than the invoice."""

    above: Decimal | None = None
    countries: frozenset[str] = frozenset()
    addresses_differ: bool = False
    unknown_account_above: Decimal | None = None
    default_account: str = ""


def check_fraud(order: SalesOrder, fraud: Fraud) -> Iterator[NeedsEdit]:
    """Everything about `order`, which has our account, that `fraud` names."""
    total = order.total.amount
    if fraud.above is not None and total > fraud.above:
        reason = f"the total is {total} {order.currency}, more than {fraud.above} is looked at"
        yield edit("total", "fraud_above", total, reason, f"lower the total to {fraud.above}")
    most = fraud.unknown_account_above
    if most is not None and total > most and order.customer.id == fraud.default_account:
        reason = f"the buyer has no account, and the total is {total} {order.currency}, more than {most}"
        yield edit("total", "fraud_unknown_account", total, reason, f"lower the total to {most}, or open an account")
    ship_to = order.ship_to
    if ship_to is None:
        return
    if ship_to.country in fraud.countries:
        reason = f"orders to {ship_to.country} are looked at"
        yield edit("ship_to.country", "fraud_country", ship_to.country, reason, "have it shipped to another country")
    if fraud.addresses_differ and order.bill_to is not None:
        yield from _differing(ship_to, order.bill_to)


def _differing(ship_to: Address, bill_to: Address) -> Iterator[NeedsEdit]:
    names = [name for name in _COMPARED if folded(getattr(ship_to, name)) != folded(getattr(bill_to, name))]
    if names:
        put = ", ".join(f"{name} {getattr(bill_to, name) or '(empty)'!r}" for name in names)
        yield edit(
            f"ship_to.{names[0]}" if len(names) == 1 else "ship_to",
            "fraud_addresses",
            ", ".join(f"{name} {getattr(ship_to, name)!r}" for name in names),
            f"goods go elsewhere than the invoice: {', '.join(names)} {'differs' if len(names) == 1 else 'differ'}",
            f"put {put}",
            folded(" ".join(getattr(ship_to, name) for name in _COMPARED)),
        )
