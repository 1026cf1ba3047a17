# SPDX-License-Identifier: Apache-2.0
"""What is found wrong in an estate's sections `inventory` and `planning`."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.estate.check import check
from crossdock.estate.load import load_estate
from tests.estate.estates import SOUND, write_estate

PLAIN = SOUND.replace("stock_publication: {exports: {locations: [WH-1], safety: 2}}\n", "")
SHOP = "inventory: {channels: {shop: {locations: [WH-1]}}}\n"


def found(folder: Path, text: str) -> list[tuple[str, str]]:
    """Place (without file and line) and text of every finding."""
    findings = check(load_estate(write_estate(folder, text)))
    return [(str(one.where).partition(" ")[2], one.what) for one in findings]


@pytest.mark.parametrize(
    "section",
    [
        "inventory: {}\n",
        SHOP,
        SHOP.replace("]}}}", "], horizon: 2d}}, rules: [{sku_prefix: A, channel: shop, cap: 1}]}"),
        "inventory: {reconcile: {every: 1h, heal_up_to: 2%, truth: {WH-1: exports}}}\n",
        "planning: {folder: out, every: 1h}\n",
    ],
)
def test_sound_sections_have_no_findings(tmp_path: Path, section: str) -> None:
    assert found(tmp_path, PLAIN + section) == []


NO_TIME = "is not a duration: write a whole number and a unit, such as 90s, 15m, 4h or 2d"


@pytest.mark.parametrize(
    ("section", "where", "what"),
    [
        ("planning: {folder: out, every: often}\n", "planning.every", f"'often' {NO_TIME}"),
        ("inventory: {hold_for: 0m}\n", "inventory.hold_for", f"'0m' {NO_TIME}"),
        ("inventory: {longest_hold: x}\n", "inventory.longest_hold", f"'x' {NO_TIME}"),
        ("inventory: {stale_after: '5'}\n", "inventory.stale_after", f"'5' {NO_TIME}"),
        (
            "inventory: {channels: {mars: {locations: [WH-1], publish: false}}}\n",
            "inventory.channels.mars",
            "there is no 'mars' among the channels",
        ),
        (
            "inventory: {channels: {shop: {locations: []}}}\n",
            "inventory.channels.shop.locations",
            "a channel without locations can sell nothing",
        ),
        (
            "inventory: {channels: {shop: {locations: [WH-2]}}}\n",
            "inventory.channels.shop.locations",
            "there is no 'WH-2' among the locations",
        ),
        (
            "inventory: {channels: {shop: {locations: [WH-1], horizon: soon}}}\n",
            "inventory.channels.shop.horizon",
            f"'soon' {NO_TIME}",
        ),
        (
            "inventory: {rules: [{sku_prefix: A, channel: shop, cap: 1}]}\n",
            "inventory.rules.0.channel",
            "there is no 'shop' among the inventory.channels",
        ),
        ("inventory: {rules: [{sku_prefix: A}]}\n", "inventory.rules.0", "the rule changes nothing"),
        (
            "inventory: {reconcile: {every: daily}}\n",
            "inventory.reconcile.every",
            f"'daily' {NO_TIME}",
        ),
        (
            'inventory: {reconcile: {late_within: ""}}\n',
            "inventory.reconcile.late_within",
            f"'' {NO_TIME}",
        ),
        (
            "inventory: {reconcile: {look_again_after: '1'}}\n",
            "inventory.reconcile.look_again_after",
            f"'1' {NO_TIME}",
        ),
        (
            "inventory: {reconcile: {truth: {WH-2: exports}}}\n",
            "inventory.reconcile.truth.WH-2",
            "there is no 'WH-2' among the locations",
        ),
        (
            "inventory: {reconcile: {truth: {WH-1: erp}}}\n",
            "inventory.reconcile.truth.WH-1",
            "there is no 'erp' among the systems",
        ),
        (
            "inventory: {reconcile: {heal_up_to: 5}}\n",
            "inventory.reconcile.heal_up_to",
            "nothing can be taken over without a truth",
        ),
    ],
)
def test_what_is_wrong_is_found_at_its_place(tmp_path: Path, section: str, where: str, what: str) -> None:
    assert found(tmp_path, PLAIN + section) == [(where, what)]


def test_a_system_is_told_its_stock_in_one_way(tmp_path: Path) -> None:
    assert found(tmp_path, SOUND + SHOP) == [
        ("inventory.channels.shop", "exports is told its stock by stock_publication too")
    ]
    two = PLAIN.replace("channels:\n", "channels:\n  stall: {system: exports, entity: uk, currency: GBP}\n")
    both = "inventory: {channels: {shop: {locations: [WH-1]}, stall: {locations: [WH-1]}}}\n"
    assert found(tmp_path, two + both) == [
        ("inventory.channels.stall", "exports would be told by channel shop and by stall")
    ]
    assert found(tmp_path, two + both.replace("]}}", "], publish: false}}")) == []


def test_a_location_that_the_channel_has_no_code_for(tmp_path: Path) -> None:
    text = PLAIN.replace(", codes: {exports: ONE}", "")
    assert found(tmp_path, text + SHOP) == [("inventory.channels.shop.locations", "exports has no code for WH-1")]
    for way in ("summed: true", "publish: false"):
        assert found(tmp_path, text + SHOP.replace("[WH-1]", f"[WH-1], {way}")) == []
