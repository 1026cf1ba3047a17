# SPDX-License-Identifier: Apache-2.0
"""`crossdock send` against a real database: what is kept, what is said, exit codes."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.cli.send import send
from crossdock.runtime.postgres import connect

app = typer.Typer()
app.command()(send)

SAMPLES = Path(__file__).parents[2] / "src" / "crossdock" / "connectors" / "shopify" / "samples"
ORDER = SAMPLES / "shopify.order.typical.in.json"
FEED = "exports.orders"
Fetch = Callable[[str], list[dict[str, Any]]]


def write_estate(folder: Path) -> Path:
    """The demo's estate, with a partner who sends files."""
    estate = yaml.safe_load(files("crossdock.app.demo").joinpath("estate.yaml").read_text("utf-8"))
    estate["systems"]["exports"] = {"connector": "file_drop", "owner": "web-team"}
    estate["interfaces"][FEED] = dict(estate["interfaces"]["shopify-us.orders"], system="exports", topics=["order"])
    topic = {"topic": "order", "key": "order/exports/{Order}", "problem": "{Order} waits", "fix": "-"}
    columns = ["Order", "Sku", "Qty"]
    feed = {"folder": "drop", "columns": columns, "group_by": ["Order"], "max_file_bytes": 1000, "topics": [topic]}
    estate["files"] = {FEED: feed}
    (folder / "products.csv").write_text("sku\nCD-00001\n")
    (folder / "customers.csv").write_text("customer_id\nWEB-STORE\n")
    selling = files("crossdock.app.demo").joinpath("publication.yaml").read_text("utf-8")
    (folder / "selling.yaml").write_text(selling, "utf-8")
    path = folder / "estate.yaml"
    path.write_text(yaml.safe_dump(estate, sort_keys=False))
    return path


