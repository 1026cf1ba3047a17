# SPDX-License-Identifier: Apache-2.0
"""Whatever rules and levels are: the explanation sums to the number, and so do the parts by location."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.inventory.buffer import Pace
from crossdock.inventory.item import Besides, item_of
from crossdock.inventory.level import Level
from crossdock.inventory.rules import ChannelRule, Held, StockRules
from crossdock.inventory.view import StockView

PLACES = ("A", "B", "C")
SKUS = ("S-1", "S-2", "KIT")
WHOLE = st.integers(-3, 40)
PARTS = st.decimals(-3, 40, places=1)


@st.composite
def helds(draw: Any) -> Held:
    return Held(
        safety=draw(st.integers(0, 5)),
        percent=draw(st.sampled_from((100.0, 50.0, 33.3))),
        cap=draw(st.none() | st.integers(0, 20)),
        keep=draw(st.integers(0, 10)),
    )


@st.composite
def views(draw: Any) -> StockView:
    channels = {
        name: ChannelRule(
            name=name,
            system=name,
            locations=PLACES[: draw(st.integers(1, 3))],
            held=draw(helds()),
            priority=draw(st.integers(0, 2)),
            horizon=draw(st.none() | st.just(timedelta(days=1))),
            derived_buffer=draw(st.booleans()),
        )
        for name in ("shop", "portal")
    }
    catalog = Catalog()
    unit = draw(st.sampled_from(("EA", "KG")))
    catalog.products = {sku: ProductFacts(unit, "", True, True) for sku in SKUS[:2]}
    catalog.products["KIT"] = ProductFacts("EA", "", True, True, {}, {"S-1": Decimal(2), "S-2": Decimal(1)})
    view = StockView(StockRules(version="r/1", channels=channels), catalog)
    number = WHOLE if unit == "EA" else PARTS
    view.apply(
        [
            Level(sku, place, *(Decimal(draw(number)) for _ in range(4)), sequence=1)
            for sku in SKUS[:2]
            for place in PLACES
            if draw(st.booleans())
        ]
    )
    view._paces = {"S-1": Pace({"portal": 0.4, "shop": 0.1}, draw(st.sampled_from((0.0, 2.0))))}
    view._lags = {"shop": 3.0, "portal": 0.0}
    return view


@given(views())
def test_the_explanation_sums_to_the_number(view: StockView) -> None:
    for channel in view.rules.channels.values():
        for sku in SKUS:
            item = item_of(view, channel, sku, Besides())
            assert sum((term.quantity for term in item.explanation), Decimal(0)) == item.available
            assert sum((part.available for part in item.locations), Decimal(0)) == item.available
            assert item.available >= 0
            assert item == item_of(view, channel, sku, Besides())
