# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import jsonschema
import pytest
from typer import Typer
from typer.testing import CliRunner

from crossdock.cli.check import check_estate, findings_of
from crossdock.estate.schema import estate_schema
from crossdock.estate.source import read_source
from tests.estate.estates import MAPPING, changed, write_estate


def test_the_schema_takes_a_sound_estate_and_refuses_a_slip(tmp_path):
    validator = jsonschema.Draft202012Validator(estate_schema())
    validator.check_schema(estate_schema())
    assert list(validator.iter_errors(read_source(write_estate(tmp_path)).data)) == []
    slip = read_source(write_estate(tmp_path, changed("tier: gold", "teir: gold"))).data
    assert [list(error.path) for error in validator.iter_errors(slip)] == [["interfaces", "exports.orders"]]


@pytest.fixture
def cli():
    app = Typer()
    app.command()(check_estate)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_check_passes_a_sound_estate(tmp_path, cli):
    result = cli("-e", write_estate(tmp_path))
    assert result.exit_code == 0
    assert "nothing to mend" in result.output


def test_check_prints_findings_and_fails(tmp_path, cli):
    file = write_estate(tmp_path, changed("tier: gold, ", ""))
    result = cli("-e", file, "--json")
    assert result.exit_code == 1
    assert [finding["what"] for finding in json.loads(result.output)] == ["the interface has no tier"]
    table = cli("-e", file)
    assert table.exit_code == 1
    assert "1 to mend, 0 to look at" in table.output


def test_a_warning_is_no_failure(tmp_path, cli):
    assert cli("-e", write_estate(tmp_path, changed("state: active", "state: deprecated"))).exit_code == 0


def test_check_tells_slips_of_shape_too(tmp_path, cli):
    result = cli("-e", write_estate(tmp_path, changed("owners:", "oners:")), "--json")
    assert result.exit_code == 1
    assert "unknown section 'oners'" in result.output


def test_check_finds_what_only_shows_when_compiled(tmp_path):
    file = write_estate(tmp_path)
    (tmp_path / "sku.csv").write_text("system,theirs,ours\nexports,a,A\nexports,a,B\n")
    assert [finding.what for finding in findings_of(file)] == ["sku.csv: 'a' of exports is both 'A' and 'B'"]


def test_the_schema_is_printed_for_editors(cli):
    assert json.loads(cli("--schema").output)["title"] == "Crossdock estate"


def test_check_reads_the_mappings_too(tmp_path):
    file = write_estate(tmp_path)
    assert findings_of(file) == []
    mapping = tmp_path / "order.yaml"
    mapping.write_text(MAPPING.replace("target: sku", "target: skew"))
    (finding,) = [finding for finding in findings_of(file) if "skew" in finding.what]
    assert finding.where == "order.yaml:13"
    assert finding.severity == "error"
