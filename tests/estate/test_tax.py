# SPDX-License-Identifier: Apache-2.0
"""Tax rules of an estate, and what is found wrong in them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from crossdock.app.order_rules import checks_of, tax_of
from crossdock.estate.check import check
from crossdock.estate.compile import compile_estate
from crossdock.estate.load import load_estate
from crossdock.orders.tax import TaxRate, TaxRule, TaxTable
from tests.estate.estates import SOUND, write_estate

RULES = """\
tax:
  rules:
    - {entity: uk, country: GB, sku_prefix: BOOK, percent: 0, code: ZERO}
    - {entity: uk, country: GB, percent: 20, code: STD}
    - {entity: uk, country: US, region: ID, percent: 6.5}
"""


def test_rules_become_a_table_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = write_estate(tmp_path, SOUND + RULES + "checks: {shop: {tax: true}}\n")
    assert check(load_estate(file)) == []
    estate = compile_estate(load_estate(file))
    table = TaxTable(
        (
            TaxRule(rate=TaxRate(Decimal(0), "ZERO"), entity="uk", country="GB", sku_prefix="BOOK"),
            TaxRule(rate=TaxRate(Decimal(20), "STD"), entity="uk", country="GB"),
            TaxRule(rate=TaxRate(Decimal("6.5"), ""), entity="uk", country="US", region="ID"),
        )
    )
    assert (tax_of(estate), checks_of(estate)["shop"].tax) == (table, table)
    plain = compile_estate(load_estate(write_estate(tmp_path, SOUND)))
    assert tax_of(plain) is None
    assert plain.rules_version != estate.rules_version


@pytest.mark.parametrize(
    ("text", "severity", "what"),
    [
        ("tax: {rules: [{percent: 5, entity: mars}]}", "error", "there is no 'mars' among the entities"),
        ("tax: {rules: [{percent: 5, region: ID}]}", "error", "a region is one of a country"),
        (
            "tax: {rules: [{percent: 5, country: GB}, {percent: 0, country: GB, sku_prefix: BOOK}]}",
            "warning",
            "rule 1 fits whatever this one fits, so this one never counts",
        ),
        ("checks: {shop: {tax: true}}", "error", "there are no tax rules to check by"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, text: str, severity: str, what: str) -> None:
    (finding,) = check(load_estate(write_estate(tmp_path, SOUND + text + "\n")))
    assert (finding.severity, finding.what) == (severity, what)
    assert finding.fix
