# SPDX-License-Identifier: Apache-2.0
"""`crossdock audit` against a real database: what it prints and its exit codes; each act leaves one entry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from crossdock.catalog.cache import Catalog
from crossdock.cli import audit, cases, reservations
from crossdock.governance.issue_keys import KeyWish, create_key, revoke_key, rotate_key
from crossdock.inventory.reserve import Reserving
from crossdock.runtime.postgres import open_pool
from tests.inventory.holding import body, rules, stocked, want
from tests.journal.filling import Filling

app = typer.Typer()
for group in (audit.app, cases.app, reservations.app):
    app.add_typer(group)

Run = Callable[[Callable[[Any], Awaitable[Any]]], Any]


@pytest.fixture
def on_database(database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run something with a pool on a fresh database that the commands find too."""
    monkeypatch.setenv("DATABASE_URL", database)

    def run(work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            async with await open_pool(database, max_size=2) as pool:
                return await work(pool)

        return asyncio.run(connected())

    return run


def crossdock(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def entries() -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(crossdock("audit", "list", "--json").stdout)
    return told


async def three_cases(pool: Any) -> list[int]:
    async with pool.acquire() as conn:
        fill = Filling(conn)
        await fill.interfaces()
        return [
            await fill.case(await fill.document(f"order/{n}", "case", body=b'{"a": 1}'), key=f"order/{n}")
            for n in (1, 2, 3)
        ]


def test_each_act_on_a_case_leaves_exactly_one_entry(on_database: Run) -> None:
    first, second, third = on_database(three_cases)
    assert crossdock("cases", "retry", str(first), "--by", "jo", "--dry-run").exit_code == 0
    assert entries() == []
    assert crossdock("cases", "retry", str(first), "--by", "jo", "--reason", "again").exit_code == 0
    assert crossdock("cases", "dismiss", str(second), "--by", "jo", "--reason", "a test").exit_code == 0
    assert crossdock("cases", "edit", str(third), "--set", "a=2", "--by", "jo").exit_code == 0
    told = [(e["action"], e["what"], e["origin"], e["reason"], e["before"], e["after"]) for e in reversed(entries())]
    assert told == [
        ("case.retry", f"case/{first}", "cli", "again", {"state": "case"}, {"state": "due", "step": "translate"}),
        ("case.dismiss", f"case/{second}", "cli", "a test", {"state": "case"}, {"state": "rejected"}),
        ("case.edit", f"case/{third}", "cli", "", {"a": 1}, {"a": 2}),
    ]
    keys = json.loads(crossdock("audit", "list", "--key", "order/2", "--json").stdout)
    assert [one["what"] for one in keys] == [f"case/{second}"]
    shown = crossdock("audit", "list", "--kind", "case", "--since", "1h", "--who", "jo", "--limit", "3")
    assert (shown.exit_code, "Only the newest 3" in shown.stdout, "case.dismiss" in shown.stdout) == (0, True, True)
    assert "No act fits." in crossdock("audit", "list", "--who", "nobody").stdout


def test_a_reservation_given_back_leaves_one_entry_and_once(on_database: Run) -> None:
    async def hold(pool: Any) -> str:
        await stocked(pool, ("CD-1", "EAST", 5))
        (outcome,) = await Reserving(pool, rules(), Catalog()).reserve([want("a", ("CD-1", 2))])
        return str(body(outcome)["id"])

    one = on_database(hold)
    for _ in range(2):
        assert crossdock("reservations", "release", one, "--by", "jo", "--reason", "call").exit_code == 0
    (entry,) = entries()
    assert (entry["action"], entry["what"], entry["who"]) == ("reservation.release", f"reservation/{one}", "jo")
    assert (entry["before"], entry["after"]) == ({"state": "active"}, {"state": "released"})


def test_each_act_on_a_key_leaves_one_entry_without_the_key(on_database: Run) -> None:
    async def acts(pool: Any) -> list[str]:
        async with pool.acquire() as conn, conn.transaction():
            made, first = await create_key(conn, KeyWish(consumer="portal", plan="gold", by="jo"))
            again, second, _ = await rotate_key(conn, first.name, timedelta(hours=1), "jo")
            for _ in range(2):
                await revoke_key(conn, second.name, "jo")
            return [made.key.reveal(), again.key.reveal(), first.name, second.name]

    *keys, first, second = on_database(acts)
    told = [(one["action"], one["what"], one["who"], one["origin"]) for one in reversed(entries())]
    assert told == [
        ("key.create", f"key/{first}", "jo", "cli"),
        ("key.rotate", f"key/{first}", "jo", "cli"),
        ("key.revoke", f"key/{second}", "jo", "cli"),
    ]
    assert entries()[1]["after"]["replaced_by"] == second
    assert not any(key in json.dumps(entries()) for key in keys)


def test_verify_says_the_first_broken_row(on_database: Run) -> None:
    first, second, _ = on_database(three_cases)
    assert crossdock("audit", "verify").stdout.startswith("0 rows hold")
    crossdock("cases", "retry", str(first), str(second), "--by", "jo")
    head = crossdock("audit", "head").stdout.strip()
    assert head.startswith("2:")
    assert json.loads(crossdock("audit", "head", "--json").stdout)["id"] == 2
    whole = crossdock("audit", "verify", "--head", head)
    assert (whole.exit_code, whole.stdout) == (0, f"2 rows hold; the head is {head}\n")
    other = crossdock("audit", "verify", "--head", f"2:{'0' * 64}", "--json")
    assert (other.exit_code, json.loads(other.stdout)["broken"]["id"]) == (1, 2)
    assert crossdock("audit", "verify", "--head", "nonsense").exit_code == 2

    async def tamper(pool: Any) -> None:
        await pool.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        await pool.execute("UPDATE audit SET reason = 'nothing to see here' WHERE id = 1")

    on_database(tamper)
    broken = crossdock("audit", "verify")
    assert broken.exit_code == 1
    assert "broken at row 1: its hash is not that of its content and the row before" in broken.stderr
