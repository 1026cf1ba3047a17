# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.estate.findings import EstateError
from crossdock.estate.source import MAX_FILE_BYTES, Place, read_source


def source_of(folder: Path, text: str | bytes):
    file = folder / "e.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_source(file)


def test_scalars_are_what_they_look_like(tmp_path):
    text = "a: NO\nb: 12\nc: 1.5\nd: true\ne: null\nf: '12'\ng: 0123\nh: 2026-01-01\ni: 1_000\nj: yes\nk:\n"
    assert source_of(tmp_path, text).data == {
        "a": "NO",
        "b": 12,
        "c": 1.5,
        "d": True,
        "e": None,
        "f": "12",
        "g": "0123",
        "h": "2026-01-01",
        "i": "1_000",
        "j": "yes",
        "k": None,
    }


def test_numbers_of_json_are_numbers_when_asked_for(tmp_path):
    file = tmp_path / "e.yaml"
    file.write_text("a: 1e3\nb: -1.5E-2\nc: 18446744073709551615\nd: 1e999\ne: '1e3'\nf: 01\ng: true\nh: 7\n")
    assert read_source(file).data["a"] == "1e3"
    read = read_source(file, json_numbers=True).data
    assert read == {
        "a": 1000.0,
        "b": -0.015,
        "c": 18446744073709551615,
        "d": "1e999",
        "e": "1e3",
        "f": "01",
        "g": True,
        "h": 7,
    }


def test_bounds_are_those_given(tmp_path):
    file = tmp_path / "e.yaml"
    file.write_text("a: " + "[" * 40 + "]" * 40)
    assert list(read_source(file, deepest=41).data) == ["a"]
    with pytest.raises(EstateError, match="nested deeper than 40 levels"):
        read_source(file, deepest=40)
    with pytest.raises(EstateError, match="the file has 83 bytes, at most 82"):
        read_source(file, largest=82)


def test_places_of_keys_and_elements(tmp_path):
    source = source_of(tmp_path, "a:\n  b: 1\n  c:\n    - x\n    - y\n")
    file = tmp_path / "e.yaml"
    assert source.places["a", "b"] == Place(file, 2)
    assert source.places["a", "c", 1] == Place(file, 5)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: &x [1]\nb: *x\n", "e.yaml:1", "anchors and aliases are not read"),
        ("a: 1\nb: 2\na: 3\n", "e.yaml:3", "'a' is there twice, first at e.yaml:1"),
        (
            "a: 1\nb: !!python/object:os.system {}\n",
            "e.yaml:2",
            "the tag tag:yaml.org,2002:python/object:os.system is not read",
        ),
        ("a:\n  - 1\n b: 2\n", "e.yaml:3", "not YAML:"),
        ("a: " + "[" * 40 + "]" * 40, "e.yaml:1", "nested deeper than 30 levels"),
        ("a: 1\n? [x]\n: 2\n", "e.yaml:2", "a key is not a plain name"),
        (b"a: \xff\n", "e.yaml:1", "byte 3 is not UTF-8"),
        (b"a: \x00\n", "e.yaml:1", "not YAML:"),
        ("#" * (MAX_FILE_BYTES + 1), "e.yaml:1", f"the file has {MAX_FILE_BYTES + 1} bytes"),
    ],
)
def test_what_is_refused_names_its_line(tmp_path, text, where, what):
    with pytest.raises(EstateError) as caught:
        source_of(tmp_path, text)
    (finding,) = caught.value.findings
    assert finding.where == where
    assert finding.what.startswith(what)
    assert finding.fix


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EstateError, match=r"none\.yaml:1: cannot be read"):
        read_source(tmp_path / "none.yaml")
