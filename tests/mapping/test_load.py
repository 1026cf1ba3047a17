# SPDX-License-Identifier: Apache-2.0
"""Mapping files: the same mapping as in Python, and every error at its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from crossdock.mapping.failures import MappingError
from crossdock.mapping.load import load_mapping, mapping_schema, parse_mapping
from crossdock.sdk.words import Mapping
from tests.mapping.orders import IN, OUT

GOOD = """\
name: levels
version: 1
direction: in
source: rows of the stock file
target: stock_level
dropped: [rows.Colour]
rules:
  - {target: sku, source: rows.0.SKU, via: [strip, upper]}
  - {target: location, source: rows.0.Site, crosswalk: location}
  - target: on_hand
    source: rows.0.Count
    via: [decimal]
  - {target: safety, source: rows.0.Safety, via: [[decimal, ","]], default: 0}
  - {target: as_of, source: rows.0.At, via: [[datetime, Europe/London]]}
"""


def plain(mapping: Mapping) -> Any:
    """`mapping` as YAML would hold it."""
    return msgspec.to_builtins(mapping)


@pytest.mark.parametrize("mapping", [IN, OUT], ids=["in", "out"])
def test_a_mapping_survives_yaml(mapping: Mapping) -> None:
    assert parse_mapping(yaml.safe_dump(plain(mapping)), "x.yaml") == mapping


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "levels.yaml"
    path.write_text(GOOD, encoding="utf-8")
    mapping = load_mapping(path)
    assert mapping.label == "levels/1"
    assert mapping.rules[3].via == (("decimal", ","),)
    assert mapping.rules[3].default == 0


def test_words_that_yaml_would_guess_stay_text() -> None:
    text = GOOD.replace("[strip, upper]", "[strip, [match, {NO: 010, yes: 12:30, b: 2026-01-01}]]")
    assert parse_mapping(text, "x").rules[0].via[1] == ("match", {"NO": "010", "yes": "12:30", "b": "2026-01-01"})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "Count\n    via: [decimal]",
            "Count\n    via: [dezimal]",
            "f.yaml:10: rule on_hand: there is no converter 'dezimal'",
        ),
        ("Count\n    via:", "Count\n    vias:", "f.yaml:10: Object contains unknown field `vias`"),
        ("crosswalk: location", "colour: red", "f.yaml:9: Object contains unknown field `colour`"),
        ("version: 1", "version: one", "f.yaml:2: Expected `int`, got `str`"),
        ("version: 1", "version: 1\nversion: 2", "f.yaml:3: version is given twice"),
        ("target: safety", "target: safty", "f.yaml:13: rule safty: StockLevel has no such field"),
        ("dropped: [", "dropped: {", "f.yaml:6: not YAML"),
        ("source: rows of", "functions: os.path\nsource: rows of", "f.yaml:4: this file may not name functions"),
        ("dropped: [rows.Colour]", "dropped: &a [*a]", "f.yaml:6: too much or too deeply nested"),
    ],
)
def test_an_error_names_file_and_line(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(MappingError) as caught:
        parse_mapping(GOOD.replace(old, new), "f.yaml")
    assert caught.value.reason.startswith(said)
    assert caught.value.fix


def test_a_problem_inside_each_names_its_line() -> None:
    text = yaml.safe_dump({**plain(IN), "functions": ""}, sort_keys=False).replace("target: line\n", "target: lin\n")
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, "f.yaml")
    line = next(number for number, content in enumerate(text.splitlines(), 1) if content.endswith("target: lin"))
    assert f"f.yaml:{line}: rule lines.lin: OrderLine has no such field" in caught.value.reason


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a\n", "just text", "a: " * 5000, "[" * 5000, "\x00", "? [a]\n: b\n"]
)
def test_no_mapping_at_all_is_told(text: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, "f.yaml")
    assert caught.value.reason.startswith("f.yaml")


def test_an_alias_bomb_is_stopped() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(MappingError, match="too much or too deeply nested"):
        parse_mapping(bomb, "f.yaml")


def test_a_missing_file_and_bad_bytes_are_told(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file"):
        load_mapping(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff")
    with pytest.raises(MappingError, match="not UTF-8 at byte 6"):
        load_mapping(tmp_path / "bad.yaml")


def test_the_schema_takes_what_the_loader_takes() -> None:
    schema = mapping_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for mapping in (plain(IN), plain(OUT), yaml.safe_load(GOOD)):
        validator.validate(msgspec.json.decode(msgspec.json.encode(mapping)))
    assert not validator.is_valid({**yaml.safe_load(GOOD), "colour": "red"})
    assert not validator.is_valid({**yaml.safe_load(GOOD), "direction": "sideways"})
