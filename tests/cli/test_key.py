# SPDX-License-Identifier: Apache-2.0
"""`crossdock key` against a real database: what it prints, what it keeps, its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crossdock.cli import key
from tests.governance.estates import write

KEY = re.compile(r"cdk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


@pytest.fixture
def estate(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("CROSSDOCK_DATA", str(tmp_path))
    file = write(tmp_path)
    monkeypatch.setenv("CROSSDOCK_ESTATE", str(file))
    return file


def run(*words: str) -> Result:
    return CliRunner().invoke(key.app, list(words))


def listed(*words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("list", "--json", *words).stdout)
    return found


@pytest.mark.usefixtures("estate")
def test_a_key_is_printed_once_and_never_again() -> None:
    made = run(
        "create", "portal", "--plan", "slow", "--scope", "availability:read", "--note", "web shop", "--by", "ann"
    )
    assert made.exit_code == 0
    found = KEY.fullmatch(made.stdout.strip())
    assert found is not None
    assert "it is not shown again" in made.stderr
    secret = made.stdout.strip()[17:]
    table, as_json = run("list"), run("list", "--json", "--all")
    assert secret not in table.output + as_json.output
    (one,) = listed()
    assert (one["name"], one["consumer"], one["plan"], one["scopes"], one["note"], one["made_by"]) == (
        found[1],
        "portal",
        "slow",
        ["availability:read"],
        "web shop",
        "ann",
    )
    assert found[1] in table.output


@pytest.mark.usefixtures("estate")
def test_a_life_of_keys() -> None:
    first = json.loads(run("create", "portal", "--expires-in", "90d", "--json").stdout)
    assert KEY.fullmatch(first["key"])
    rotated = run("rotate", first["made"]["name"], "--overlap", "1h")
    assert rotated.exit_code == 0
    assert f"{first['made']['name']} goes on until" in rotated.stderr
    second = rotated.stdout.strip()
    assert [one["name"] for one in listed()] == [second[4:16], first["made"]["name"]]
    # A leaked key may be given whole.
    revoked = run("revoke", second, "--by", "eve")
    assert (revoked.exit_code, second in revoked.output) == (0, False)
    assert "was revoked by eve" in revoked.stdout
    assert [one["name"] for one in listed()] == [first["made"]["name"]]
    assert len(listed("--all")) == 2
    assert listed("--consumer", "desk") == []
    assert run("list", "--consumer", "desk").stdout.strip() == "No key fits."


@pytest.mark.usefixtures("estate")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "nobody"), "there is no consumer 'nobody'"),
        (("create", "portal", "--plan", "brass"), "there is no plan 'brass'"),
        (("create", "portal", "--scope", "ops"), "portal itself lacks the scope 'ops'"),
        (("create", "portal", "--scope", "everything"), "portal itself lacks the scope 'everything'"),
        (("rotate", "000000000000"), "there is no such key"),
        (("revoke", "000000000000"), "there is no such key"),
    ],
)
def test_what_cannot_be(words: tuple[str, ...], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "fix:" in result.stderr
    assert listed("--all") == []


@pytest.mark.usefixtures("estate")
def test_a_time_that_is_none() -> None:
    assert run("create", "portal", "--expires-in", "soon").exit_code == 2
    assert run("rotate", "000000000000", "--overlap", "0d").exit_code == 2
