# SPDX-License-Identifier: Apache-2.0
"""`crossdock contract diff --traffic`: who a change hits, from what was recorded, and no value of anybody's payload."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from crossdock.canonical.objects import json_schema
from crossdock.cli.main import build
from crossdock.governance.contract_traffic import form_of
from crossdock.governance.route_usage import RouteTally
from crossdock.runtime.postgres import connect
from crossdock.sdk.connector import load_connector
from tests.journal.filling import ERP, ORDERS, STOCK, Filling

NAME = "Erika Mustermann"


@pytest.fixture
def filled(database: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Filling], Awaitable[None]]], None]:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "200")

    def fill(work: Callable[[Filling], Awaitable[None]]) -> None:
        async def run() -> None:
            conn = await connect(database)
            try:
                filling = Filling(conn)
                await filling.interfaces()
                await work(filling)
            finally:
                await conn.close()

        asyncio.run(run())

    return fill


def diff(*arguments: object) -> tuple[Any, str]:
    """What it says, for programs and for people."""
    words = ["contract", "diff", *map(str, arguments), "--traffic"]
    said = CliRunner().invoke(build(["contract"]), [*words, "--json"])
    assert said.exit_code == 1, said.output
    return json.loads(said.stdout), CliRunner().invoke(build(["contract"]), words).stdout


def written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def an_order(po_number: str, street: str = "Oak Ave 1") -> bytes:
    return json.dumps({"po_number": po_number, "ship_to": {"name": NAME, "street": street}}).encode()


def of_orders(**po_number: Any) -> dict[str, Any]:
    place = {"type": "object", "properties": {"name": {"type": "string"}, "street": {"type": "string"}}}
    properties = {"po_number": {"type": "string", **po_number}, "ship_to": place}
    return {"title": "sales_order", "type": "object", "properties": properties}


def test_a_schema_is_tried_on_recorded_payloads(filled: Any, tmp_path: Path) -> None:
    async def fill(filling: Filling) -> None:
        for number, po_number in enumerate(("PO-1", "PO-1234567", "PO-12345678")):
            document = await filling.document(f"order/shop/{number}", kind="sales_order")
            await filling.version(document, an_order(po_number))
        # One that came in canonical form has no version; one of another kind, and one that is no JSON, do not count.
        await filling.document("order/portal/1", kind="sales_order", interface="portal.api", body=an_order("PO-2"))
        await filling.document("stock/1", kind="stock_movements", interface=STOCK, body=an_order("PO-123456789"))
        await filling.document("order/portal/2", kind="sales_order", interface="portal.api", body=b"\xff")

    filled(fill)
    old = written(tmp_path / "old.json", of_orders())
    new = written(tmp_path / "new.json", of_orders(maxLength=6))
    result, text = diff(old, new, "--direction", "received")
    (hit,) = result["hit"]
    assert (hit["place"], hit["rule"]) == ("#/properties/po_number", "maxLength")
    assert [(one["interface"], one["tried"], one["broken"]) for one in hit["interfaces"]] == [
        ("portal.api", 1, 0),
        (ORDERS, 3, 2),
    ]
    example = hit["interfaces"][1]["example"]
    assert (example["at"], example["rule"], example["found"]) == ("/po_number", "maxLength", "string of 11 characters")
    assert example["form"] == {"po_number": "string", "ship_to": {"name": "string", "street": "string"}}
    assert f"interface {ORDERS}: 2 of 3 recorded payloads" in text
    assert "document 3, /po_number: maxLength, string of 11 characters" in text
    for said in (json.dumps(result["hit"]), text):
        assert not any(value in said for value in (NAME, "Oak Ave", "PO-1234"))


def test_what_nobody_sends_hits_nobody(filled: Any, tmp_path: Path) -> None:
    async def fill(filling: Filling) -> None:
        await filling.version(await filling.document(kind="sales_order"), an_order("PO-1"))

    filled(fill)
    new = written(tmp_path / "new.json", of_orders(maxLength=6))
    result, text = diff(written(tmp_path / "old.json", of_orders()), new, "--direction", "received")
    assert [one["broken"] for one in result["hit"][0]["interfaces"]] == [0]
    assert "nobody is hit, as far as recorded: maxLength #/properties/po_number (1 payloads tried)" in text


def test_of_what_we_send_it_is_told_where_it_goes(filled: Any, tmp_path: Path) -> None:
    async def fill(filling: Filling) -> None:
        await filling.version(await filling.document(kind="sales_order"), an_order("PO-1"))

    filled(fill)
    old = written(tmp_path / "old.json", of_orders(maxLength=6))
    result, text = diff(old, written(tmp_path / "new.json", of_orders()), "--direction", "sent")
    (hit,) = result["hit"]
    assert (hit["interfaces"], hit["note"]) == ([], f"sent by {ERP}: how it is read there is not recorded")
    assert hit["note"] in text


def test_a_route_that_breaks_names_who_called_it(filled: Any, tmp_path: Path) -> None:
    async def fill(filling: Filling) -> None:
        tally = RouteTally()
        for consumer, path, number in (("b2b", "/v1/orders/{id:path}", 3), ("desk", "/v1/orders", 1)):
            for _ in range(number):
                tally.add(consumer, "GET", path)
        await tally.share(filling.conn)

    filled(fill)
    answers = {"200": {"description": "so"}}
    paths = {path: {"get": {"responses": answers}} for path in ("/v1/orders/{id}", "/v1/returns/{id}", "/v1/orders")}
    old = written(tmp_path / "old.json", {"openapi": "3.1.0", "paths": paths})
    kept = {"openapi": "3.1.0", "paths": {"/v1/orders": paths["/v1/orders"]}}
    result, text = diff(old, written(tmp_path / "new.json", kept))
    assert {one["where"]: [(by["consumer"], by["requests"]) for by in one["consumers"]] for one in result["hit"]} == {
        "GET /v1/orders/{id}": [("b2b", 3)],
        "GET /v1/returns/{id}": [],
    }
    assert "consumer b2b: 3 requests" in text
    assert "nobody is hit, as far as recorded: GET /v1/returns/{id}" in text
    later, _ = diff(old, tmp_path / "new.json", "--since", "2999-01-01")
    assert all(one["consumers"] == [] for one in later["hit"])


def test_a_mapping_is_tried_on_what_came_in(filled: Any, tmp_path: Path) -> None:
    shopify = load_connector("shopify")
    mapping = next(one for one in shopify.mappings if one.name == "shopify.order")
    sample = Path("src/crossdock/connectors/shopify/samples/shopify.order.typical.in.json").read_bytes()

    async def fill(filling: Filling) -> None:
        for number in range(2):
            made_by = "sales_order/1 shopify.order/1 routing/abc"
            await filling.document(f"order/shop/{number}", kind="sales_order", body=sample, made_by=made_by)
        await filling.document("order/shop/9", kind="sales_order", body=sample, made_by="sales_order/1 other.order/1")

    filled(fill)
    kept = msgspec.to_builtins(mapping)
    rules = [one for one in kept["rules"] if one["target"] != "number"]
    kept["rules"] = [*rules, {"target": "number", "const": "N"}]
    result, text = diff("current", written(tmp_path / "order.yaml", kept))
    ((face,),) = [hit["interfaces"] for hit in result["hit"]]
    assert (face["interface"], face["tried"]) == (ORDERS, 2)
    assert face["broken"] == 2
    assert (face["example"]["at"], face["example"]["rule"]) == ("/number", "comes out otherwise")
    assert f"interface {ORDERS}: 2 of 2 recorded payloads" in text
    assert json.loads(sample)["email"] not in json.dumps(result["hit"])


def test_where_nothing_is_recorded_it_is_said(filled: Any, tmp_path: Path, database: str) -> None:
    async def nothing(_filling: Filling) -> None:
        return None

    filled(nothing)
    old = written(tmp_path / "old.json", {"type": "object"})
    words = ["contract", "diff", str(old), str(old), "--traffic"]
    result = CliRunner().invoke(build(["contract"]), words)
    assert result.exit_code != 0
    assert "which recorded documents the schema is about is not known" in " ".join(result.output.split())
    current = written(tmp_path / "order.json", json_schema("sales_order", 1))
    assert (
        CliRunner().invoke(build(["contract"]), ["contract", "diff", str(current), "current", "--traffic"]).exit_code
        == 0
    )


def test_the_form_of_a_payload_has_no_value_of_it() -> None:
    payload = {"lines": [{"qty": 1, "price": 2.5}, {}], "erika@example.com": None, "ok": True, "empty": []}
    assert form_of(payload) == {
        "lines": [{"qty": "integer", "price": "number"}],
        "(name)": "null",
        "ok": "boolean",
        "empty": [],
    }
    wide = form_of({f"f{number}": 1 for number in range(50)})
    assert (len(wide), wide["(more)"]) == (41, "10 fields")
    deep: Any = "x"
    for _ in range(50):
        deep = {"a": deep}
    assert len(json.dumps(form_of(deep))) < 100
