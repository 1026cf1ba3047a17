# SPDX-License-Identifier: Apache-2.0
"""What an order is checked for on channels that say so: pure functions of the order and what is known.

The worker and `POST /v1/orders:validate` ask the same function, `check`. Every failure names field, rule and value, and
the smallest change that would make it pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.party import Address
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.errors import NeedsEdit
from crossdock.orders.check_address import check_address, folded
from crossdock.orders.check_fraud import Fraud, check_fraud
from crossdock.orders.check_lines import Tolerance, check_prices, check_products, check_units
from crossdock.orders.failure import edit
from crossdock.orders.tax import TaxService, check_tax

_ADDRESS_FIELDS = ("street", "street2", "city", "region", "postal_code", "country")


class Checks(Struct, frozen=True, kw_only=True):
    """What orders of a channel are checked for. `credit`: how far back open orders count against the limit, None = not
    checked; `duplicates`: how far back another order that says the same is looked for, None = there may be one;
    `fraud`: what is suspicious, None = nothing; `tax`: who says what tax is due, None = the order's own is taken."""

    customer: bool = False
    product: bool = False
    unit: bool = False
    price: Tolerance | None = None
    terms: bool = False
    credit: timedelta | None = None
    ship_to: bool = False
    duplicates: timedelta | None = None
    address: bool = False
    fraud: Fraud | None = None
    tax: TaxService | None = None

    @property
    def told(self) -> Checks:
        """Those whose failures whoever asks may be told: not how to get by unsuspected."""
        return self if self.fraud is None else replace(self, fraud=None)

    @property
    def ask_others(self) -> bool:
        """Whether other orders must be known."""
        return self.credit is not None or self.duplicates is not None


NO_CHECKS = Checks()


class Others(Struct, frozen=True, kw_only=True):
    """What other orders say. `open`: what the account has open in the order's currency without this order; `alike`: key
    and number of another order that says the same. None: not known, so it is not checked."""

    open: Decimal | None = None
    alike: tuple[str, str] | None = None


NO_OTHERS = Others()


def check(order: SalesOrder, catalog: Catalog, checks: Checks, others: Others = NO_OTHERS) -> list[NeedsEdit]:
    """Everything about `order` that its channel's checks do not let pass. SKUs and customer are ours by now; what is
    unknown is left to `validate` and `prepare`. A cancelled order is not checked: it asks for nothing."""
    if checks == NO_CHECKS or order.status == "cancelled":
        return []
    return [*_check(order, catalog, checks, others)]


def _check(order: SalesOrder, catalog: Catalog, checks: Checks, others: Others) -> Iterator[NeedsEdit]:
    account = catalog.customers.get(order.customer.id)
    if checks.product:
        yield from check_products(order, catalog.products)
    if checks.unit:
        yield from check_units(order, catalog.products)
    if checks.price is not None:
        yield from _prices(order, catalog.products, catalog.book, account, checks.price)
    if account is not None:
        yield from _account(order, account, checks)
        if checks.credit is not None:
            yield from _credit(order, account, others.open)
    if checks.tax is not None:
        yield from check_tax(order, checks.tax)
    if checks.address and order.ship_to is not None:
        yield from check_address(order.ship_to)
    if checks.fraud is not None:
        yield from check_fraud(order, checks.fraud)
    if checks.duplicates is not None and others.alike is not None:
        yield _duplicate(order, others.alike)


def _prices(
    order: SalesOrder,
    products: Mapping[str, ProductFacts],
    book: PriceBook | None,
    account: CustomerFacts | None,
    tolerance: Tolerance,
) -> Iterator[NeedsEdit]:
    if book is not None:
        yield from check_prices(order, products, book, account.group if account is not None else "", tolerance)


def _account(order: SalesOrder, account: CustomerFacts, checks: Checks) -> Iterator[NeedsEdit]:
    name = order.customer.id
    if checks.customer and account.status != "active":
        yield edit(
            "customer.id",
            "customer_blocked",
            name,
            f"customer {name} is {account.status}",
            "release the account, or put another customer",
        )
    if checks.terms:
        yield from _terms(order, account)
    if checks.ship_to and account.ship_to and order.ship_to is not None:
        yield from _ship_to(order.ship_to, account.ship_to, name)


def _terms(order: SalesOrder, account: CustomerFacts) -> Iterator[NeedsEdit]:
    if not order.terms and not account.terms:
        yield edit(
            "terms",
            "terms_known",
            "",
            f"customer {order.customer.id} has no payment terms and the order names none",
            "give the account payment terms",
        )
    elif order.terms and order.terms != account.terms:
        granted = f"has {account.terms}" if account.terms else "has none"
        fix = f"put {account.terms} or leave terms out" if account.terms else "leave terms out"
        fix += f", or give the account {order.terms}"
        yield edit("terms", "terms", order.terms, f"payment terms are {order.terms}, the account {granted}", fix)


def _credit(order: SalesOrder, account: CustomerFacts, in_use: Decimal | None) -> Iterator[NeedsEdit]:
    limit = account.limit
    if limit is None:
        return
    if limit.currency != order.currency:
        reason = f"the credit limit is in {limit.currency}, the order in {order.currency}"
        fix = f"give the account a credit limit in {order.currency}, or put the order in {limit.currency}"
        yield edit("currency", "credit_currency", order.currency, reason, fix)
    elif in_use is not None and in_use + order.total.amount > limit.amount:
        left, needed = limit.amount - in_use, in_use + order.total.amount
        fix = (
            f"raise the credit limit of {order.customer.id} to {needed}, or wait until {needed - limit.amount} is paid"
        )
        if left > 0:
            fix = f"lower the total to {left}, {fix}"
        reason = f"the total is {order.total.amount}, {in_use} of {limit.amount} {limit.currency} credit is in use"
        yield edit("total", "credit_limit", order.total.amount, reason, fix)


def _ship_to(given: Address, known: tuple[Address, ...], customer: str) -> Iterator[NeedsEdit]:
    nearest = min(known, key=lambda one: len(_differences(given, one)))
    differing = _differences(given, nearest)
    if differing:
        put = ", ".join(f"{name} {getattr(nearest, name) or '(empty)'!r}" for name in differing)
        yield edit(
            f"ship_to.{differing[0]}" if len(differing) == 1 else "ship_to",
            "ship_to_known",
            ", ".join(f"{name} {getattr(given, name)!r}" for name in differing),
            f"the address is none of the {len(known)} of customer {customer}",
            f"put {put}, or add the address to the account",
            folded(" ".join(getattr(given, name) for name in _ADDRESS_FIELDS)),
        )


def _differences(one: Address, other: Address) -> list[str]:
    """The fields that differ, beyond case, blanks and points."""
    return [name for name in _ADDRESS_FIELDS if folded(getattr(one, name)) != folded(getattr(other, name))]


def _duplicate(order: SalesOrder, other: tuple[str, str]) -> NeedsEdit:
    key, number = other
    po_number = f"PO number {order.po_number}" if order.po_number else "no PO number"
    return edit(
        "po_number",
        "duplicate",
        order.po_number,
        f"order {number} ({key}) of the same customer says the same: {po_number}, lines and address",
        "dismiss this one, or put another PO number",
        key,
    )
