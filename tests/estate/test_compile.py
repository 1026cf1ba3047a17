# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from crossdock.canonical.money import Money
from crossdock.errors import NeedsConfig
from crossdock.estate.compile import CompiledEstate, Crosswalked, compile_estate
from crossdock.estate.durations import duration
from crossdock.estate.load import load_estate
from crossdock.sdk.manifest import Limits
from tests.estate.estates import SOUND, changed, write_estate


def compiled(folder: Path, text: str = SOUND) -> CompiledEstate:
    return compile_estate(load_estate(write_estate(folder, text)))


def test_lookups(tmp_path):
    estate = compiled(tmp_path)
    face = estate.interface_for("exports", "order")
    assert face is not None
    assert (face.name, face.owner, face.tier, face.object) == ("exports.orders", "ops", "gold", "sales_order")
    assert face.settle_within == timedelta(minutes=15)
    assert estate.interface_for("exports", "other") is None
    assert estate.interface_out("exports", "order") is None
    assert estate.erp_of("uk") == "exports"
    assert estate.erp_of("fr") is None
    channel = estate.channel("shop")
    assert channel is not None
    assert channel.currency == "GBP"
    assert estate.crosswalks == (
        Crosswalked("location", "exports", "ONE", "WH-1"),
        Crosswalked("sku", "exports", "a", "A"),
        Crosswalked("sku", "exports", "b", "A"),
    )
    assert estate.names("exports") == {"location": {"WH-1": "ONE"}, "sku": {"A": "a"}}
    assert estate.lookup("exports")["sku", "b"] == "A"
    assert estate.mapping_files() == {("exports", "order"): tmp_path / "order.yaml"}


def test_a_retired_interface_takes_nothing(tmp_path):
    estate = compiled(tmp_path, changed("state: active", "state: retired"))
    assert estate.interface_for("exports", "order") is None
    assert "exports.orders" in estate.interfaces


def test_operations_go_out_by_their_interface(tmp_path):
    more = (
        "  erp.orders: {system: exports, direction: out, operations: [sales_order], object: sales_order, owner: ops,\n"
        "    tier: gold, version: 1, state: active}\nrouting:"
    )
    face = compiled(tmp_path, changed("routing:", more)).interface_out("exports", "sales_order")
    assert face is not None
    assert face.name == "erp.orders"


def test_seeds(tmp_path):
    estate = compiled(tmp_path)
    apple, service = estate.products()
    assert (apple.sku, apple.price, apple.stocked) == ("A", Money(Decimal("1.50"), "GBP"), True)
    assert (service.sku, service.price, service.stocked) == ("S", None, False)
    (customer,) = estate.customers()
    assert (customer.customer_id, customer.name, customer.currency) == ("C1", "First", "GBP")


@pytest.mark.parametrize(
    ("rows", "line", "what"),
    [("A,x,EA,abc,GBP", 2, "no product"), ("A,x,each,,", 2, "no product"), ("A,x", 2, "not as many columns")],
)
def test_a_bad_product_is_named_by_its_line(tmp_path, rows, line, what):
    estate = compiled(tmp_path)
    (tmp_path / "products.csv").write_text(f"sku,description,unit,price,currency\n{rows}\n")
    with pytest.raises(NeedsConfig, match=rf"products\.csv:{line}: .*{what}"):
        estate.products()


def test_a_crosswalk_that_contradicts_itself_is_refused(tmp_path):
    file = write_estate(tmp_path)
    (tmp_path / "sku.csv").write_text("system,theirs,ours\nexports,a,A\nexports,a,B\n")
    with pytest.raises(NeedsConfig, match="'a' of exports is both 'A' and 'B'"):
        compile_estate(load_estate(file))


def test_rules_version_changes_with_what_decides_and_with_nothing_else(tmp_path):
    first = compiled(tmp_path).rules_version
    assert compiled(tmp_path, changed("ops@example.com", "others@example.com")).rules_version == first
    assert compiled(tmp_path, changed("sku_prefix: CD-9", "sku_prefix: CD-8")).rules_version != first
    assert first.startswith("routing/")


def test_settings_may_be_kept_in_the_environment(tmp_path):
    estate = compiled(tmp_path, changed("owner: ops}", 'owner: ops, settings: {url: "env:SHOP_URL", depth: 3}}'))
    assert estate.settings("exports", {"SHOP_URL": "http://x"}) == {"url": "http://x", "depth": 3}
    with pytest.raises(NeedsConfig, match="SHOP_URL, which is not set"):
        estate.settings("exports", {})


def test_limits_are_lowered_never_raised(tmp_path):
    estate = compiled(tmp_path, changed("owner: ops}", "owner: ops, limits: {concurrency: 2, rate: 5.0, timeout: 90}}"))
    assert estate.limits("exports", Limits(concurrency=4, timeout=30.0)) == Limits(
        concurrency=2, rate=5.0, timeout=30.0
    )
    assert estate.limits("exports", Limits(concurrency=1)).concurrency == 1


@pytest.mark.parametrize(("asked", "granted"), [(2, 2), (15, 15), (30, 20)])
def test_calls_at_once_are_raised_as_far_as_an_account_can_be_granted(tmp_path, asked, granted):
    estate = compiled(tmp_path, changed("owner: ops}", f"owner: ops, limits: {{concurrency: {asked}}}}}"))
    assert estate.limits("exports", Limits(concurrency=5, concurrency_most=20)).concurrency == granted


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("4h", 14400), ("2d", 172800)])
def test_durations(text, seconds):
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "0m", "-1h", "1.5h", "15 m", "m", "15min"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)
