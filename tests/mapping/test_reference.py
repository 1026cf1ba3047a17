# SPDX-License-Identifier: Apache-2.0
"""docs/reference/mapping.md says what the code does: its tables name every word, its example compiles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import Struct

from crossdock.mapping.compile import compile_mapping
from crossdock.mapping.load import parse_mapping
from crossdock.mapping.reference import converter_table
from crossdock.sdk.words import Mapping, Rule

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "mapping.md").read_text(encoding="utf-8")


def test_the_table_of_converters_is_the_codes() -> None:
    written = PAGE.partition("<!-- converters begin -->\n")[2].partition("<!-- converters end -->")[0]
    assert written == converter_table(), "write converter_table() of crossdock.mapping.reference into the page"


@pytest.mark.parametrize(("heading", "struct"), [("## The mapping", Mapping), ("## A rule", Rule)])
def test_every_word_is_explained(heading: str, struct: type[Struct]) -> None:
    section = PAGE.partition(f"{heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)
    assert {word for cell in cells for word in re.findall(r"`(\w+)`", cell)} == set(struct.__struct_fields__)


def test_the_example_translates() -> None:
    example = PAGE.partition("```yaml\n")[2].partition("```")[0]
    mapping = parse_mapping(example, "mapping.md")
    row = {"Order": "A1", "Date": "2026-07-01 10:00", "Customer": "  Moore  Tools ", "Country": "Channel Islands"}
    rows = [
        {**row, "Line": "1", "Item": "x", "Quantity": "2", "Price": "1.25", "Total": "2.50"},
        {**row, "Line": "2", "Item": "y", "Quantity": "0", "Price": "9", "Total": "2.50"},
    ]
    order = compile_mapping(mapping, lambda table, theirs: f"{table}-{theirs}")({"rows": rows}, {"channel": "acme"})
    assert order.order_key == "acme/A1"
    assert order.placed_at.isoformat() == "2026-07-01T09:00:00+00:00"
    assert (order.customer.name, order.ship_to.country) == ("Moore Tools", "JE")
    assert [(line.sku, str(line.total)) for line in order.lines] == [("sku-x", "2.50 GBP")]
