# SPDX-License-Identifier: Apache-2.0
"""Route an order (Content-Based Router, Splitter) and say why it goes where it goes, why nowhere else, and what would
have changed that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from crossdock.canonical.money import Money
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.errors import NeedsConfig
from crossdock.journal.decided import Routed, Split
from crossdock.routing.passed import Choice, Passed, entities_passed, locations_passed
from crossdock.routing.policy import Asked, LocationFacts, Policy


class DecisionRecord(Struct, frozen=True, kw_only=True):
    """What is kept of a decision: choices, lines by location, and `why`: one sentence per choice.

    `entity_named`: the order came with its entity; None: nobody noted whether it did. `entity_passed`: entities that
    were not chosen. `passed`: locations that were not, by the one that was (as for the first of its lines); of older
    records also entities.

    Where stock was allocated: `units`: how many base units left from each location; `seen`: SKU → location → what was
    free there, left out of large orders; `cost` of shipping it so, where that is known.
    """

    entity: str = ""
    erp: str = ""
    locations: dict[str, list[str]] = {}
    why: tuple[str, ...] = ()
    rules: str = ""
    entity_named: bool | None = None
    entity_passed: tuple[Passed, ...] = ()
    passed: dict[str, tuple[Passed, ...]] = {}
    units: dict[str, Decimal] | UnsetType = UNSET
    seen: dict[str, dict[str, Decimal]] | UnsetType = UNSET
    cost: Money | UnsetType = UNSET

    def passed_by_choice(self) -> list[tuple[str, tuple[Passed, ...]]]:
        """What was not chosen beside what was chosen instead: the entity first, then each location."""
        return [*([(self.entity, self.entity_passed)] if self.entity_passed else []), *self.passed.items()]


_RECORD = msgspec.json.Decoder(DecisionRecord)


def decision_of(record: bytes) -> DecisionRecord:
    """A decision as it was kept; fields that an older version did not write are as by default."""
    return _RECORD.decode(record)


def route(
    order: SalesOrder, policy: Policy, default_location: Callable[[str], str], stocked: Callable[[str], bool]
) -> Routed:
    """Decide entity, ERP and fulfillment locations of `order`.

    `default_location(sku)` is the product's own location or ""; `stocked(sku)`: whether it is goods at all.
    Raises NeedsConfig when the estate names no ERP for the entity or no such location.
    """
    country = order.ship_to.country if order.ship_to is not None else ""
    asked = Asked(country, order.channel, order.service)
    goods = [(index, line) for index, line in enumerate(order.lines) if stocked(line.sku)]
    entity = _entity_of(order, policy, asked, [line.sku for _, line in goods])
    erp = policy.erp_of.get(entity.name, "")
    if not erp:
        raise NeedsConfig(
            f"entity {entity.name!r} has no ERP",
            field=f"entities.{entity.name}.erp",
            fix="name its ERP system in the estate file",
        )
    why = [f"entity {entity.name}: {entity.why}; ERP {erp}: the ERP of {entity.name}"]
    by_location: dict[str, list[int]] = {}
    chosen: dict[str, tuple[Choice, str, str]] = {}
    ruled: dict[int, str] = {}
    if_short: dict[int, str] = {}
    for index, line in goods:
        own = default_location(line.sku)
        choice = _location_of(line, asked, policy, own)
        if choice.rule:
            ruled[index] = choice.name
        supplier = "" if line.location else _if_short(line.sku, asked, policy)
        if supplier:
            if_short[index] = supplier
        by_location.setdefault(choice.name, []).append(index)
        chosen.setdefault(choice.name, (choice, line.sku, own))
    splits = tuple(_split(location, tuple(lines), policy) for location, lines in sorted(by_location.items()))
    why += [f"location {one.location} for {len(one.lines)} line(s): {chosen[one.location][0].why}" for one in splits]
    why += [] if splits else ["no goods to ship: no line is a stocked product"]
    why += policy.trades(entity.name, [split.location for split in splits])
    passed = {
        location: locations_passed(choice, policy, asked, sku, own) for location, (choice, sku, own) in chosen.items()
    }
    record = DecisionRecord(
        entity=entity.name,
        erp=erp,
        locations={split.location: [order.lines[index].line for index in split.lines] for split in splits},
        why=tuple(why),
        rules=policy.version,
        entity_named=bool(order.entity),
        entity_passed=entities_passed(entity, policy, asked, [line.sku for _, line in goods]),
        passed={name: others for name, others in passed.items() if others},
    )
    return Routed(
        entity=entity.name,
        erp=erp,
        splits=splits,
        record=msgspec.json.encode(record),
        rules=policy.version,
        ruled=ruled,
        if_short=if_short,
    )


def _entity_of(order: SalesOrder, policy: Policy, asked: Asked, skus: Sequence[str]) -> Choice:
    if order.entity:
        return Choice(order.entity, "the order names it", "the order")
    for number, rule in enumerate(policy.rules, 1):
        # An order belongs to one entity: a rule about SKUs has to hold for all its goods.
        if rule.entity and all(rule.holds(sku, asked) for sku in skus or ("",)):
            return Choice(rule.entity, f"rule {number} ({rule.describe()})", f"rule {number}", number)
    entity = policy.channels[order.channel].entity
    return Choice(entity, f"channel {order.channel} belongs to it", f"the entity of channel {order.channel}")


def _location_of(line: OrderLine, asked: Asked, policy: Policy, own: str) -> Choice:
    if line.location:
        return Choice(line.location, "the order names it", "the order")
    for number, rule in enumerate(policy.rules, 1):
        if rule.location and not rule.if_short and rule.holds(line.sku, asked):
            return Choice(rule.location, f"rule {number} ({rule.describe()})", f"rule {number}", number)
    if own:
        return Choice(own, "it is the product's own location and no rule says otherwise", "the product's own location")
    return Choice(
        policy.default_location,
        "it is the default location and neither a rule nor the product says otherwise",
        "the default location",
    )


def _if_short(sku: str, asked: Asked, policy: Policy) -> str:
    """The location that ships goods which our stock is short of; "" = none."""
    for rule in policy.rules:
        if rule.if_short and rule.holds(sku, asked):
            return _known(rule.location, policy).name
    return ""


def _split(location: str, lines: tuple[int, ...], policy: Policy) -> Split:
    return Split(location=location, system=_known(location, policy).system, lines=lines)


def _known(location: str, policy: Policy) -> LocationFacts:
    facts = policy.locations.get(location)
    if facts is None:
        raise NeedsConfig(
            f"location {location!r} is not in the estate",
            field="locations",
            value=location,
            fix="add it to the estate's locations, or mend the routing rule or product that names it",
        )
    return facts
