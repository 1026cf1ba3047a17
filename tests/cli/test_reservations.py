# SPDX-License-Identifier: Apache-2.0
"""`crossdock reservations` against a real database: what it prints, what it changes, its exit codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crossdock.catalog.cache import Catalog
from crossdock.cli import reservations
from crossdock.inventory.reserve import Reserving
from crossdock.runtime.postgres import open_pool
from tests.inventory.holding import body, rules, stocked, want


@pytest.fixture
def held(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The ids of two reservations in the database that the commands find."""

    async def fill() -> list[str]:
        pool = await open_pool(database, max_size=1)
        await stocked(pool, ("CD-1", "EAST", 5))
        desk = Reserving(pool, rules(), Catalog())
        ids = []
        for key in ("a", "b"):
            (outcome,) = await desk.reserve([want(key, ("CD-1", 2))])
            ids.append(str(body(outcome)["id"]))
        await pool.close()
        return ids

    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("CROSSDOCK_DATA", str(tmp_path))
    return asyncio.run(fill())


def run(*words: str) -> Result:
    return CliRunner().invoke(reservations.app, list(words))


def test_list_show_and_release(held: list[str]) -> None:
    first, second = held
    listed = json.loads(run("list", "--json").stdout)
    assert [(one["id"], one["state"]) for one in listed] == [(second, "active"), (first, "active")]
    assert json.loads(run("list", "--channel", "portal", "--json").stdout) == []
    shown = run("show", first)
    assert shown.exit_code == 0
    assert "cart a" in shown.stdout
    assert "EAST" in shown.stdout
    tried = run("release", first, "--dry-run", "--json")
    assert (tried.exit_code, json.loads(tried.stdout)["state"]) == (0, "released")
    assert json.loads(run("show", first, "--json").stdout)["state"] == "active"
    done = run("release", first)
    assert (done.exit_code, "released" in done.stdout) == (0, True)
    assert [one["id"] for one in json.loads(run("list", "--json").stdout)] == [second]
    assert [one["id"] for one in json.loads(run("list", "--state", "released", "--json").stdout)] == [first]


def test_what_is_not_there_says_so(held: list[str]) -> None:
    assert run("show", "rsv_0").exit_code == 1
    assert run("release", "rsv_0").exit_code == 1
    assert run("list", "--state", "melted").exit_code == 2
    assert "No reservation fits." in run("list", "--state", "expired").stdout
