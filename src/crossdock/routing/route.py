# SPDX-License-Identifier: Apache-2.0
"""Route an order (Content-Based Router, Splitter) and say why it goes where it goes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.errors import NeedsConfig
from crossdock.journal.decided import Routed, Split
from crossdock.routing.policy import Policy


class DecisionRecord(Struct, frozen=True, kw_only=True):
    """What is kept of a decision: choices, lines by location, and `why`: one sentence per choice."""

    entity: str
    erp: str
    locations: dict[str, list[str]]
    why: tuple[str, ...]
    rules: str


def route(
    order: SalesOrder, policy: Policy, default_location: Callable[[str], str], stocked: Callable[[str], bool]
) -> Routed:
    """Decide entity, ERP and fulfillment locations of `order`.

    `default_location(sku)` is the product's own location or ""; `stocked(sku)`: whether it is goods at all.
    Raises NeedsConfig when the estate names no ERP for the entity or no such location.
    """
    channel = policy.channels[order.channel]
    entity = order.entity or channel.entity
    erp = policy.erp_of.get(entity, "")
    if not erp:
        raise NeedsConfig(
            f"entity {entity!r} has no ERP",
            field=f"entities.{entity}.erp",
            fix="name its ERP system in the estate file",
        )
    why = [f"entity {entity}: channel {order.channel} belongs to it; ERP {erp}: the ERP of {entity}"]
    by_location: dict[str, list[int]] = {}
    reasons: dict[str, str] = {}
    country = order.ship_to.country if order.ship_to is not None else ""
    for index, line in enumerate(order.lines):
        if not stocked(line.sku):
            continue
        location, reason = _location_of(line, country, order.channel, policy, default_location)
        by_location.setdefault(location, []).append(index)
        reasons.setdefault(location, reason)
    splits = tuple(_split(location, tuple(lines), policy) for location, lines in sorted(by_location.items()))
    why += [f"location {split.location} for {len(split.lines)} line(s): {reasons[split.location]}" for split in splits]
    if not splits:
        why.append("no goods to ship: no line is a stocked product")
    record = DecisionRecord(
        entity=entity,
        erp=erp,
        locations={split.location: [order.lines[index].line for index in split.lines] for split in splits},
        why=tuple(why),
        rules=policy.version,
    )
    return Routed(entity=entity, erp=erp, splits=splits, record=msgspec.json.encode(record), rules=policy.version)


def _location_of(
    line: OrderLine, country: str, channel: str, policy: Policy, default_location: Callable[[str], str]
) -> tuple[str, str]:
    if line.location:
        return line.location, "the order names it"
    for rule in policy.rules:
        if rule.matches(line.sku, country, channel):
            return rule.location, f"rule: {rule.describe()}"
    own = default_location(line.sku)
    if own:
        return own, "it is the product's own location and no rule says otherwise"
    return policy.default_location, "it is the default location and neither a rule nor the product says otherwise"


def _split(location: str, lines: tuple[int, ...], policy: Policy) -> Split:
    facts = policy.locations.get(location)
    if facts is None:
        raise NeedsConfig(
            f"location {location!r} is not in the estate",
            field="locations",
            value=location,
            fix="add it to the estate's locations, or mend the routing rule or product that names it",
        )
    return Split(location=location, system=facts.system, lines=lines)
