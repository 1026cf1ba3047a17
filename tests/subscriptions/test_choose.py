# SPDX-License-Identifier: Apache-2.0
"""Types, channels and customers of what a subscription wants."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.api.event_table import EVENTS
from crossdock.errors import Refused
from crossdock.subscriptions.choose import Wanted, check_types, facts_of, fits, likes


@pytest.mark.parametrize(
    ("pattern", "kind", "good"),
    [
        ("*", "sales_order.accepted", True),
        ("sales_order.accepted", "sales_order.accepted", True),
        ("sales_order.*", "sales_order.accepted", True),
        ("inventory.*", "inventory.level.changed", True),
        ("inventory.level.*", "inventory.level.changed", True),
        ("sales_order.*", "sales_order_x.accepted", False),
        ("sales_order", "sales_order.accepted", False),
        ("sales_order.accepted", "sales_order.accepted_late", False),
    ],
)
def test_patterns(pattern: str, kind: str, good: bool) -> None:
    assert fits(pattern, kind) is good


@given(st.sampled_from(["*", *EVENTS, *(f"{one.rpartition('.')[0]}.*" for one in EVENTS)]), st.sampled_from([*EVENTS]))
def test_the_database_chooses_at_least_what_fits(pattern: str, kind: str) -> None:
    (like,) = likes([pattern])
    as_regex = re.escape(like.replace("\\_", "_")).replace("%", ".*")
    assert bool(re.fullmatch(as_regex, kind)) == fits(pattern, kind)


@pytest.mark.parametrize("one", ["", "nothing", "sales_order.", "*.accepted", "Sales_Order.*", "subscription.*", "a%"])
def test_what_names_no_event_is_refused(one: str) -> None:
    with pytest.raises(Refused, match="names no event") as told:
        check_types(["*", one], EVENTS)
    assert told.value.field == "types[1]"


def test_what_has_no_channel_is_not_told_to_who_asked_for_some() -> None:
    want = Wanted(["*"], frozenset({"shop"}))
    assert want.takes("sales_order.accepted", "shop", "")
    assert not want.takes("sales_order.accepted", "", "")
    assert not want.takes("sales_order.accepted", "mart", "")
    assert not Wanted(["*"], None, frozenset({"C-1"})).takes("sales_order.accepted", "shop", "")
    assert not Wanted(["*"]).takes("subscription.disabled", "", "")


@pytest.mark.parametrize(
    ("key", "data", "found"),
    [
        ("order/shop/1/2", b"{}", ("shop", "")),
        ("return/shop/R-1", b"{}", ("shop", "")),
        ("availability/shop/CD-1@EAST", b'{"channel": "mart"}', ("mart", "")),
        ("reservation/r1", b'{"channel": "shop", "customer_id": "C-1"}', ("shop", "C-1")),
        ("stock/CD-1@EAST", b'{"channel": 7, "customer_id": ["C-1"]}', ("", "")),
        ("stock/CD-1@EAST", b"[1]", ("", "")),
    ],
)
def test_what_an_event_says_of_itself(key: str, data: bytes, found: tuple[str, str]) -> None:
    assert facts_of(key, data) == found
