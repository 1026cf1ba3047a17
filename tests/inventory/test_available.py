# SPDX-License-Identifier: Apache-2.0
"""What a channel may sell, step by step; the steps that are shown add up to the number."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossdock.catalog.cache import ProductFacts
from crossdock.inventory.available import Stock, explain, sellable
from crossdock.inventory.level import Level
from crossdock.inventory.rules import ChannelRule, Held, SkuRule, StockRules

PRODUCTS = {
    "CD-1": ProductFacts("EA", "", True, True),
    "CD-2": ProductFacts("EA", "", True, True),
    "OIL": ProductFacts("LTR", "", True, True),
    "KIT": ProductFacts("EA", "", True, True, {}, {"CD-1": Decimal(2), "CD-2": Decimal(1)}),
}


def stock(**levels: Any) -> Stock:
    """Levels as `EAST_CD_1=10` or `EAST_CD_1=(on hand, quarantined, allocated, reserved)`."""
    found: dict[tuple[str, str], Level] = {}
    for name, given_ in levels.items():
        location, _, sku = name.partition("_")
        numbers = [Decimal(number) for number in (given_ if isinstance(given_, tuple) else (given_,))]
        found[sku.replace("_", "-"), location] = Level(sku.replace("_", "-"), location, *numbers)
    return Stock(lambda sku, location: found.get((sku, location)), PRODUCTS)


def channel(name: str = "shop", **said: Any) -> ChannelRule:
    held = {key: said.pop(key) for key in ("safety", "percent", "cap", "keep") if key in said}
    return ChannelRule(name=name, system=name, locations=("EAST", "WEST"), held=Held(**held), **said)


def rules(*channels: ChannelRule, overrides: tuple[SkuRule, ...] = ()) -> StockRules:
    return StockRules(version="r/1", channels={one.name: one for one in channels}, overrides=overrides)


def shown(one: ChannelRule, there: Stock, *others: ChannelRule, sku: str = "CD-1", **changes: Any) -> int:
    told = sellable(rules(one, *others, **changes), one, sku, there)
    assert sum(told.by_location.values()) == told.total
    assert sum(term.quantity for term in explain(rules(one, *others, **changes), one, sku, there)) == told.total
    return int(told.total)


def test_what_is_promised_or_blocked_is_not_for_sale() -> None:
    assert shown(channel(), stock(EAST_CD_1=(10, 1, 2, 3), WEST_CD_1=5)) == 9


def test_an_overpromised_location_takes_nothing_from_another() -> None:
    assert shown(channel(), stock(EAST_CD_1=(1, 0, 5, 0), WEST_CD_1=5)) == 5


def test_safety_stays_at_each_location() -> None:
    assert shown(channel(safety=3), stock(EAST_CD_1=10, WEST_CD_1=2)) == 7


def test_a_share_is_rounded_down_and_a_cap_bounds_it() -> None:
    assert shown(channel(percent=50.0), stock(EAST_CD_1=7)) == 3
    assert shown(channel(percent=50.0, cap=2), stock(EAST_CD_1=7)) == 2


def test_what_is_measured_may_be_shared_in_parts() -> None:
    one = channel(percent=50.0)
    assert sellable(rules(one), one, "OIL", stock(EAST_OIL=7)).total == Decimal("3.5")


def test_channels_of_a_lower_priority_leave_what_a_higher_one_keeps() -> None:
    portal = channel("portal", keep=4, priority=1)
    there = stock(EAST_CD_1=3, WEST_CD_1=3)
    assert shown(channel(), there, portal) == 2
    assert shown(portal, there, channel()) == 6
    assert shown(channel(priority=1), there, portal) == 6


def test_the_number_is_spread_over_locations_in_the_channels_order() -> None:
    one = channel(cap=6)
    assert dict(sellable(rules(one), one, "CD-1", stock(EAST_CD_1=4, WEST_CD_1=4)).by_location) == {
        "EAST": 4,
        "WEST": 2,
    }


def test_the_first_rule_for_a_sku_replaces_the_channels_numbers() -> None:
    overrides = (SkuRule(sku_prefix="CD-", channel="portal", cap=9), SkuRule(sku_prefix="CD-", cap=1))
    assert shown(channel(cap=5), stock(EAST_CD_1=8), overrides=overrides) == 1
    assert shown(channel("portal", cap=5), stock(EAST_CD_1=8), overrides=overrides) == 8


def test_what_is_expected_within_the_horizon_counts() -> None:
    one = channel(horizon=timedelta(days=2))
    there = Stock(
        lambda _sku, _location: None, PRODUCTS, lambda _sku, location, _channel: Decimal(3 if location == "WEST" else 0)
    )
    assert shown(one, there) == 3
    assert shown(channel(), there) == 0


def test_a_derived_buffer_is_held_back_and_said() -> None:
    one = channel(derived_buffer=True)
    level = Level("CD-1", "EAST", Decimal(10))
    there = Stock(
        lambda _sku, location: level if location == "EAST" else None,
        PRODUCTS,
        buffer=lambda _channel, _sku: (4, "sells 2 a second, lag 2 s"),
    )
    assert shown(one, there) == 6
    assert [(term.quantity, term.why) for term in explain(rules(one), one, "CD-1", there) if term.what == "buffer"] == [
        (Decimal(-4), "sells 2 a second, lag 2 s")
    ]


def test_a_bundle_is_what_its_components_make_at_one_location() -> None:
    assert shown(channel(), stock(EAST_CD_1=5, EAST_CD_2=9, WEST_CD_1=9, WEST_CD_2=1), sku="KIT") == 3


def test_a_bundle_takes_no_more_of_a_component_than_the_channel_may_have() -> None:
    overrides = (SkuRule(sku_prefix="CD-2", cap=2),)
    assert shown(channel(), stock(EAST_CD_1=50, EAST_CD_2=50), sku="KIT", overrides=overrides) == 2


NUMBERS = st.integers(0, 30)


@given(
    st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.integers(0, 10),
    st.floats(1, 100),
    st.none() | NUMBERS,
    NUMBERS,
)
def test_never_below_zero_never_more_than_is_free_and_explained(
    east: tuple[int, ...], west: tuple[int, ...], safety: int, percent: float, cap: int | None, keep: int
) -> None:
    one = channel(safety=safety, percent=percent, cap=cap)
    there = stock(EAST_CD_1=east, WEST_CD_1=west)
    number = shown(one, there, channel("portal", keep=keep, priority=1))
    free = sum(
        max(on_hand - blocked - allocated - reserved, 0) for on_hand, blocked, allocated, reserved in (east, west)
    )
    assert 0 <= number <= free
    assert cap is None or number <= cap
    assert number <= max(free - keep, 0)
