# SPDX-License-Identifier: Apache-2.0
"""Orders go where the rules say, and the decision says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from crossdock.canonical.party import Address
from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import NeedsConfig
from crossdock.journal.decided import Routed, Split
from crossdock.routing.policy import ChannelFacts, LocationFacts, LocationRule, Policy
from crossdock.routing.route import route
from tests.orders.making import line, order

POLICY = Policy(
    version="rules/7",
    channels={"shop": ChannelFacts(name="shop", system="shop", entity="us", currency="USD")},
    locations={
        "EAST": LocationFacts(name="EAST", system="warehouse"),
        "WEST": LocationFacts(name="WEST", system="3pl"),
        "COUNTER": LocationFacts(name="COUNTER", system=""),
    },
    erp_of={"us": "netsuite", "ca": "dynamics", "xx": ""},
    default_location="EAST",
    rules=(
        LocationRule(location="WEST", sku_prefix="CD-9", country="US"),
        LocationRule(location="COUNTER", channel="shop", country="CA"),
        LocationRule(location="EAST", sku_prefix="CD-9"),
    ),
)


def nothing(_: str) -> str:
    return ""


def routed(given: SalesOrder, own: Callable[[str], str] = nothing, policy: Policy = POLICY) -> Routed:
    return route(given, policy, own, lambda sku: not sku.startswith("SVC"))


def record(decision: Routed) -> dict[str, Any]:
    return msgspec.json.decode(decision.record, type=dict[str, Any])


def test_the_default_location_takes_what_nothing_else_claims() -> None:
    decision = routed(order())
    assert (decision.entity, decision.erp, decision.rules) == ("us", "netsuite", "rules/7")
    assert decision.splits == (Split(location="EAST", system="warehouse", lines=(0,)),)
    assert record(decision) == {
        "entity": "us",
        "erp": "netsuite",
        "locations": {"EAST": ["1"]},
        "why": [
            "entity us: channel shop belongs to it; ERP netsuite: the ERP of us",
            "location EAST for 1 line(s): it is the default location and neither a rule nor the product says otherwise",
        ],
        "rules": "rules/7",
    }


def test_the_first_matching_rule_beats_the_products_own_location() -> None:
    decision = routed(order("1", line(1, "CD-91"), line(2, "CD-1")), lambda _: "WEST")
    assert decision.splits == (Split(location="WEST", system="3pl", lines=(0, 1)),)
    assert record(decision)["why"][1] == "location WEST for 2 line(s): rule: SKU begins with CD-9 and ships to US"


def test_a_later_rule_decides_when_the_first_does_not_match() -> None:
    abroad = order("1", line(1, "CD-91"), ship_to=Address(country="DE"))
    assert [split.location for split in routed(abroad, lambda _: "WEST").splits] == ["EAST"]


def test_a_line_that_names_its_location_goes_from_there() -> None:
    decision = routed(order("1", line(1, "CD-91", location="EAST")), lambda _: "WEST")
    assert record(decision)["why"][1] == "location EAST for 1 line(s): the order names it"


def test_an_order_is_split_by_location_and_every_line_goes_once() -> None:
    lines = (line(1, "CD-91"), line(2, "CD-1"), line(3, "SVC-1"), line(4, "CD-92"), line(5, "CD-2"))
    decision = routed(order("1", *lines), lambda sku: "WEST" if sku == "CD-2" else "")
    assert decision.splits == (
        Split(location="EAST", system="warehouse", lines=(1,)),
        Split(location="WEST", system="3pl", lines=(0, 3, 4)),
    )
    assert record(decision)["locations"] == {"EAST": ["2"], "WEST": ["1", "4", "5"]}


def test_services_need_no_location() -> None:
    decision = routed(order("1", line(1, "SVC-1"), ship_to=None))
    assert decision.splits == ()
    assert record(decision)["why"][1] == "no goods to ship: no line is a stocked product"


def test_a_location_nobody_fulfills_from_has_no_system() -> None:
    decision = routed(order(ship_to=Address(country="CA")))
    assert decision.splits == (Split(location="COUNTER", system="", lines=(0,)),)
    assert "ships to CA and channel shop" in record(decision)["why"][1]


def test_the_order_may_name_its_entity() -> None:
    assert routed(order(entity="ca")).erp == "dynamics"


@pytest.mark.parametrize("entity", ["xx", "mars"])
def test_an_entity_without_an_erp_needs_configuration(entity: str) -> None:
    with pytest.raises(NeedsConfig, match=f"entity '{entity}' has no ERP") as caught:
        routed(order(entity=entity))
    assert caught.value.field == f"entities.{entity}.erp"


def test_an_unknown_location_needs_configuration() -> None:
    with pytest.raises(NeedsConfig, match="location 'MOON' is not in the estate") as caught:
        routed(order("1", line(1, location="MOON")))
    assert (caught.value.field, caught.value.value) == ("locations", "MOON")


def test_a_rule_without_conditions_always_matches() -> None:
    policy = msgspec.structs.replace(POLICY, rules=(LocationRule(location="WEST"),))
    assert record(routed(order(), policy=policy))["why"][1] == "location WEST for 1 line(s): rule: always"
