# SPDX-License-Identifier: Apache-2.0
"""Operator commands against a real database: what they print, what they change, and their exit codes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from crossdock.cli import cases
from crossdock.cli.balance import show_balance
from crossdock.cli.trace import show_trace
from crossdock.runtime.postgres import connect
from tests.journal.filling import Filling, canonical_order

app = typer.Typer()
app.command("balance")(show_balance)
app.command("trace")(show_trace)
app.add_typer(cases.app)

Fill = Callable[[Callable[[Filling], Awaitable[Any]]], Any]


@pytest.fixture
def on_database(database: str, monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Run something with a `Filling` on a fresh database that the commands find too."""
    monkeypatch.setenv("DATABASE_URL", database)

    def run(work: Callable[[Filling], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            conn = await connect(database)
            try:
                return await work(Filling(conn))
            finally:
                await conn.close()

        return asyncio.run(connected())

    run(lambda fill: fill.interfaces())
    return run


def crossdock(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=text)


def stuck(fill: Fill, body: bytes = b'{"sku": "XX-1"}') -> tuple[int, int]:
    """A document in triage and its case."""

    async def work(filling: Filling) -> tuple[int, int]:
        document = await filling.document(state="case", body=body)
        return document, await filling.case(document, owner="jo", field="sku", fix="add it")

    return fill(work)


def test_balanced_books_exit_0(on_database: Fill) -> None:
    on_database(lambda fill: fill.document(state="settled"))
    result = crossdock("balance")
    assert result.exit_code == 0
    assert "shopify-us.orders" in result.stdout
    assert "NOT BALANCED" not in result.stdout


def test_unbalanced_books_exit_1_and_say_why(on_database: Fill) -> None:
    on_database(lambda fill: fill.message())
    result = crossdock("balance")
    assert result.exit_code == 1
    assert "NOT BALANCED" in result.stdout
    assert "shopify-us.orders: +1 received without a state" in result.stdout
    assert "1 messages bear no document" in result.stdout


def test_books_for_programs(on_database: Fill) -> None:
    stuck(on_database)
    answer = json.loads(crossdock("balance", "--json").stdout)
    assert answer["balanced"] is True
    assert [(b["interface"], b["received"], b["open"]) for b in answer["interfaces"]] == [
        ("shopify-us.orders", 1, 1),
        ("warehouse.stock", 0, 0),
    ]
    assert [d["reason"] for d in answer["open"]] == ["SKU XX-1 is not known"]


def test_nothing_running_is_exit_3_with_a_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    result = crossdock("balance", "--data", str(tmp_path))
    assert result.exit_code == 3
    assert "no Crossdock runs on the data folder" in result.stderr
    assert "crossdock up" in result.stderr


def test_a_dead_database_is_exit_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:s3cret@127.0.0.1:9/none")
    result = crossdock("balance")
    assert result.exit_code == 3
    assert "PostgreSQL cannot be reached" in result.stderr
    assert "s3cret" not in result.stderr


def test_trace_prints_the_timeline(on_database: Fill) -> None:
    async def work(filling: Filling) -> None:
        document = await filling.document("order/shopify-us/5001", "delivering", "deliver", open_deliveries=1)
        await filling.order(document)
        delivery = await filling.delivery(document, last_error="busy [red]")
        await filling.attempt(delivery, 1, "retry_later", status=429, error="busy [red]")

    on_database(work)
    result = crossdock("trace", "#1001")
    assert result.exit_code == 0
    for text in (
        "Order #1001 · 41.50 USD · customer C-204",
        "netsuite sales_order try 1: retry_later",
        "busy [red] (PUT https://erp/orders → 429)",
        '"entity": "us"',
        "owed: netsuite sales_order is due",
    ):
        assert text in result.stdout
    assert json.loads(crossdock("trace", "#1001", "--json").stdout)["key"] == "order/shopify-us/5001"


def test_an_unknown_key_is_exit_1(on_database: Fill) -> None:
    result = crossdock("trace", "nothing")
    assert (result.exit_code, "nothing here is called 'nothing'" in result.stderr) == (1, True)


def test_cases_are_listed_and_shown(on_database: Fill) -> None:
    assert "No open cases: nothing needs a person." in crossdock("cases", "list").stdout
    _, case = stuck(on_database)
    listed = crossdock("cases", "list", "--owner", "jo").stdout
    assert "SKU XX-1 is not known" in listed
    assert "41.50 USD" in listed
    assert "No case fits." in crossdock("cases", "list", "--owner", "ann").stdout
    assert [c["id"] for c in json.loads(crossdock("cases", "list", "--json").stdout)] == [case]
    shown = crossdock("cases", "show", str(case)).stdout
    assert "add it" in shown
    assert '{"sku": "XX-1"}' in shown
    assert crossdock("cases", "show", "99").exit_code == 1
    assert crossdock("cases", "list", "--state", "lost").exit_code == 2


def test_retry_by_id_and_by_filter(on_database: Fill) -> None:
    document, case = stuck(on_database)
    preview = crossdock("cases", "retry", str(case), "--dry-run", "--by", "jo")
    assert (preview.exit_code, preview.stdout) == (0, "would retry: 1 of 1 cases\n")
    assert on_database(lambda fill: fill.state(document))[0] == "case"
    done = crossdock("cases", "retry", "--class", "needs_edit", "--by", "jo", "--json")
    assert json.loads(done.stdout) == {"action": "retry", "cases": [case], "done": 1, "dry_run": False}
    assert on_database(lambda fill: fill.state(document))[0] == "received"
    again = crossdock("cases", "retry", str(case), "--by", "jo")
    assert (again.exit_code, again.stdout) == (1, "retry: 0 of 1 cases\n")


def test_ids_or_filters_must_be_given(on_database: Fill) -> None:
    assert crossdock("cases", "retry").exit_code == 2
    assert crossdock("cases", "retry", "1", "--system", "x").exit_code == 2
    assert crossdock("cases", "dismiss", "1").exit_code == 2


def test_dismiss_with_a_reason(on_database: Fill) -> None:
    document, case = stuck(on_database)
    result = crossdock("cases", "dismiss", str(case), "--reason", "test order", "--by", "jo")
    assert (result.exit_code, result.stdout) == (0, "dismiss: 1 of 1 cases\n")
    assert on_database(lambda fill: fill.state(document))[0] == "rejected"


def newest(fill: Fill) -> bytes:
    return fill(lambda f: f.conn.fetchval("SELECT body FROM document_version ORDER BY number DESC LIMIT 1"))


def test_edit_by_fields(on_database: Fill) -> None:
    _, case = stuck(on_database, b'{"id": 7, "lines": [{"sku": "XX-1", "quantity": 1}]}')
    result = crossdock(
        "cases", "edit", str(case), "--set", "lines[0].sku=1001", "--set", "lines[0].quantity=2", "--by", "jo"
    )
    assert (result.exit_code, result.stdout) == (0, "edit: 1 of 1 cases\n")
    assert newest(on_database) == b'{"id":7,"lines":[{"sku":"1001","quantity":2}]}'


def test_edit_from_a_file_and_from_standard_input(on_database: Fill, tmp_path: Path) -> None:
    _, case = stuck(on_database)
    file = tmp_path / "mended.json"
    file.write_text('{"sku": "CD-1"}')
    assert crossdock("cases", "edit", str(case), "--file", str(file), "--by", "jo", "--dry-run").exit_code == 0
    assert newest(on_database) is None
    assert crossdock("cases", "edit", str(case), "--file", "-", "--by", "jo", text='{"sku": "CD-2"}').exit_code == 0
    assert newest(on_database) == b'{"sku": "CD-2"}'


def test_edit_in_the_editor(on_database: Fill, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, case = stuck(on_database)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/XX-1/CD-3/ "$1"\n')
    os.chmod(editor, 0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    assert crossdock("cases", "edit", str(case), "--by", "jo").exit_code == 0
    assert json.loads(newest(on_database)) == {"sku": "CD-3"}


def test_an_edit_that_changes_nothing_does_nothing(on_database: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    _, case = stuck(on_database)
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.delenv("VISUAL", raising=False)
    assert crossdock("cases", "edit", str(case), "--by", "jo").exit_code == 1
    assert newest(on_database) is None


@pytest.mark.parametrize("assign", ["nothing", "lines[9].sku=1", "a.b.c=1", "=1"])
def test_a_path_that_leads_nowhere_is_wrong_usage(on_database: Fill, assign: str) -> None:
    _, case = stuck(on_database, b'{"lines": []}')
    assert crossdock("cases", "edit", str(case), "--set", assign, "--by", "jo").exit_code == 2


def test_a_bad_edit_names_the_field(on_database: Fill) -> None:
    async def work(filling: Filling) -> int:
        document = await filling.document(state="case", step="decide", kind="sales_order")
        await filling.version(document, canonical_order())
        return await filling.case(document, step="decide")

    case = on_database(work)
    result = crossdock("cases", "edit", str(case), "--set", "currency=dollars", "--by", "jo")
    assert result.exit_code == 1
    assert "(currency)" in result.stderr
    assert "/schemas/sales_order/1" in result.stderr
