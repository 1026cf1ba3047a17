# SPDX-License-Identifier: Apache-2.0
"""The contract as a page: everything is on it, nothing comes from elsewhere, nothing on it runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio

from crossdock.api.docs import page as drawing
from crossdock.api.docs.page import bounds_of, render, text_of, type_of
from crossdock.app.gateway import web


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(cast(Any, web(cast(Any, None), "127.0.0.1")))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as made:
        yield made


async def test_every_operation_and_schema_is_on_the_page(client: httpx.AsyncClient) -> None:
    contract = (await client.get("/openapi.json")).json()
    page = await client.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    operations = {one["operationId"] for item in contract["paths"].values() for one in item.values()}
    assert {"PlaceOrder", "ListOrders", "ReadOrder", "CancelOrder", "ValidateOrder", "Reserve"} <= operations
    ids = re.findall(r'<article id="([^"]+)"', page.text)
    assert sorted(ids) == sorted([*operations, *(f"schema-{name}" for name in contract["components"]["schemas"])])
    linked = set(re.findall(r'href="#([^"]+)"', page.text))
    assert linked <= set(ids)
    assert "PO-4711" in page.text


async def test_it_is_drawn_once(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def counting(contract: dict[str, Any]) -> str:
        drawn.append(contract["info"]["title"])
        return render(contract)

    monkeypatch.setattr(drawing, "render", counting)
    pages = {(await client.get("/docs")).text for _ in range(3)}
    assert (drawn, len(pages)) == (["Crossdock"], 1)


async def test_it_runs_nothing_and_loads_its_own_style_only(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert not re.search(r"<script|\sstyle=|\son\w+=|javascript:", page.text)
    (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    addresses = re.findall(r'(?:href|src)="([^"]*)"', page.text)
    assert {one for one in addresses if not one.startswith("#")} == {style, "/openapi.json", "/asyncapi.json"}
    sheet = await client.get(style)
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "url(" not in sheet.text
    assert "@import" not in sheet.text


def test_what_a_document_says_is_text() -> None:
    bad = "<script>alert(1)</script>"
    contract = {
        "info": {"title": bad, "version": bad},
        "paths": {
            f"/{bad}": {
                "post": {
                    "operationId": "Bad",
                    "summary": bad,
                    "description": f"`{bad}` {bad}",
                    "parameters": [{"name": bad, "in": "query", "description": bad, "schema": {"enum": [bad]}}],
                    "requestBody": {"content": {bad: {"schema": {"$ref": f"#/{bad}"}, "example": {bad: bad}}}},
                    "responses": {bad: {"description": bad, "content": {bad: {"schema": {"const": bad}}}}},
                }
            }
        },
        "components": {"schemas": {bad: {"description": bad, "properties": {bad: {"description": bad}}}}},
    }
    assert "<script" not in render(contract)


def test_types_and_bounds_in_words() -> None:
    assert type_of({"type": "array", "items": {"$ref": "#/components/schemas/Money"}}) == (
        'list of <a href="#schema-Money">Money</a>'
    )
    assert type_of({"anyOf": [{"type": "string", "format": "decimal"}, {"type": "null"}]}) == "decimal or null"
    assert type_of({"type": ["string", "null"]}) == "string or null"
    assert type_of({}) == "anything"
    assert bounds_of({"anyOf": [{"maxLength": 5}, {"type": "null"}], "default": None}) == (
        "left out: null; at most 5 characters"
    )
    assert text_of("one `two`\n    three\n\nfour `five") == "<p>one <code>two</code> three</p><p>four `five</p>"
