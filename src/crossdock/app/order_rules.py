# SPDX-License-Identifier: Apache-2.0
"""What orders are checked for and what is let through, as orders take it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from crossdock.estate.compile import CompiledEstate
from crossdock.estate.durations import duration
from crossdock.estate.order_shape import FraudChecks
from crossdock.orders.check_fraud import Fraud
from crossdock.orders.check_lines import Tolerance
from crossdock.orders.checks import Checks
from crossdock.orders.holds import ReleaseRule
from crossdock.orders.tax import TaxRate, TaxRule, TaxTable


def checks_of(estate: CompiledEstate) -> dict[str, Checks]:
    """What orders of each channel are checked for besides what every order is."""
    pricing = estate.declared.pricing
    tolerance = Tolerance(percent=Decimal(str(pricing.percent)), amount=Decimal(str(pricing.amount)))
    channels, tax = estate.declared.channels, tax_of(estate)
    return {
        name: Checks(
            customer=said.customer,
            product=said.product,
            unit=said.unit,
            price=tolerance if said.price else None,
            terms=said.terms,
            credit=timedelta(days=said.credit_days) if said.credit else None,
            ship_to=said.ship_to,
            duplicates=duration(said.duplicates_within) if said.duplicates_within else None,
            address=said.address,
            tax=tax if said.tax else None,
            fraud=None if said.fraud is None else _fraud(said.fraud, channels[name].customer),
        )
        for name, said in estate.declared.checks.items()
    }


def releases_of(estate: CompiledEstate) -> tuple[ReleaseRule, ...]:
    """The standing releases, in the order of the file."""
    return tuple(
        ReleaseRule(
            number=number,
            rule=said.rule,
            reason=said.reason,
            channel=said.channel,
            customer=said.customer,
            total_below=_amount(said.total_below),
        )
        for number, said in enumerate(estate.declared.orders.release, 1)
    )


def tax_of(estate: CompiledEstate) -> TaxTable | None:
    """The tax table; None when the estate has no rules."""
    rules = estate.declared.tax.rules
    if not rules:
        return None
    return TaxTable(
        tuple(
            TaxRule(
                rate=TaxRate(Decimal(str(said.percent)), said.code),
                entity=said.entity,
                country=said.country or "",
                region=said.region,
                sku_prefix=said.sku_prefix,
            )
            for said in rules
        )
    )


def _fraud(said: FraudChecks, default_account: str) -> Fraud:
    return Fraud(
        above=_amount(said.above),
        countries=frozenset(said.countries),
        addresses_differ=said.addresses_differ,
        unknown_account_above=_amount(said.unknown_account_above) if default_account else None,
        default_account=default_account,
    )


def _amount(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))
