# SPDX-License-Identifier: Apache-2.0
"""`crossdock check` looks at names and versions of interfaces; the estates we show have nothing to mend there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossdock.estate.check import check
from crossdock.estate.findings import Finding
from crossdock.estate.load import load_estate
from crossdock.runtime.clock import set_clock
from tests.estate.estates import SOUND, changed, write_estate

ENDS = "deprecated_on: 2027-01-01, sunset: 2027-07-01"
MORE = (
    "  {name}:\n    {{system: exports, topics: [later], object: {object}, owner: ops, tier: gold, version: {version},"
    " state: active{more}}}\nrouting:"
)
ROOT = Path(__file__).resolve().parents[2]


def found(folder: Path, text: str) -> list[Finding]:
    """All findings but that the connector knows no such topic."""
    return [one for one in check(load_estate(write_estate(folder, text))) if "among its topics" not in one.what]


def with_next(
    state: str, name: str = "exports.next", *, kind: str = "sales_order", version: int = 2, more: str = ""
) -> str:
    """The sound estate, its interface in `state`, beside another one."""
    entry = MORE.format(name=name, object=kind, version=version, more=more)
    return SOUND.replace("state: active", state).replace("routing:", entry)


@pytest.mark.parametrize(
    ("text", "severity", "what"),
    [
        (
            with_next("state: active", "shop.next"),
            "warning",
            "it is called after 'shop', and is an interface of exports",
        ),
        (
            with_next("state: active", "exports.orders_v3"),
            "warning",
            "its name says version 3, its version is 2",
        ),
        (
            with_next(f"state: deprecated, {ENDS}, replaced_by: exports.next", version=1),
            "warning",
            "its successor exports.next has version 1, it has 1",
        ),
        (
            with_next(f"state: deprecated, {ENDS}, replaced_by: exports.next", kind="stock_movements"),
            "warning",
            "its successor exports.next is about stock_movements, it is about sales_order",
        ),
        (
            with_next(
                f"state: deprecated, {ENDS}, replaced_by: exports.next", more=", direction: out, operations: [x]"
            ),
            "error",
            "its successor exports.next goes out, it goes in",
        ),
        (
            with_next("state: active, replaced_by: exports.next"),
            "warning",
            "replaced by exports.next, and senders are not told",
        ),
        (
            changed("state: active", f"state: deprecated, {ENDS}"),
            "warning",
            "deprecated, and nothing says what comes after it",
        ),
    ],
)
def test_a_slip_is_told_with_how_to_mend_it(tmp_path: Path, text: str, severity: str, what: str) -> None:
    those = [one for one in found(tmp_path, text) if one.what == what]
    assert [one.severity for one in those] == [severity]
    assert those[0].fix
    assert " interfaces." in those[0].where


def test_past_its_sunset_an_interface_is_to_be_retired(tmp_path: Path) -> None:
    text = with_next(f"state: deprecated, {ENDS}, replaced_by: exports.next")
    for day, expected in ((30, []), (1, ["its sunset 2027-07-01 has passed, and it is deprecated"])):
        month = 6 if day == 30 else 7
        with set_clock(datetime(2027, month, day, tzinfo=UTC)):
            assert [one.what for one in found(tmp_path, text)] == expected


def test_a_sound_succession_is_left_alone(tmp_path: Path) -> None:
    with set_clock(datetime(2026, 11, 27, tzinfo=UTC)):
        assert found(tmp_path, with_next(f"state: deprecated, {ENDS}, replaced_by: exports.next")) == []


@pytest.mark.parametrize(
    "estate", sorted([*ROOT.glob("examples/**/estate.yaml"), ROOT / "src/crossdock/app/demo/estate.yaml"]), ids=str
)
def test_our_own_estates_have_good_names(estate: Path) -> None:
    words = ("is called after", "its name says", "its successor", "and senders are not told")
    assert [one for one in check(load_estate(estate)) if any(word in one.what for word in words)] == []
