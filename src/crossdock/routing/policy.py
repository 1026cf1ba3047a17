# SPDX-License-Identifier: Apache-2.0
"""Routing rules and the facts about channels, entities and locations they speak of; compiled from the estate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from crossdock.inventory.needs import WhenShort
from crossdock.routing.costs import NodePolicy
from crossdock.routing.intercompany import TransferPrice, price_for


class ChannelFacts(Struct, frozen=True, kw_only=True):
    """A channel orders come from. `customer`: the account that orders of unknown customers are booked on, "" = none.

    `when_short`: what becomes of its orders whose goods are not all there.
    """

    name: str
    system: str
    entity: str
    currency: str
    customer: str = ""
    when_short: WhenShort = "wait"


class LocationFacts(Struct, frozen=True, kw_only=True):
    """A stock location and the system that fulfills from it; "" = nobody: goods are gone when we hear.

    `supplier`: it ships without stock of ours (drop-ship). `entity`: who owns the goods, "" = whoever sells them.
    """

    name: str
    system: str
    supplier: bool = False
    entity: str = ""


class Asked(Struct, frozen=True, gc=False):
    """What rules look at besides the SKU: where an order ships to, its channel and the service it asks for."""

    country: str
    channel: str
    service: str


class RouteRule(Struct, frozen=True, kw_only=True):
    """Goods or orders that meet every given condition go from `location`, or belong to `entity`; the first rule that
    holds decides. `if_short`: only what our stock is short of goes from `location`."""

    location: str = ""
    entity: str = ""
    sku_prefix: str = ""
    country: str = ""
    channel: str = ""
    service: str = ""
    if_short: bool = False
    note: str = ""

    def holds(self, sku: str, asked: Asked) -> bool:
        """Whether goods of `sku` in such an order meet every condition."""
        return (
            sku.startswith(self.sku_prefix)
            and (not self.country or self.country == asked.country)
            and (not self.channel or self.channel == asked.channel)
            and (not self.service or self.service == asked.service)
        )

    def misses(self, sku: str, asked: Asked) -> list[tuple[str, str]]:
        """Each condition that does not hold: what is the case, and what would have to be."""
        compared = (
            (self.country, asked.country, "it ships to {}", "nowhere"),
            (self.channel, asked.channel, "the channel is {}", "none"),
            (self.service, asked.service, "the service is {}", "none"),
        )
        found = [
            (form.format(is_now or nothing), form.format(wanted))
            for wanted, is_now, form, nothing in compared
            if wanted and wanted != is_now
        ]
        if not sku.startswith(self.sku_prefix):
            found.append((f"the SKU is {sku}", f"the SKU begins with {self.sku_prefix}"))
        return found

    def describe(self) -> str:
        """The conditions as a person reads them, and the note of whoever wrote the rule."""
        parts = [
            f"{name} {value}"
            for name, value in (
                ("SKU begins with", self.sku_prefix),
                ("ships to", self.country),
                ("channel", self.channel),
                ("service", self.service),
            )
            if value
        ]
        parts += ["our stock is short"] if self.if_short else []
        return (" and ".join(parts) or "always") + (f": {self.note}" if self.note else "")


class Policy(Struct, frozen=True, kw_only=True):
    """Everything routing decides with. `version` is a digest of the rules, recorded with every decision.

    `erp_of`: entity → ERP system. `max_lines`: the most lines an order may have. `nodes`: how a location is chosen
    among those that have the goods. `transfer_prices`: what entities pay each other; the first that fits counts.
    """

    version: str
    channels: Mapping[str, ChannelFacts]
    locations: Mapping[str, LocationFacts]
    erp_of: Mapping[str, str]
    default_location: str
    rules: tuple[RouteRule, ...] = ()
    max_lines: int = 5000
    nodes: NodePolicy = NodePolicy()
    transfer_prices: tuple[TransferPrice, ...] = ()

    def trades(self, seller: str, locations: Iterable[str]) -> list[str]:
        """What is sold between entities when `seller` ships from these locations, in words."""
        owners = {name: self.locations[name].entity for name in locations if name in self.locations}
        return [
            f"intercompany: {owner} sells what leaves {name} to {seller}"
            f" at {price_for(self.transfer_prices, seller, owner).percent} % of the net price"
            for name, owner in owners.items()
            if owner not in ("", seller)
        ]
