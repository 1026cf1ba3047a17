# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.sandbox.catalog import CatalogConfig, gln, gs1_check_digit, gtin14, make_catalog, sscc


def test_check_digit_of_the_gs1_example() -> None:
    # GS1 General Specifications, figure of the check digit calculation: 37610425002123456 9
    assert gs1_check_digit("37610425002123456") == "9"


@given(st.integers(0, 99_999))
def test_numbers_have_their_length_and_a_valid_sum(number: int) -> None:
    for code, length in ((gtin14(number), 14), (gln(number), 13), (sscc(number), 18)):
        assert len(code) == length
        weights = [3 if place % 2 else 1 for place in range(length)]
        assert sum(int(digit) * weight for digit, weight in zip(reversed(code), weights, strict=True)) % 10 == 0


def test_equal_settings_give_equal_catalogs() -> None:
    config = CatalogConfig(seed=7, products=50)
    assert make_catalog(config) == make_catalog(config)
    assert make_catalog(config) != make_catalog(CatalogConfig(seed=8, products=50))


def test_first_and_last_product() -> None:
    catalog = make_catalog(CatalogConfig(products=50, locations=3))
    assert [catalog.products[0].sku, catalog.products[-1].sku] == ["CD-00001", "CD-00050"]
    assert [place.code for place in catalog.locations] == ["DC-EAST", "DC-WEST", "DC-NORTH"]
    assert set(catalog.products[0].stock) == {"DC-EAST", "DC-WEST", "DC-NORTH"}


@pytest.mark.parametrize("config", [CatalogConfig(products=0), CatalogConfig(locations=4), CatalogConfig(customers=0)])
def test_impossible_catalogs_are_refused(config: CatalogConfig) -> None:
    with pytest.raises(ValueError, match="catalog"):
        make_catalog(config)
