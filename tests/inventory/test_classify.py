# SPDX-License-Identifier: Apache-2.0
"""What a difference is said to be, and what is done about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.catalog.cache import ProductFacts
from crossdock.inventory.classify import classify
from crossdock.inventory.compared import Around, Difference, Moved, ReconcileRules, Waiting
from crossdock.inventory.mend import MOST_CASES, choose
from tests.orders.making import catalog

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RULES = ReconcileRules(heal_units=Decimal(5), truth={"DC-EAST": "wms"})
CASE = {"CS": Decimal(12)}
CATALOG = catalog("A", *(f"B-{number}" for number in range(4)))
CATALOG.products["OIL"] = ProductFacts("LTR", "", True, True)


def _moved(on_hand: int, minutes: float, **changed: Any) -> Moved:
    at = AT - timedelta(minutes=minutes)
    fields = {"source": "wms", "movement_id": f"m{minutes}", "kind": "adjustment", "reference": "", **changed}
    return Moved(on_hand=Decimal(on_hand), occurred_at=at, recorded_at=at, **fields)


def _goods(ours: int, theirs: int | None, system: str = "wms", **changed: Any) -> Difference:
    return Difference(
        system=system,
        what="on_hand",
        sku="A",
        location="DC-EAST",
        ours=Decimal(ours),
        theirs=None if theirs is None else Decimal(theirs),
        as_of=AT,
        **changed,
    )


def _shown(told: int | None, shown: int | None, **changed: Any) -> Difference:
    return Difference(
        system="shop",
        what="available",
        sku="A",
        location="",
        ours=None if told is None else Decimal(told),
        theirs=None if shown is None else Decimal(shown),
        as_of=AT,
        ours_changed_at=AT - timedelta(days=1),
        **changed,
    )


def _told(*numbers: tuple[int, float]) -> Around:
    return Around(told=[(Decimal(number), AT - timedelta(minutes=minutes)) for number, minutes in numbers])


GOODS = [
    ("in_flight", "while it was looked at", _goods(10, 8, moved=True), Around()),
    ("in_flight", "after they were asked", _goods(10, 8, ours_changed_at=AT), Around()),
    ("in_flight", "being brought", _goods(10, 13, "erp"), Around(due=["shop/1#1/shp_1"])),
    ("in_flight", "document 7", _goods(10, 13), Around(waiting=[Waiting(7, "received")])),
    ("missed_movement", "document 7", _goods(10, 13), Around(waiting=[Waiting(7, "case")])),
    ("missed_movement", "shp_1 waits", _goods(10, 13, "erp"), Around(stuck=["shop/1#1/shp_1"])),
    ("late_message", "before the ship of -3", _goods(7, 10, "erp"), Around(moved=[_moved(-3, 2, kind="ship")])),
    ("late_message", "before 2 movements", _goods(7, 10, "erp"), Around(moved=[_moved(-1, 1), _moved(-2, 9)])),
    ("late_message", "they changed it", _goods(10, 8, theirs_changed_at=AT - timedelta(minutes=3)), Around()),
    ("unit_mismatch", "CS, which holds 12", _goods(120, 10), Around(factors=CASE)),
    ("unit_mismatch", "CS, which holds 12", _goods(10, 120), Around(factors=CASE)),
    ("unit_mismatch", "in PAL", _goods(10, 10, unit="PAL"), Around()),
    (
        "missed_movement",
        "twice, as m20 and m30",
        _goods(20, 15),
        Around(moved=[_moved(5, 30, kind="receipt"), _moved(5, 20, kind="receipt"), _moved(10, 10)]),
    ),
    ("missed_movement", "40 of ASN-7", _goods(10, 50), Around(expected={"ASN-6": Decimal(4), "ASN-7": Decimal(40)})),
    ("missed_movement", "3 for shop/1#1", _goods(10, 7), Around(promised={"shop/1#1": Decimal(3)})),
    (
        "missed_movement",
        "all that is promised, 2 orders",
        _goods(10, 5),
        Around(promised={"shop/1#1": Decimal(3), "shop/2#1": Decimal(2)}),
    ),
    (
        "missed_movement",
        "lack the receipt of +40",
        _goods(50, 10, "erp"),
        Around(moved=[_moved(2, 20), _moved(40, 30, kind="receipt"), _moved(8, 60)]),
    ),
    (
        "missed_movement",
        "lack every receipt, 2",
        _goods(59, 4, "erp"),
        Around(moved=[_moved(40, 20, kind="receipt"), _moved(4, 25), _moved(15, 30, kind="receipt")]),
    ),
    (
        "missed_movement",
        "what we had at 2026-11-23 11:30 UTC: they lack 2 movements",
        _goods(15, 10, "erp"),
        Around(moved=[_moved(7, 20), _moved(-2, 30), _moved(10, 60)]),
    ),
    ("phantom", "nothing that is known", _goods(10, 7), Around(moved=[_moved(10, 60)], factors=CASE)),
    ("phantom", "nothing that is known", _goods(0, 7), Around(factors=CASE)),
    ("phantom", "nothing that is known", _goods(10, None), Around()),
]
CHANNELS = [
    ("in_flight", "just now", _shown(10, 8), _told((10, 0.05))),
    ("in_flight", "on its way", _shown(None, 8), _told((10, 60))),
    ("in_flight", "on its way", _shown(None, 8), Around(to_be_told=True)),
    ("phantom", "nothing that is known", _shown(None, 8), Around()),
    ("in_flight", "document 9", _shown(10, 8), Around(waiting=[Waiting(9, "retry")])),
    ("late_message", "before 11:57:00", _shown(10, 12), _told((10, 3), (12, 60))),
    ("missed_movement", "before 2026-11-23 11:00", _shown(10, 12), _told((10, 30), (11, 60), (12, 90))),
    ("unit_mismatch", "CS", _shown(24, 2), Around(factors=CASE)),
    ("phantom", "nothing that is known", _shown(10, 8), _told((10, 60))),
    ("phantom", "nothing that is known", _shown(10, None), _told((10, 60))),
]


@pytest.mark.parametrize(("kind", "reason", "one", "around"), [*GOODS, *CHANNELS])
def test_the_first_rule_that_fits_names_the_class(kind: str, reason: str, one: Difference, around: Around) -> None:
    classify(one, around, RULES)
    assert (one.kind, reason in one.reason) == (kind, True), one.reason


def test_money_is_price_times_difference() -> None:
    one = _goods(10, 7)
    classify(one, Around(price=Decimal("19.90"), currency="USD"), RULES)
    assert (one.money, one.currency) == (Decimal("59.70"), "USD")


@pytest.mark.parametrize(
    ("one", "rules", "action"),
    [
        (_goods(10, 5, kind="phantom"), RULES, "counted"),
        (_goods(10, 15, kind="missed_movement"), RULES, "counted"),
        (_goods(10, 16, kind="phantom"), RULES, "case"),
        (_goods(200, 196, kind="phantom"), ReconcileRules(heal_percent=Decimal(2), truth=RULES.truth), "counted"),
        (_goods(200, 195, kind="phantom"), ReconcileRules(heal_percent=Decimal(2), truth=RULES.truth), "case"),
        (_goods(10, 9, "erp", kind="phantom"), RULES, "case"),
        (_goods(10, 9, kind="phantom"), ReconcileRules(heal_units=Decimal(5)), "case"),
        (_goods(12, 1, kind="unit_mismatch"), ReconcileRules(heal_units=Decimal(99), truth=RULES.truth), "case"),
        (_goods(3, None, kind="phantom"), RULES, "case"),
        (_goods(1, -1, kind="phantom"), RULES, "case"),
        (_goods(1, 0, kind="phantom"), RULES, "counted"),
        (_goods(1, 2, kind="missed_movement", unit="DRUM"), RULES, "case"),
        (_goods(10, 9, kind="in_flight"), RULES, ""),
        (_goods(10, 9, kind="late_message"), RULES, ""),
        (_shown(10, 8, kind="phantom"), RULES, "told_again"),
        (_shown(24, 2, kind="unit_mismatch"), RULES, "case"),
        (_shown(None, 2, kind="phantom"), RULES, "case"),
        (_shown(10, 8, kind="late_message"), RULES, ""),
    ],
)
def test_what_is_done_follows_from_class_size_and_truth(one: Difference, rules: ReconcileRules, action: str) -> None:
    choose([one], rules, CATALOG, frozenset(), frozenset())
    assert one.action == action


@pytest.mark.parametrize(("sku", "action"), [("A", "case"), ("OIL", "counted"), ("UNKNOWN", "case")])
def test_a_part_of_a_unit_is_counted_only_of_what_is_measured(sku: str, action: str) -> None:
    one = _goods(10, 9, kind="phantom")
    one.sku, one.theirs = sku, Decimal("9.5")
    choose([one], RULES, CATALOG, frozenset(), frozenset())
    assert one.action == action


@pytest.mark.parametrize("theirs", ["1E+15", "1E-16"])
def test_what_the_ledger_cannot_hold_is_not_counted(theirs: str) -> None:
    one = _goods(0, 0, kind="phantom")
    one.sku, one.theirs = "OIL", Decimal(theirs)
    choose([one], ReconcileRules(heal_units=Decimal(10) ** 20, truth=RULES.truth), CATALOG, frozenset(), frozenset())
    assert one.action == "case"


def test_what_was_told_again_and_still_is_not_shown_is_for_a_person() -> None:
    one = _shown(10, 8, kind="phantom")
    choose([one], RULES, CATALOG, frozenset(), frozenset({("A", "")}))
    assert one.action == "case"
    choose([one], RULES, CATALOG, frozenset({"difference/shop/A@"}), frozenset({("A", "")}))
    assert one.action == "case_open"


def test_so_many_cases_and_no_more() -> None:
    found = [_goods(10, 99, kind="phantom") for _ in range(MOST_CASES + 3)]
    choose(found, RULES, CATALOG, frozenset(), frozenset())
    assert [one.action for one in found] == ["case"] * MOST_CASES + ["left"] * 3


def test_cases_that_are_open_count_towards_the_most() -> None:
    found = [_goods(10, 99, kind="phantom") for _ in range(4)]
    for number, one in enumerate(found):
        one.sku = f"B-{number}"
    waiting = frozenset(f"difference/wms/C-{number}@DC-EAST" for number in range(MOST_CASES - 2))
    choose(found, RULES, CATALOG, waiting | {found[0].key}, frozenset())
    assert [one.action for one in found] == ["case_open", "case", "left", "left"]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    ours=st.integers(0, 50),
    theirs=st.integers(0, 50),
    moves=st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(11, 500)), max_size=6),
)
def test_a_reason_from_movements_accounts_for_the_whole_difference(
    ours: int, theirs: int, moves: list[tuple[int, int]]
) -> None:
    one = _goods(ours, theirs, "erp")
    around = Around(moved=[_moved(change, minutes) for change, minutes in moves])
    classify(one, around, RULES)
    changes = [move.on_hand for move in around.moved]
    newest_first = [move.on_hand for move in sorted(around.moved, key=lambda move: move.recorded_at, reverse=True)]
    tails = [sum(newest_first[:number]) for number in range(1, len(newest_first) + 1)]
    explained = -one.amount in [*changes, *tails, sum(changes) if len(changes) > 1 else None]
    assert (one.kind == "missed_movement") == explained
