# SPDX-License-Identifier: Apache-2.0
"""`crossdock contract diff` as it is called: files, `current`, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from crossdock.api.asyncapi import asyncapi
from crossdock.canonical.objects import json_schema
from crossdock.cli.main import build
from crossdock.sdk.connector import load_connector

ORDER = {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}


def diff(*arguments: object) -> Result:
    return CliRunner().invoke(build(["contract"]), ["contract", "diff", *map(str, arguments)])


def written(path: Path, document: Any) -> Path:
    text = json.dumps(document) if path.suffix == ".json" else yaml.safe_dump(document, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_breaking_change_is_told_with_a_payload(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", ORDER)
    new = written(tmp_path / "new.yaml", {**ORDER, "properties": {"sku": {"type": "string", "maxLength": 3}}})
    result = diff(old, new, "--direction", "received")
    assert result.exit_code == 1
    assert "breaking: maxLength at #/properties/sku" in result.stdout
    assert 'valid under old: {"sku":"some text"}' in result.stdout
    assert "new refuses it: 'some text' is too long" in result.stdout
    assert result.stdout.endswith("1 breaking\n")
    assert diff(old, new, "--direction", "sent").exit_code == 0
    printed = json.loads(diff(old, new, "--json").stdout)
    assert (printed["compatible"], printed["kind"]) == (False, "schema")
    assert [(one["verdict"], one["direction"]) for one in printed["changes"]] == [
        ("breaking", "received"),
        ("compatible", "sent"),
    ]


def test_yaml_has_the_numbers_of_json(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", {"type": "integer", "maximum": 1000, "minimum": -9223372036854775808})
    new = tmp_path / "new.yaml"
    new.write_text("type: integer\nmaximum: 1e3\nminimum: -9223372036854775808\n", encoding="utf-8")
    assert diff(old, new).exit_code == 0
    new.write_text("type: integer\nmaximum: 2e3\nminimum: -9223372036854775808\n", encoding="utf-8")
    assert diff(old, new, "--direction", "sent").exit_code == 1


def test_names_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    api: dict[str, Any] = {"openapi": "3.1.0", "paths": {"/x": {"get": {"responses": {"200": {"description": "so"}}}}}}
    old = written(tmp_path / "old.json", api)
    new = tmp_path / "new.yaml"
    new.write_text("openapi: 3.1.0\npaths: {/x: {get: {responses: {200: {description: so}}}}}\n", encoding="utf-8")
    assert (diff(old, new).exit_code, diff(new, old).exit_code) == (0, 0)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("deep.json", '{"not":' * 101 + "{}" + "}" * 101, "nested deeper than 100 levels"),
        ("endless.json", "[" * 200_000, "nested deeper than 100 levels"),
        ("deep.yaml", "a: " + "[" * 101 + "]" * 101, "nested deeper than 100 levels"),
        ("bomb.yaml", "a: &a [x, x]\nb: &b [*a, *a]\n", "anchors and aliases are not read"),
        ("list.yaml", "[1]", "holds no document"),
        ("latin.json", '{"title": "\udce9"}', "can't decode byte 0xe9"),
    ],
)
def test_a_file_out_of_bounds_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    file = tmp_path / name
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    result = diff(file, "current")
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize("document", [json_schema("sales_order", 1), asyncapi()], ids=["schema", "asyncapi"])
def test_what_is_served_now_is_current(tmp_path: Path, document: Any) -> None:
    result = diff(written(tmp_path / "kept.yaml", json.loads(json.dumps(document))), "current")
    assert (result.exit_code, result.stdout) == (0, "no difference\n")


def test_a_mapping_of_a_connector_is_tried_on_its_samples(tmp_path: Path) -> None:
    mapping = next(one for one in load_connector("shopify").mappings if one.name == "shopify.order")
    kept = msgspec.to_builtins(mapping)
    same = diff(written(tmp_path / "order.yaml", kept), "current")
    assert same.exit_code == 0
    assert "no difference" in same.stdout
    (rule,) = [one for one in kept["rules"] if one["target"] == "number"]
    rule["via"] = [*rule.get("via", ()), "lower"]
    changed = diff(written(tmp_path / "order.yaml", kept), "current", "--json")
    printed = json.loads(changed.stdout)
    assert printed["samples"] > 0
    assert [one["change"]["target"] for one in printed["rules"]] == ["number"]
    assert changed.exit_code == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("current", "current", "nothing to compare with"),
        ("gone.json", "current", "No such file"),
        ("text.json", "current", "text.json"),
        ("order.json", "current", "which schema to compare with is not known"),
        ("order.json", "api.json", "one is schema, the other openapi"),
    ],
)
def test_what_cannot_be_compared_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.json").write_text("{", encoding="utf-8")
    written(tmp_path / "order.json", ORDER)
    written(tmp_path / "api.json", {"openapi": "3.1.0", "paths": {}})
    result = diff(old, new)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
