# SPDX-License-Identifier: Apache-2.0
"""What a decision says would have changed it does: whoever does all of it gets what was passed over."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.party import Address
from crossdock.canonical.sales_order import SalesOrder
from crossdock.routing.policy import ChannelFacts, LocationFacts, Policy, RouteRule
from crossdock.routing.route import DecisionRecord, decision_of, route
from tests.orders.making import line, order

PLACES = ("EAST", "WEST", "NORTH")
ENTITIES = ("us", "ca", "mx")
CHANNELS = ("shop", "web")
SKUS = ("CD-91", "CD-1", "XX-1")


class Case(Struct, frozen=True):
    """An order, the rules it is routed by and where its goods are at home."""

    order: SalesOrder
    policy: Policy
    own: str

    def decide(self) -> DecisionRecord:
        return decision_of(route(self.order, self.policy, lambda _: self.own, lambda _: True).record)

    def ruled(self, rules: list[RouteRule]) -> Case:
        return replace(self, policy=replace(self.policy, rules=tuple(rules)))


rule = st.builds(
    RouteRule,
    location=st.sampled_from(("", *PLACES)),
    entity=st.sampled_from(("", *ENTITIES)),
    sku_prefix=st.sampled_from(("", "CD-", "CD-9", "XX-")),
    country=st.sampled_from(("", "US", "CA")),
    channel=st.sampled_from(("", *CHANNELS)),
    service=st.sampled_from(("", "express")),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Orders of one to three lines, all of which may name a location, under up to five rules."""
    skus = draw(st.lists(st.sampled_from(SKUS), min_size=1, max_size=3))
    place = draw(st.sampled_from(("", "", *PLACES)))
    made = order(
        "1",
        *(line(number, sku, location=place) for number, sku in enumerate(skus, 1)),
        channel=draw(st.sampled_from(CHANNELS)),
        entity=draw(st.sampled_from(("", "", *ENTITIES))),
        service=draw(st.sampled_from(("", "express"))),
        ship_to=Address(country=draw(st.sampled_from(("US", "CA", "DE")))),
    )
    policy = Policy(
        version="rules/1",
        channels={
            name: ChannelFacts(name=name, system=name, entity=entity, currency="USD")
            for name, entity in zip(CHANNELS, ENTITIES, strict=False)
        },
        locations={name: LocationFacts(name=name, system="warehouse") for name in PLACES},
        erp_of=dict.fromkeys(ENTITIES, "erp"),
        default_location=draw(st.sampled_from(PLACES)),
        rules=tuple(draw(st.lists(rule, max_size=5))),
    )
    return Case(made, policy, draw(st.sampled_from(("", *PLACES))))


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def changed(case: Case, told: str, new: RouteRule, unsaid: Callable[[SalesOrder], SalesOrder]) -> Case:
    """`case` after one of the things that would change it. `new`: a rule that names what was passed over."""
    rules = list(case.policy.rules)
    if told == "without what the order says":
        return replace(case, order=unsaid(case.order))
    if told == "without the product's own location":
        return replace(case, own="")
    if told.startswith("without rule"):
        return case.ruled([one for number, one in enumerate(rules, 1) if number not in numbers(told)])
    if told.startswith("a rule that names it"):
        before = numbers(told) or [len(rules) + 1]
        return case.ruled([*rules[: before[0] - 1], new, *rules[before[0] - 1 :]])
    if told.startswith("rule "):
        moved, before_rule = numbers(told)
        left = [one for number, one in enumerate(rules, 1) if number != moved]
        return case.ruled([*left[: before_rule - 1], rules[moved - 1], *left[before_rule - 1 :]])
    said, _, value = told.rpartition(" ")
    if said == "it ships to":
        return replace(case, order=replace(case.order, ship_to=Address(country=value)))
    if said == "the channel is":
        return replace(case, order=replace(case.order, channel=value))
    if said == "the service is":
        return replace(case, order=replace(case.order, service=value))
    assert said == "the SKU begins with", told
    lines = (one if one.sku.startswith(value) else replace(one, sku=value) for one in case.order.lines)
    return replace(case, order=replace(case.order, lines=tuple(lines)))


def after(case: Case, would_change: str, new: RouteRule, unsaid: Callable[[SalesOrder], SalesOrder]) -> DecisionRecord:
    for told in would_change.split("; "):
        case = changed(case, told, new, unsaid)
    return case.decide()


def no_entity(one: SalesOrder) -> SalesOrder:
    return replace(one, entity="")


def no_location(one: SalesOrder) -> SalesOrder:
    return replace(one, lines=tuple(replace(each, location="") for each in one.lines))


@given(cases())
def test_whoever_does_what_would_change_it_gets_what_was_passed_over(case: Case) -> None:
    record = case.decide()
    assert {one.name for one in record.entity_passed} == {*ENTITIES} - {record.entity}
    for passed in record.entity_passed:
        found = after(case, passed.would_change, RouteRule(entity=passed.name), no_entity)
        assert found.entity == passed.name, passed
    for chosen, others in record.passed.items():
        assert {one.name for one in others} == {*PLACES} - {chosen}
        for passed in others:
            found = after(case, passed.would_change, RouteRule(location=passed.name), no_location)
            assert record.locations[chosen][0] in found.locations[passed.name], passed
