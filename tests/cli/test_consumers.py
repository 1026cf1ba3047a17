# SPDX-License-Identifier: Apache-2.0
"""`crossdock consumers usage`: who still calls what, from the terminal; the contract with what the estate ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from crossdock.cli.main import build
from crossdock.governance.route_usage import RouteTally
from crossdock.runtime.postgres import connect
from tests.estate.estates import SOUND, write_estate

ENDS = """
deprecations:
  GET /v1/orders: {deprecated_on: 2026-01-01, sunset: 2026-07-01, replaced_by: GET /v1/availability}
"""


@pytest.fixture
def estate(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")

    async def fill() -> None:
        tally = RouteTally()
        for consumer, path, number in (("portal", "/v1/orders", 3), ("desk", "/v1/ops/books", 2)):
            for _ in range(number):
                tally.add(consumer, "GET", path)
        conn = await connect(database)
        try:
            await tally.share(conn)
        finally:
            await conn.close()

    asyncio.run(fill())
    return write_estate(tmp_path, SOUND + ENDS)


def asked(estate: Path, *arguments: str) -> Result:
    return CliRunner().invoke(build(["consumers"]), ["consumers", "usage", "-e", str(estate), *arguments])


def rows(estate: Path, *arguments: str) -> list[Any]:
    result = asked(estate, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [(one["consumer"], one["route"], one["requests"], one["deprecated"]) for one in json.loads(result.stdout)]


def test_who_calls_what(estate: Path) -> None:
    portal, desk = ("portal", "GET /v1/orders", 3, True), ("desk", "GET /v1/ops/books", 2, False)
    assert rows(estate) == [portal, desk]
    assert rows(estate, "--deprecated") == [portal]
    assert rows(estate, "--route", "/v1/ops/books") == [desk]
    assert rows(estate, "--route", "GET /v1/ops/books", "--deprecated") == []
    assert rows(estate, "--consumer", "desk", "--since", "2d") == [desk]
    table = asked(estate).stdout
    assert "2026-07-01 (passed), use GET /v1/availability" in table
    assert asked(estate, "--consumer", "nobody").stdout.startswith("Nobody called it since ")


def test_a_route_that_there_is_not_is_told(estate: Path) -> None:
    result = asked(estate, "--route", "/v1/nothing")
    assert result.exit_code != 0
    assert "there is no route '/v1/nothing'" in " ".join(result.output.split())


def test_the_contract_of_an_estate_marks_what_ends(estate: Path) -> None:
    def deprecated(*arguments: str) -> bool:
        result = CliRunner().invoke(build(["openapi"]), ["openapi", *arguments])
        return bool(json.loads(result.stdout)["paths"]["/v1/orders"]["get"].get("deprecated", False))

    assert deprecated("-e", str(estate))
    assert not deprecated()
