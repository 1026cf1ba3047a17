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
from crossdock.routing.policy import ChannelFacts, LocationFacts, Policy, RouteRule
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
        RouteRule(location="WEST", sku_prefix="CD-9", country="US"),
        RouteRule(location="COUNTER", channel="shop", country="CA"),
        RouteRule(location="EAST", sku_prefix="CD-9"),
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
        "entity_named": False,
        "entity_passed": [
            {"name": "ca", "why_not": "nothing names it", "would_change": "a rule that names it"},
            {"name": "xx", "why_not": "nothing names it", "would_change": "a rule that names it"},
        ],
        "passed": {
            "EAST": [
                {
                    "name": "WEST",
                    "why_not": "rule 1 names it, and the SKU is CD-1",
                    "would_change": "the SKU begins with CD-9",
                },
                {
                    "name": "COUNTER",
                    "why_not": "rule 2 names it, and it ships to US",
                    "would_change": "it ships to CA",
                },
            ],
        },
    }


def test_the_first_matching_rule_beats_the_products_own_location() -> None:
    decision = routed(order("1", line(1, "CD-91"), line(2, "CD-1")), lambda _: "WEST")
    assert decision.splits == (Split(location="WEST", system="3pl", lines=(0, 1)),)
    assert record(decision)["why"][1] == "location WEST for 2 line(s): rule 1 (SKU begins with CD-9 and ships to US)"


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
    policy = msgspec.structs.replace(POLICY, rules=(RouteRule(location="WEST"),))
    assert record(routed(order(), policy=policy))["why"][1] == "location WEST for 1 line(s): rule 1 (always)"


def others(decision: Routed, chosen: str) -> dict[str, tuple[str, str]]:
    """Why not each of the others, and what would change that; `chosen`: a location, "" = the entity."""
    kept = record(decision)
    found = kept["passed"][chosen] if chosen else kept["entity_passed"]
    return {one["name"]: (one["why_not"], one["would_change"]) for one in found}


def test_it_says_why_nowhere_else_and_what_would_change_that() -> None:
    decision = routed(order("1", line(1, "CD-91")), lambda _: "COUNTER")
    assert others(decision, "WEST") == {
        "COUNTER": ("it is the product's own location, and rule 1 decides before that", "without rules 1 and 3"),
        "EAST": ("rule 3 names it and holds, and rule 1 decides before it", "rule 3 before rule 1"),
    }


def test_a_rule_that_holds_too_late_is_named() -> None:
    policy = msgspec.structs.replace(POLICY, default_location="", rules=(*POLICY.rules, RouteRule(location="COUNTER")))
    found = others(routed(order("1", line(1, "CD-91")), policy=policy), "WEST")
    assert found["COUNTER"] == (
        "rule 4 names it and holds, and rule 1 decides before it",
        "rule 4 before rule 1",
    )
    assert found["EAST"] == ("rule 3 names it and holds, and rule 1 decides before it", "rule 3 before rule 1")


def test_what_the_order_itself_names_comes_before_every_rule() -> None:
    decision = routed(order("1", line(1, "CD-1", location="COUNTER"), entity="ca"))
    assert record(decision)["entity_named"] is True
    assert others(decision, "")["us"] == (
        "it is the entity of channel shop, and the order decides before that",
        "without what the order says",
    )
    assert others(decision, "COUNTER")["WEST"] == (
        "rule 1 names it, and the SKU is CD-1",
        "the SKU begins with CD-9; without what the order says",
    )


def test_a_rule_may_look_at_the_service_and_name_the_entity() -> None:
    rules = (
        RouteRule(location="WEST", service="express", note="the airport is next door"),
        RouteRule(entity="ca", country="CA", sku_prefix="CD-"),
    )
    policy = msgspec.structs.replace(POLICY, rules=rules)
    express = routed(order(service="express"), policy=policy)
    assert (
        record(express)["why"][1] == "location WEST for 1 line(s): rule 1 (service express: the airport is next door)"
    )
    plain = routed(order(), policy=policy)
    assert plain.splits[0].location == "EAST"
    assert others(plain, "EAST")["WEST"] == (
        "rule 1 names it, and the service is none",
        "the service is express",
    )
    canadian = routed(order(ship_to=Address(country="CA")), policy=policy)
    assert (canadian.entity, canadian.erp) == ("ca", "dynamics")
    assert record(canadian)["why"][0] == (
        "entity ca: rule 2 (SKU begins with CD- and ships to CA); ERP dynamics: the ERP of ca"
    )
    mixed = routed(order("1", line(1, "CD-1"), line(2, "XX-1"), ship_to=Address(country="CA")), policy=policy)
    assert mixed.entity == "us"
    assert others(mixed, "")["ca"] == ("rule 2 names it, and the SKU is XX-1", "the SKU begins with CD-")


def test_of_many_foreign_goods_one_is_named() -> None:
    policy = msgspec.structs.replace(POLICY, rules=(RouteRule(entity="ca", sku_prefix="CD-"),))
    mixed = order("1", line(1, "CD-1"), line(2, "XX-1"), line(3, "YY-1"), line(4, "XX-1"))
    assert others(routed(mixed, policy=policy), "")["ca"] == (
        "rule 1 names it, and the SKU is XX-1",
        "the SKU begins with CD-",
    )


def test_an_entity_and_a_location_of_one_name_are_told_apart() -> None:
    policy = msgspec.structs.replace(POLICY, erp_of={"EAST": "netsuite", "us": "netsuite"})
    kept = record(routed(order(entity="EAST"), policy=policy))
    assert [one["name"] for one in kept["entity_passed"]] == ["us"]
    assert [one["name"] for one in kept["passed"]["EAST"]] == ["WEST", "COUNTER"]


def test_what_the_product_says_comes_before_the_default() -> None:
    found = others(routed(order(), lambda _: "COUNTER"), "COUNTER")
    assert found["EAST"] == (
        "it is the default location, and the product's own location decides before that",
        "without the product's own location",
    )


def test_a_condition_that_would_make_an_earlier_rule_hold_is_no_answer_alone() -> None:
    rules = (RouteRule(location="COUNTER", country="CA"), RouteRule(location="WEST", country="CA", service="express"))
    found = others(routed(order(service="express"), policy=msgspec.structs.replace(POLICY, rules=rules)), "EAST")
    assert found["WEST"] == ("rule 2 names it, and it ships to US", "it ships to CA; rule 2 before rule 1")