@pytest.fixture
def estate(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An estate that the database was prepared for."""
    monkeypatch.setenv("DATABASE_URL", database)
    path = write_estate(tmp_path)
    asyncio.run(prepare(database, wire(path)))
    return path


@pytest.fixture
def fetch(database: str) -> Fetch:
    """Rows of a query."""

    def run(query: str) -> list[dict[str, Any]]:
        async def ask() -> list[asyncpg.Record]:
            conn = await connect(database)
            try:
                return await conn.fetch(query)
            finally:
                await conn.close()

        return [dict(row) for row in asyncio.run(ask())]

    return run


def crossdock_send(estate: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["-e", str(estate), *(str(one) for one in arguments)])


def test_a_payload_is_kept_as_its_receiver_reads_it(estate: Path, fetch: Fetch) -> None:
    result = crossdock_send(estate, "shopify-us.orders", ORDER, "--json")
    assert result.exit_code == 0, result.output
    [report] = json.loads(result.stdout)
    assert (report["rows"], report["documents"], report["duplicates"], report["refused"]) == (1, 1, 0, "")
    source = json.loads(ORDER.read_bytes())
    [kept] = fetch("SELECT topic, key, version, overtakes, note FROM document")
    assert kept["topic"] == "orders/create"
    assert kept["key"] == f"order/shopify-us/{source['id']}"
    assert kept["version"] > 0
    assert kept["overtakes"] is True
    assert kept["note"] == ""
    [message] = fetch("SELECT body FROM message")
    assert message["body"] == ORDER.read_bytes()


def test_the_same_payload_again_is_known(estate: Path, fetch: Fetch, tmp_path: Path) -> None:
    other = tmp_path / "other-name.json"
    other.write_bytes(ORDER.read_bytes())
    result = crossdock_send(estate, "shopify-us.orders", ORDER, other, ORDER, "--json")
    assert [report["duplicates"] for report in json.loads(result.stdout)] == [0, 1, 1]
    assert fetch("SELECT count(*) FROM document") == [{"count": 1}]
    assert fetch("SELECT count(*) FROM duplicate") == [{"count": 2}]


def test_the_topic_is_chosen(estate: Path, fetch: Fetch) -> None:
    assert crossdock_send(estate, "shopify-us.orders", ORDER, "--topic", "orders/cancelled").exit_code == 0
    assert fetch("SELECT topic FROM document") == [{"topic": "orders/cancelled"}]


def test_what_is_no_json_is_kept_with_its_problem(estate: Path, fetch: Fetch, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(b'{"id": 1')
    assert crossdock_send(estate, "shopify-us.orders", bad).exit_code == 0
    [kept] = fetch("SELECT note FROM document")
    assert kept["note"].startswith("the body is not an order in JSON")


def test_a_file_becomes_a_document_per_group(estate: Path, fetch: Fetch, tmp_path: Path) -> None:
    drop = tmp_path / "orders.csv"
    drop.write_text("Order,Sku,Qty\n1,A,2\n1,B,1\n2,A\n")
    result = crossdock_send(estate, FEED, drop)
    assert result.exit_code == 0, result.output
    assert drop.exists(), "a file that was sent stays where it is"
    line = next(line for line in result.stdout.splitlines() if line.startswith("orders.csv"))
    assert line.split()[1:] == ["3", "2", "0", "1"]
    keys = {"order/exports/1": 2, "order/exports/2": 1}
    assert {row["key"]: row["items"] for row in fetch("SELECT key, items FROM document")} == keys


def test_a_gzipped_file_under_another_name_is_the_same(estate: Path, tmp_path: Path) -> None:
    plain, packed = tmp_path / "orders.csv", tmp_path / "again.csv.gz"
    plain.write_text("Order,Sku,Qty\n1,A,2\n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    result = crossdock_send(estate, FEED, plain, packed, "--json")
    assert [(one["documents"], one["duplicates"]) for one in json.loads(result.stdout)] == [(1, 0), (1, 1)]


def test_a_refused_file_says_why_and_the_others_are_kept(estate: Path, fetch: Fetch, tmp_path: Path) -> None:
    wrong, large, good = tmp_path / "wrong.csv", tmp_path / "large.csv", tmp_path / "good.csv"
    wrong.write_text("Order;Sku;Qty\n1;A;2\n")
    large.write_text("Order,Sku,Qty\n" + "1,A,2\n" * 200)
    good.write_text("Order,Sku,Qty\n1,A,2\n")
    result = crossdock_send(estate, FEED, wrong, large, good, "--json")
    assert result.exit_code == 1
    refused = [report["refused"] for report in json.loads(result.stdout)]
    assert refused[0].startswith("column 'Order' is missing. the first line must name Order, Sku, Qty")
    assert refused[1].startswith("the file is larger than 1000 bytes. split it")
    assert refused[2] == ""
    assert fetch("SELECT count(*) FROM document") == [{"count": 1}]


@pytest.mark.parametrize(
    ("content", "reason"), [(b"x" * 10_000_001, "the file is larger than the"), (b" \n", "the file is empty")]
)
def test_a_payload_out_of_bounds_is_refused(estate: Path, tmp_path: Path, content: bytes, reason: str) -> None:
    payload = tmp_path / "payload.json"
    payload.write_bytes(content)
    result = crossdock_send(estate, "shopify-us.orders", payload, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["refused"].startswith(reason)


@pytest.mark.parametrize("interface", ["nobody.orders", "netsuite.orders"])
def test_an_interface_that_takes_nothing_in_is_wrong_usage(estate: Path, interface: str) -> None:
    result = crossdock_send(estate, interface, ORDER)
    assert result.exit_code == 2
    assert f"no interface '{interface}' takes anything in" in result.stderr
    assert FEED in result.stderr
    assert "shopify-us.orders" in result.stderr


@pytest.mark.parametrize(
    ("interface", "topic", "said"),
    [
        ("shopify-us.orders", "orders/paid", "use one of orders/create, orders/updated, orders/cancelled"),
        (FEED, "order", "leave it out"),
    ],
)
def test_a_topic_that_is_not_there_is_wrong_usage(estate: Path, interface: str, topic: str, said: str) -> None:
    result = crossdock_send(estate, interface, ORDER, "--topic", topic)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_file_that_is_not_there_is_wrong_usage(estate: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere.csv", tmp_path):
        assert crossdock_send(estate, FEED, place).exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_wrong_usage(estate: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("Order,Sku,Qty\n")
    secret.chmod(0)
    assert crossdock_send(estate, FEED, secret).exit_code == 2


def test_another_estate_than_the_one_that_runs_is_told(estate: Path, fetch: Fetch, tmp_path: Path) -> None:
    text = estate.read_text().replace(FEED, "exports.new-orders")
    other = tmp_path / "other.yaml"
    other.write_text(text)
    drop = tmp_path / "orders.csv"
    drop.write_text("Order,Sku,Qty\n1,A,2\n")
    result = crossdock_send(other, "exports.new-orders", drop)
    assert result.exit_code == 3
    assert "does not know interface 'exports.new-orders'" in " ".join(result.stderr.split())
    assert fetch("SELECT count(*) FROM document") == [{"count": 0}]


def test_nothing_running_is_exit_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    result = crossdock_send(write_estate(tmp_path), "shopify-us.orders", ORDER, "--data", tmp_path / "data")
    assert result.exit_code == 3
    assert "crossdock up" in result.stderr
