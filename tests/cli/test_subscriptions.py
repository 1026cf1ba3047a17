# SPDX-License-Identifier: Apache-2.0
"""`crossdock subscriptions` against a real database: what it prints, what it changes, its exit codes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from crossdock.cli import subscriptions
from crossdock.journal.audit import Author
from crossdock.runtime.postgres import open_pool
from crossdock.subscriptions.change import Wish, create


@pytest.fixture
def one(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a subscription in the database that the commands find."""
    monkeypatch.setenv("DATABASE_URL", database)

    async def make() -> str:
        async with await open_pool(database, max_size=1) as pool, pool.acquire() as conn, conn.transaction():
            wish = Wish(consumer="portal", url="https://portal.example/hook", types=["sales_order.*"])
            return (await create(conn, wish, Author(by="jo", origin="api")))[0]

    return asyncio.run(make())


def run(*words: str) -> Result:
    return CliRunner().invoke(subscriptions.app, list(words))


def told(*words: str) -> Any:
    return json.loads(run(*words, "--json").stdout)


def test_list_change_and_delete(one: str, database: str) -> None:
    listed = run("list")
    assert (listed.exit_code, "https://portal.example/hook" in listed.stdout) == (0, True)
    assert told("list", "--consumer", "nobody") == []
    off = run("disable", one, "--by", "jo", "--reason", "moving", "--json")
    assert (off.exit_code, json.loads(off.stdout)["state_reason"]) == (0, "disabled by jo")
    assert run("list").exit_code == 1
    assert told("enable", one)["state"] == "active"
    assert told("replay", one, "--since", "2h")["health"]["waiting"] == 0
    assert told("show", one)["types"] == ["sales_order.*"]
    assert "whsec_" not in run("show", one, "--json").stdout
    assert run("delete", one, "--by", "jo").exit_code == 0
    gone = run("show", one)
    assert (gone.exit_code, f"there is no subscription {one}" in gone.stderr) == (1, True)
    assert "No subscription fits." in run("list").stdout

    async def acts() -> list[tuple[str, str]]:
        async with await open_pool(database, max_size=1) as pool:
            rows = await pool.fetch("SELECT action, origin FROM audit ORDER BY id")
            return [tuple(row) for row in rows]

    assert asyncio.run(acts()) == [
        ("subscription.create", "api"),
        ("subscription.disable", "cli"),
        ("subscription.enable", "cli"),
        ("subscription.replay", "cli"),
        ("subscription.delete", "cli"),
    ]
