# SPDX-License-Identifier: Apache-2.0
"""The routing section of an estate as routing takes it."""

from __future__ import annotations

from datetime import time
from decimal import Decimal

from crossdock.estate.compile import CompiledEstate
from crossdock.estate.routing import Location, LocationCutOff, Routing
from crossdock.routing.costs import CutOff, NodePolicy, Rate
from crossdock.routing.intercompany import TransferPrice
from crossdock.routing.policy import ChannelFacts, LocationFacts, Policy, RouteRule

_DAYS = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}


def policy_of(estate: CompiledEstate) -> Policy:
    """The routing rules as routing takes them."""
    declared, routing = estate.declared, estate.routing
    return Policy(
        version=estate.rules_version,
        channels={
            name: ChannelFacts(
                name=name,
                system=channel.system,
                entity=channel.entity,
                currency=channel.currency,
                customer=channel.customer,
                when_short=channel.back_order,
            )
            for name, channel in declared.channels.items()
        },
        locations={
            name: LocationFacts(name=name, system=where.system, supplier=where.kind == "drop_ship", entity=where.entity)
            for name, where in declared.locations.items()
        },
        erp_of={name: entity.erp for name, entity in declared.entities.items()},
        default_location=routing.default_location,
        rules=tuple(
            RouteRule(
                location=rule.location,
                entity=rule.entity,
                sku_prefix=rule.when.sku_prefix,
                country=rule.when.country or "",
                channel=rule.when.channel,
                service=rule.when.service,
                if_short=rule.when.stock == "short",
                note=rule.note,
            )
            for rule in routing.rules
        ),
        max_lines=routing.max_lines,
        nodes=_nodes(routing, declared.locations),
        transfer_prices=tuple(
            TransferPrice(
                percent=_decimal(one.percent),
                seller=one.seller,
                owner=one.owner,
                customer=one.customer,
                supplier=one.supplier,
            )
            for one in routing.intercompany
        ),
    )


def _nodes(routing: Routing, locations: dict[str, Location]) -> NodePolicy:
    said = routing.policy
    return NodePolicy(
        prefer=said.prefer,
        currency=said.currency if said.costs else "",
        rates=tuple(
            Rate(
                location=row.location,
                to=frozenset(said.zones.get(row.to, (row.to,) if row.to else ())),
                shipment=_decimal(row.shipment),
                unit=_decimal(row.unit),
            )
            for row in said.costs
        ),
        handling={name: _decimal(where.handling) for name, where in locations.items() if where.handling},
        cut_offs={name: _cut_off(where.cut_off) for name, where in locations.items() if where.cut_off is not None},
    )


def _cut_off(said: LocationCutOff) -> CutOff:
    hour, _, minute = said.at.partition(":")
    return CutOff(
        at=time(int(hour), int(minute)),
        time_zone=said.time_zone,
        days=frozenset(_DAYS[day] for day in said.days),
    )


def _decimal(number: float) -> Decimal:
    return Decimal(str(number))
