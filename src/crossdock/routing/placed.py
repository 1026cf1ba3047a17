# SPDX-License-Identifier: Apache-2.0
"""Say in a routing decision where stock made the goods leave from, why, and what was free when that was decided."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from crossdock.canonical.money import Money
from crossdock.canonical.sales_order import SalesOrder
from crossdock.inventory.allocate import Granted
from crossdock.inventory.level import Level, Levels, Pair
from crossdock.journal.decided import Routed
from crossdock.routing.passed import Passed
from crossdock.routing.policy import Policy
from crossdock.routing.route import DecisionRecord, decision_of

MOST_SEEN = 200
"""Levels that are kept with a decision; an order that looked at more keeps none."""


def placed(order: SalesOrder, routed: Routed, granted: Granted, policy: Policy) -> bytes:
    """The record of `routed` with where the goods of `order` leave from, as JSON."""
    record = decision_of(routed.record)
    units = {
        split.location: sum((quantity.value for quantity in split.quantities), Decimal(0)) for split in granted.splits
    }
    # What no system ships is not allocated, and stays where it was routed.
    elsewhere = {split.location: split.lines for split in routed.splits if not split.system}
    indexes = {**elsewhere, **{split.location: split.lines for split in granted.splits}}
    places = {name: [order.lines[index].line for index in indexes[name]] for name in sorted(indexes)}
    routed_to = {index: split.location for split in routed.splits for index in split.lines}
    reasons = dict(zip(record.locations, (why.partition(": ")[2] for why in record.why[1:]), strict=False))
    why = [
        f"location {name} for {len(lines)} line(s): {_why(name, indexes[name], granted, routed_to, reasons)}"
        for name, lines in places.items()
    ]
    placing = granted.placing
    chosen = " + ".join(sorted({place for takes in placing.takes for place, _ in takes}))
    passed = {**({} if placing.why else record.passed)}
    if placing.why and placing.passed:
        passed[chosen or "nothing"] = tuple(Passed(*one) for one in placing.passed)
    waiting = [
        f"back-ordered: {need.quantity} {need.unit} of {need.sku} (line {need.line}) ships when goods have come"
        for need in granted.waiting
    ]
    return msgspec.json.encode(
        replace(
            record,
            locations=places,
            why=(
                record.why[0],
                *(why or (() if waiting else record.why[1:])),
                *waiting,
                *policy.trades(record.entity, places),
            ),
            passed=passed,
            units=units,
            seen=_seen(granted.seen),
            cost=UNSET if placing.cost is None or not placing.why else Money(placing.cost, placing.currency),
        )
    )


def _why(
    name: str,
    indexes: tuple[int, ...],
    granted: Granted,
    routed_to: Mapping[int, str],
    reasons: Mapping[str, str],
) -> str:
    if granted.supplied.intersection(indexes) and any(routed_to.get(index) != name for index in indexes):
        return "our stock is short of it, and a rule names this location for that"
    if granted.placing.why and not granted.supplied.issuperset(indexes):
        return granted.placing.why
    moved = next((routed_to[index] for index in indexes if routed_to.get(index, name) != name), None)
    if moved is None:
        return reasons.get(name, "it has the goods")
    if name in routed_to.values() and reasons.get(name):
        return f"{reasons[name]}; and {moved} has not all of what was routed there"
    return f"{moved} has not all of what was routed there ({reasons.get(moved, 'as routed')})"


def _seen(seen: Mapping[Pair, Decimal]) -> dict[str, dict[str, Decimal]] | UnsetType:
    if len(seen) > MOST_SEEN:
        return UNSET
    found: dict[str, dict[str, Decimal]] = {}
    for (sku, location), quantity in seen.items():
        found.setdefault(sku, {})[location] = quantity
    return found


def as_seen(record: DecisionRecord, pairs: set[Pair]) -> Levels | None:
    """Levels of `pairs` as they were when a decision was made; None when it did not note them."""
    if record.seen is UNSET:
        return None
    there = [Level(sku, location, quantity) for sku, at in record.seen.items() for location, quantity in at.items()]
    return Levels(there, pairs | {(level.sku, level.location) for level in there})
