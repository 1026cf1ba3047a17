# SPDX-License-Identifier: Apache-2.0
"""What a version of an order means is decided by version, never by the order of arrival."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.sales_order import SalesOrder
from crossdock.orders.changes import Known, Meaning, content_of, meaning_of
from tests.orders.making import NOON, line, order, usd


def known(version: int = 5, status: str = "open", content: int = 1) -> Known:
    return Known(version=version, status=status, content=content, erp="netsuite", document_id=1)


TABLE = {
    # (version beside ours, our status, its status, same content) → meaning
    ("newer", "open", "open", True): Meaning.TOUCHED,
    ("newer", "open", "open", False): Meaning.CHANGED,
    ("newer", "open", "cancelled", True): Meaning.CANCELLED,
    ("newer", "open", "cancelled", False): Meaning.CANCELLED,
    ("newer", "cancelled", "open", True): Meaning.REVIVED,
    ("newer", "cancelled", "open", False): Meaning.REVIVED,
    ("newer", "cancelled", "cancelled", True): Meaning.TOUCHED,
    ("newer", "cancelled", "cancelled", False): Meaning.TOUCHED,
}


@pytest.mark.parametrize(
    ("age", "ours", "its", "same"),
    list(product(("older", "equal", "newer"), ("open", "cancelled"), ("open", "cancelled"), (True, False))),
)
def test_meaning_beside_a_known_order(age: str, ours: str, its: str, same: bool) -> None:
    version = {"older": 4, "equal": 5, "newer": 6}[age]
    meaning = meaning_of(order("1", version=version, status=its), 1 if same else 2, known(status=ours))
    assert meaning is TABLE.get((age, ours, its, same), Meaning.STALE)


@pytest.mark.parametrize(("status", "meaning"), [("open", Meaning.NEW), ("cancelled", Meaning.NEW_CANCELLED)])
def test_meaning_of_an_unknown_order(status: str, meaning: Meaning) -> None:
    assert meaning_of(order(version=0, status=status), 1, None) is meaning


def test_times_version_status_note_and_reservation_are_no_content() -> None:
    touched = replace(order(), version=9, updated_at=NOON, note="ring twice", reservation="rsv_1", status="cancelled")
    assert content_of(touched) == content_of(order())


@pytest.mark.parametrize(
    "changed",
    [
        order("1", line(quantity="3"), total=usd("30.00")),
        order(po_number="PO-7"),
        order(ship_to=None),
        order(service="express"),
        order(total=usd("20.01")),
    ],
)
def test_what_erp_or_warehouse_must_know_is_content(changed: SalesOrder) -> None:
    assert content_of(changed) != content_of(order())


@given(st.permutations([(1, "open", 10), (2, "open", 10), (3, "open", 11), (4, "cancelled", 11)]))
def test_any_order_of_arrival_ends_at_the_newest(versions: list[tuple[int, str, int]]) -> None:
    have: Known | None = None
    for version, status, content in versions:
        if meaning_of(order(version=version, status=status), content, have) is not Meaning.STALE:
            have = known(version, status, content)
    assert have == known(4, "cancelled", 11)
