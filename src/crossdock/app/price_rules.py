# SPDX-License-Identifier: Apache-2.0
"""Which channels are told prices, and which, from the estate."""

from __future__ import annotations

from decimal import Decimal

from crossdock.canonical.money import minor_unit
from crossdock.catalog.shown import PriceRule
from crossdock.estate.compile import CompiledEstate


def prices_wanted(estate: CompiledEstate) -> bool:
    """Whether price lists have to be at hand: orders of a channel are compared with them, or a channel is told them."""
    return bool(estate.declared.price_publication) or any(said.price for said in estate.declared.checks.values())


def price_rules_of(estate: CompiledEstate) -> dict[str, PriceRule]:
    """What each channel that is told prices shows, by channel."""
    rules: dict[str, PriceRule] = {}
    for name, said in estate.declared.price_publication.items():
        channel = estate.declared.channels[name]
        currency = said.currency or channel.currency
        rules[name] = PriceRule(
            channel=name,
            system=channel.system,
            currency=currency,
            group=said.group,
            taxes_included=said.taxes_included,
            step=Decimal(said.round) if said.round else minor_unit(currency),
            prefixes=said.sku_prefixes,
        )
    return rules
