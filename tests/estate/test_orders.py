# SPDX-License-Identifier: Apache-2.0
"""What an estate says of holds: standing releases, looking again, what is suspicious; and what is found wrong in it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from crossdock.app.order_rules import checks_of, releases_of
from crossdock.estate.check import check
from crossdock.estate.compile import compile_estate
from crossdock.estate.load import load_estate
from crossdock.orders.check_fraud import Fraud
from crossdock.orders.holds import ReleaseRule
from tests.estate.estates import SOUND, write_estate


def found(folder: Path, text: str) -> list[tuple[str, str, str]]:
    """Severity, what and fix of every finding about `text` behind the sound estate."""
    return [(one.severity, one.what, one.fix) for one in check(load_estate(write_estate(folder, SOUND + text)))]


def test_releases_and_fraud_become_rules(tmp_path: Path) -> None:
    text = """\
orders:
  look_again: 15m
  release:
    - {rule: order.credit_limit, channel: shop, customer: C-1, total_below: 250.5, reason: agreed with finance}
    - {rule: order.terms, channel: shop, reason: fair}
checks:
  shop: {address: true, fraud: {above: 5000, countries: [KP], addresses_differ: true, unknown_account_above: 500}}
"""
    sound = SOUND.replace("entity: uk, currency: GBP}", "entity: uk, currency: GBP, customer: WEB}")
    file = write_estate(tmp_path, sound + text)
    assert check(load_estate(file)) == []
    estate = compile_estate(load_estate(file))
    assert releases_of(estate) == (
        ReleaseRule(
            number=1,
            rule="order.credit_limit",
            reason="agreed with finance",
            channel="shop",
            customer="C-1",
            total_below=Decimal("250.5"),
        ),
        ReleaseRule(number=2, rule="order.terms", reason="fair", channel="shop"),
    )
    checks = checks_of(estate)["shop"]
    assert (checks.address, checks.fraud) == (
        True,
        Fraud(
            above=Decimal(5000),
            countries=frozenset({"KP"}),
            addresses_differ=True,
            unknown_account_above=Decimal(500),
            default_account="WEB",
        ),
    )


def test_another_release_is_another_version_of_the_rules(tmp_path: Path) -> None:
    rule = "orders: {release: [{rule: order.terms, channel: shop, reason: fair}]}\n"
    versions = {
        compile_estate(load_estate(write_estate(tmp_path, SOUND + text))).rules_version
        for text in ("", "orders: {look_again: 15m}\n", rule, rule.replace("order.terms", "order.credit_limit"))
    }
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("text", "severity", "what"),
    [
        ("orders: {look_again: soon}", "error", "'soon' is not a duration"),
        ("orders: {release: [{rule: order.sku_known, channel: shop, reason: x}]}", "error", "'order.sku_known' is no"),
        ("orders: {release: [{rule: order.stock, channel: shop, reason: x}]}", "error", "nobody can release"),
        ("orders: {release: [{rule: order.terms, channel: web, reason: x}]}", "error", "there is no 'web'"),
        ("orders: {release: [{rule: order.terms, reason: x}]}", "warning", "every failure of the rule is let through"),
        ("checks: {shop: {fraud: {unknown_account_above: 5}}}", "warning", "the channel has no `customer`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(tmp_path: Path, text: str, severity: str, what: str) -> None:
    ((level, said, fix),) = found(tmp_path, text + "\n")
    assert (level, said.startswith(what)) == (severity, True), said
    assert fix
