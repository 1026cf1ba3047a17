# SPDX-License-Identifier: Apache-2.0
"""Orders decided again by other rules: what would move, and its money."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.canonical.party import Address
from crossdock.canonical.sales_order import SalesOrder
from crossdock.routing.policy import Policy, RouteRule
from crossdock.routing.redecide import Move, as_it_came, redecide
from crossdock.routing.route import decision_of, route
from tests.orders.making import line, order
from tests.routing.test_route import POLICY, nothing


def stocked(_: str) -> bool:
    return True


def moves(given_order: SalesOrder, rules: tuple[RouteRule, ...], before: Policy = POLICY) -> list[Move]:
    """What other rules would move of an order that was decided on and enriched."""
    decided = route(given_order, before, nothing, stocked)
    enriched = msgspec.structs.replace(given_order, entity=decided.entity)
    after = msgspec.structs.replace(before, rules=rules)
    return redecide(enriched, decision_of(decided.record), after, nothing, stocked).moves


def test_lines_that_would_leave_from_elsewhere_are_named_with_their_money() -> None:
    two = order("7", line(1, "CD-1"), line(2, "CD-2"), line(3, "XX-1"))
    [move] = moves(two, (*POLICY.rules, RouteRule(location="WEST", sku_prefix="CD-")))
    assert (move.kind, move.before, move.after, move.lines) == ("location", "EAST", "WEST", ("1", "2"))
    assert move.amount == two.lines[0].total.amount + two.lines[1].total.amount
    assert move.why == "location WEST for 2 line(s): rule 4 (SKU begins with CD-)"


def test_an_order_that_would_belong_to_another_entity_moves_whole() -> None:
    abroad = order("7", ship_to=Address(country="DE"))
    [move] = moves(abroad, (*POLICY.rules, RouteRule(entity="ca", country="DE")))
    assert (move.kind, move.before, move.after, move.lines) == ("entity", "us", "ca", ())
    assert move.amount == abroad.total.amount


def test_an_entity_the_order_came_with_stays() -> None:
    assert moves(order("7", entity="ca"), (*POLICY.rules, RouteRule(entity="us", channel="shop"))) == []


@pytest.mark.parametrize(("entity", "stays"), [("ca", True), ("us", False), ("", False)])
def test_of_a_record_that_does_not_say_who_named_the_entity_another_than_the_channels_stays(
    entity: str, stays: bool
) -> None:
    one = order("7", entity=entity)
    recorded = msgspec.structs.replace(decision_of(route(one, POLICY, nothing, stocked).record), entity_named=None)
    assert decision_of(msgspec.json.encode({"entity": "us", "erp": "netsuite"})).entity_named is None
    assert as_it_came(one, recorded, POLICY).entity == (entity if stays else "")
    assert as_it_came(one, None, POLICY).entity == (entity if stays else "")
    rules = msgspec.structs.replace(POLICY, rules=(RouteRule(entity="us" if stays else "ca"),))
    assert [move.kind for move in redecide(one, recorded, rules, nothing, stocked).moves] == (
        [] if stays else ["entity"]
    )


def test_a_line_that_is_no_goods_any_more_is_told() -> None:
    two = order("7", line(1, "CD-1"), line(2, "CD-2"))
    recorded = decision_of(route(two, POLICY, nothing, stocked).record)
    [move] = redecide(two, recorded, POLICY, nothing, lambda sku: sku != "CD-2").moves
    assert (move.kind, move.before, move.after, move.lines) == ("location", "EAST", "", ("2",))
    assert (move.amount, move.why) == (two.lines[1].total.amount, "the product is no goods any more")


def test_what_could_not_be_routed_any_more_is_told() -> None:
    [move] = moves(order("7"), (RouteRule(location="MOON", channel="shop"),))
    assert (move.kind, move.before, move.after) == ("refused", "us", "")
    assert "MOON" in move.why
    decided = route(order("7"), POLICY, nothing, stocked)
    gone = msgspec.structs.replace(POLICY, channels={})
    [move] = redecide(order("7"), decision_of(decided.record), gone, nothing, stocked).moves
    assert (move.kind, move.why) == ("refused", "channel shop is not in the estate")


@given(
    skus=st.lists(st.sampled_from(["CD-91", "CD-1", "XX-1"]), min_size=1, max_size=5),
    country=st.sampled_from(["US", "CA", "DE"]),
    first=st.sampled_from(POLICY.rules),
)
def test_the_same_rules_move_nothing_and_others_move_each_line_at_most_once(
    skus: list[str], country: str, first: RouteRule
) -> None:
    lines = [line(number, sku) for number, sku in enumerate(skus, 1)]
    one = order("7", *lines, ship_to=Address(country=country))
    assert moves(one, POLICY.rules) == []
    found = [place for move in moves(one, (first, *POLICY.rules)) for place in move.lines]
    assert len(found) == len(set(found))
    moved = sum((move.amount for move in moves(one, (first, *POLICY.rules)) if move.kind == "location"), Decimal(0))
    assert moved <= sum((each.total.amount for each in lines), Decimal(0))
