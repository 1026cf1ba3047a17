# SPDX-License-Identifier: Apache-2.0
"""Check the tax rules of an estate: what they name is there, each can be reached, and who checks tax has some."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.order_shape import TaxRule
from crossdock.estate.places import at_place, unresolved


def check_tax(estate: Estate) -> Iterator[Finding]:
    """Findings about `tax`, and about channels that check it."""
    rules = estate.tax.rules
    for number, rule in enumerate(rules):
        at = ("tax", "rules", number)
        if rule.entity:
            yield from unresolved(estate, (*at, "entity"), "entities", rule.entity, estate.entities)
        if rule.region and rule.country is None:
            yield at_place(estate, (*at, "region"), "a region is one of a country", "name the country")
        wider = next((before for before in range(number) if _covers(rules[before], rule)), None)
        if wider is not None:
            what = f"rule {wider + 1} fits whatever this one fits, so this one never counts"
            yield at_place(estate, at, what, "put it before that rule, or take it out", "warning")
    for name, checks in estate.checks.items():
        if checks.tax and not rules:
            at_check = ("checks", name, "tax")
            yield at_place(estate, at_check, "there are no tax rules to check by", "add `tax: {rules: [...]}`")


def _covers(one: TaxRule, other: TaxRule) -> bool:
    return (
        one.entity in ("", other.entity)
        and one.country in (None, other.country)
        and one.region in ("", other.region)
        and other.sku_prefix.startswith(one.sku_prefix)
    )
