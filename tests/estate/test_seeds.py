# SPDX-License-Identifier: Apache-2.0
"""Products and customers from the tables beside the estate."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from crossdock.canonical.master_data import Component, Product, UnitConversion
from crossdock.canonical.money import Money
from crossdock.errors import NeedsConfig
from crossdock.estate.seeds import read_products


def products(folder: Path, text: str) -> list[Product]:
    file = folder / "products.csv"
    file.write_text(text, "utf-8")
    return list(read_products(file))


def test_units_components_and_substitutes_stand_in_one_cell_each(tmp_path: Path) -> None:
    made = products(
        tmp_path,
        "sku,unit,price,currency,units,components,substitutes\n"
        "A,,1.50,USD,CS=12  PK=6.5,,B C\n"
        "KIT,EA,,,,A=2 ODD=SKU=1,\n"
        "B,LTR,,,,,\n",
    )
    assert made == [
        Product(
            sku="A",
            price=Money(Decimal("1.50"), "USD"),
            units=(UnitConversion(unit="CS", factor=Decimal(12)), UnitConversion(unit="PK", factor=Decimal("6.5"))),
            substitutes=("B", "C"),
        ),
        Product(
            sku="KIT",
            components=(Component(sku="A", quantity=Decimal(2)), Component(sku="ODD=SKU", quantity=Decimal(1))),
        ),
        Product(sku="B", unit="LTR"),
    ]


def test_a_table_without_these_columns_has_plain_products(tmp_path: Path) -> None:
    assert products(tmp_path, "sku\nA\n") == [Product(sku="A")]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("units", "CS"),
        ("units", "CS=many"),
        ("units", "CS=0"),
        ("units", "=12"),
        ("components", "B"),
        ("components", "B=-1"),
        ("components", "=1"),
    ],
)
def test_a_cell_that_cannot_be_read_names_its_line(tmp_path: Path, column: str, cell: str) -> None:
    with pytest.raises(NeedsConfig, match=r"products\.csv:3: no product: "):
        products(tmp_path, f"sku,{column}\nA,\nB,{cell}\n")
