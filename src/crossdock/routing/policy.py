# SPDX-License-Identifier: Apache-2.0
"""Routing rules and the facts about channels, entities and locations they speak of; compiled from the estate."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class ChannelFacts(Struct, frozen=True, kw_only=True):
    """A channel orders come from. `customer`: the account that orders of unknown customers are booked on, "" = none."""

    name: str
    system: str
    entity: str
    currency: str
    customer: str = ""


class LocationFacts(Struct, frozen=True, kw_only=True):
    """A stock location and the system that fulfills from it; "" = nobody: goods are gone when we hear."""

    name: str
    system: str


class LocationRule(Struct, frozen=True, kw_only=True):
    """Goods that match every given condition go from `location`; the first matching rule decides."""

    location: str
    sku_prefix: str = ""
    country: str = ""
    channel: str = ""

    def matches(self, sku: str, country: str, channel: str) -> bool:
        """Whether a line of `sku` for `country` from `channel` meets every condition given."""
        return (
            sku.startswith(self.sku_prefix)
            and (not self.country or self.country == country)
            and (not self.channel or self.channel == channel)
        )

    def describe(self) -> str:
        """The conditions as a person reads them."""
        parts = [
            f"{name} {value}"
            for name, value in (
                ("SKU begins with", self.sku_prefix),
                ("ships to", self.country),
                ("channel", self.channel),
            )
            if value
        ]
        return " and ".join(parts) or "always"


class Policy(Struct, frozen=True, kw_only=True):
    """Everything routing decides with. `version` is a digest of the rules, recorded with every decision.

    `erp_of`: entity → ERP system. `max_lines`: the most lines an order may have.
    """

    version: str
    channels: Mapping[str, ChannelFacts]
    locations: Mapping[str, LocationFacts]
    erp_of: Mapping[str, str]
    default_location: str
    rules: tuple[LocationRule, ...] = ()
    max_lines: int = 5000
