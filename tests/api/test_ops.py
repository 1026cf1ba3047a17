# SPDX-License-Identifier: Apache-2.0
"""The operations API over HTTP: exact answers, bounds, and problem documents for everything that is wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator
from litestar import Litestar, get
from litestar.datastructures import State

from crossdock.api.problems import EXCEPTION_HANDLERS
from crossdock.api.routes import routes
from crossdock.canonical.objects import OBJECTS
from crossdock.errors import NeedsEdit
from crossdock.governance.caller import Caller, let_in
from tests.journal.filling import ORDERS, Filling, canonical_order
from tests.triage.holding import held, over_limit


@get("/broken", sync_to_thread=False)
def broken() -> None:
    raise RuntimeError("password=hunter2")


def application(pool: Any) -> Litestar:
    return Litestar(
        [*routes(), broken],
        state=State({"pool": pool}),
        exception_handlers=EXCEPTION_HANDLERS,
        logging_config=None,
    )


@pytest_asyncio.fixture
async def http(pool: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(pool), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://crossdock") as client:
        yield client


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        filling = Filling(conn)
        await filling.interfaces()
        yield filling


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    return document


async def test_the_audit_names_the_consumer_behind_a_name(pool: asyncpg.Pool, fill: Filling) -> None:
    case = await fill.case(await fill.document(state="case"))
    inside = application(pool)
    caller = Caller(consumer="desk", scopes=frozenset({"ops"}), channels=None, customers=None, plan="")

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        let_in(scope, caller)
        await inside(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(asked), base_url="http://crossdock") as client:
        wish = {"case_ids": [case], "by": "jo"}
        assert (await client.post("/v1/ops/cases:retry", json=wish)).json()["done"] == 1
    assert await fill.conn.fetchval("SELECT who FROM audit") == "desk: jo"


async def test_books_and_open_documents(http: httpx.AsyncClient, fill: Filling) -> None:
    document = await fill.document(state="received")
    books = (await http.get("/v1/ops/books")).json()
    assert books["balanced"] is True
    assert next((b["interface"], b["received"], b["open"]) for b in books["interfaces"]) == (ORDERS, 1, 1)
    await fill.message()
    assert (await http.get("/v1/ops/books")).json()["balanced"] is False
    rows = (await http.get("/v1/ops/open", params={"state": "received", "limit": 5})).json()
    assert [row["document_id"] for row in rows] == [document]
    assert (await http.get("/v1/ops/open", params={"state": "case"})).json() == []


async def test_search_trace_and_document(http: httpx.AsyncClient, fill: Filling) -> None:
    document = await fill.document("order/shopify-us/5001", "settled", "done")
    await fill.order(document)
    hits = (await http.get("/v1/ops/search", params={"q": "#1001"})).json()
    assert [(hit["kind"], hit["key"]) for hit in hits] == [("order", "order/shopify-us/5001")]
    for path in ("order/shopify-us/5001", "%231001", "shopify-us/5001"):
        trace = (await http.get(f"/v1/ops/trace/{path}")).json()
        assert (trace["key"], trace["order"]["decision"]["entity"]) == ("order/shopify-us/5001", "us")
    assert (await http.get(f"/v1/ops/documents/{document}")).json()["received"]["text"] == '{"id": 5001}'


async def test_cases_are_listed_shown_retried_and_dismissed(http: httpx.AsyncClient, fill: Filling) -> None:
    one, two = await fill.document(state="case"), await fill.document(state="case")
    first, second = await fill.case(one), await fill.case(two)
    listed = (await http.get("/v1/ops/cases", params={"interface": ORDERS})).json()
    assert [(case["id"], case["class"], case["money"]) for case in listed] == [
        (second, "needs_edit", "41.50"),
        (first, "needs_edit", "41.50"),
    ]
    assert (await http.get("/v1/ops/cases:groups")).json()[0]["number"] == 2
    assert (await http.get(f"/v1/ops/cases/{first}")).json()["stage"] == "source"
    wish = {"case_ids": [first], "by": "jo"}
    answer = await http.post("/v1/ops/cases:retry", json={**wish, "dry_run": True})
    assert answer.json() == {"asked": 1, "done": 1, "dry_run": True}
    assert (await fill.state(one))[0] == "case"
    assert (await http.post("/v1/ops/cases:retry", json=wish)).json()["done"] == 1
    assert (await fill.state(one))[0] == "received"
    assert problem(await http.post("/v1/ops/cases:dismiss", json=wish), 422)["field"] == "reason"
    gone = {"case_ids": [second], "by": "jo", "reason": "test order"}
    assert (await http.post("/v1/ops/cases:dismiss", json=gone)).json()["done"] == 1
    assert (await fill.state(two))[0] == "rejected"
    assert [case["id"] for case in (await http.get("/v1/ops/cases", params={"state": "dismissed"})).json()] == [second]


async def test_an_edit_goes_on_or_names_the_field(http: httpx.AsyncClient, fill: Filling) -> None:
    document = await fill.document(state="case", step="decide", kind="sales_order")
    await fill.version(document, canonical_order(sku="XX-1"))
    case = await fill.case(document, step="decide")
    bad = canonical_order().replace(b'"value": "1"', b'"value": "half"').decode()
    wrong = problem(await http.post(f"/v1/ops/cases/{case}:edit", json={"body": bad, "by": "jo"}), 422)
    assert (wrong["field"], wrong["code"], wrong["type"]) == (
        "lines[0].quantity.value", "needs_edit", "/problems/sales_order",
    )  # fmt: skip
    assert (await fill.state(document))[0] == "case"
    good = {"body": canonical_order().decode(), "by": "jo", "reason": "typo"}
    answer = await http.post(f"/v1/ops/cases/{case}:edit", json=good)
    assert answer.json() == {"asked": 1, "done": 1, "dry_run": False}
    assert (await fill.state(document))[0] == "received"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"case_ids": [], "by": "jo"}, "case_ids"),
        ({"case_ids": [1] * 501, "by": "jo"}, "case_ids"),
        ({"case_ids": [1]}, "by"),
        ({"case_ids": [1], "by": ""}, "by"),
        ({"case_ids": ["x"], "by": "jo"}, "case_ids[0]"),
        ({"case_ids": [1], "by": "jo", "sudo": True}, "sudo"),
    ],
)
async def test_a_bad_request_names_the_field(
    http: httpx.AsyncClient, fill: Filling, body: dict[str, Any], field: str
) -> None:
    wrong = problem(await http.post("/v1/ops/cases:retry", json=body), 422)
    assert wrong["type"] == "/problems/validation"
    assert wrong.get("field", "") == field


async def test_a_browser_cannot_be_made_to_act_from_another_site(http: httpx.AsyncClient, fill: Filling) -> None:
    case = await fill.case(await fill.document(state="case"))
    body = json.dumps({"case_ids": [case], "by": "jo"})
    plain = {"content-type": "text/plain"}
    assert problem(await http.post("/v1/ops/cases:retry", content=body, headers=plain), 415)["fix"]
    cross = {"content-type": "application/json", "sec-fetch-site": "cross-site"}
    problem(await http.post("/v1/ops/cases:retry", content=body, headers=cross), 403)
    assert await fill.conn.fetchval("SELECT count(*) FROM audit") == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/ops/cases/99", 404),
        ("/v1/ops/documents/99", 404),
        ("/v1/ops/trace/nothing", 404),
        ("/v1/ops/nowhere", 404),
        ("/schemas/sales_order/9", 404),
        ("/schemas/nothing/1", 404),
        ("/v1/ops/search", 422),
        ("/v1/ops/search?q=", 422),
        ("/v1/ops/search?q=a&limit=501", 422),
        ("/v1/ops/open?state=lost", 422),
        ("/v1/ops/open?limit=0", 422),
        ("/v1/ops/cases?state=none", 422),
        ("/v1/ops/cases:retry", 405),
    ],
)
async def test_what_is_not_there_is_a_problem_document(http: httpx.AsyncClient, path: str, status: int) -> None:
    assert problem(await http.get(path), status)["detail"]


async def test_an_unknown_action_is_404(http: httpx.AsyncClient) -> None:
    problem(await http.post("/v1/ops/cases/1:explode", json={"body": "{}", "by": "jo"}), 404)
    problem(await http.post("/v1/ops/cases/1:edit", json={"body": "{}", "by": "jo"}), 404)


async def test_a_bug_answers_without_internals(http: httpx.AsyncClient) -> None:
    answer = await http.get("/broken")
    wrong = problem(answer, 500)
    assert "hunter2" not in answer.text
    assert wrong["instance"].startswith("urn:uuid:")


async def test_overview_and_systems(http: httpx.AsyncClient, fill: Filling) -> None:
    await fill.document(state="received")
    figures = (await http.get("/v1/ops/overview")).json()
    assert next((i["interface"], i["open"], sum(i["received"])) for i in figures["interfaces"]) == (ORDERS, 1, 1)
    assert [s["system"] for s in (await http.get("/v1/ops/systems")).json()] == ["netsuite", "shopify-us", "warehouse"]


async def test_every_canonical_object_has_a_published_schema(http: httpx.AsyncClient) -> None:
    links = (await http.get("/schemas")).json()
    assert {link["object"] for link in links} == set(OBJECTS)
    for link in links:
        answer = await http.get(link["url"])
        assert answer.headers["content-type"] == "application/schema+json"
        Draft202012Validator.check_schema(answer.json())
    schema = (await http.get("/schemas/sales_order/1")).json()
    Draft202012Validator(schema).validate(json.loads(canonical_order()))


async def test_polled_topics_tell_their_age(http: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO poll (interface, topic, reached, asked_at, failures, active) VALUES "
        "('erp.invoices', 'invoices', now() - interval '1 day', now() - interval '1 hour', 3, true), "
        "('erp.old', 'invoices', now(), now(), 0, false)"
    )
    text = (await http.get("/metrics")).text
    shown = {
        line.partition("{")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("crossdock_poll_")
    }
    assert 'crossdock_poll_failures{interface="erp.invoices",topic="invoices"} 3.0' in text
    assert "erp.old" not in text
    assert 3600 <= shown["crossdock_poll_age_seconds"] < 3660
    assert 86400 <= shown["crossdock_poll_quiet_seconds"] < 86460


async def test_metrics_hold_the_figures(http: httpx.AsyncClient, fill: Filling) -> None:
    case = await fill.document(state="case")
    await fill.case(case)
    text = (await http.get("/metrics")).text
    assert f'crossdock_documents_open{{interface="{ORDERS}",state="case"}} 1.0' in text
    assert f'crossdock_cases_money{{currency="USD",interface="{ORDERS}"}} 41.5' in text
    assert "crossdock_database_up 1.0" in text
    assert "process_resident_memory_bytes" in text


async def test_health(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok", "problems": []}
    assert (await http.get("/readyz")).json() == {"status": "ok", "problems": []}


class AwayPool:
    """A pool whose database went away."""

    def acquire(self, timeout: float) -> Any:
        raise ConnectionRefusedError("connection refused to 10.0.0.1")


async def test_without_a_database_answers_say_when_to_try_again() -> None:
    transport = httpx.ASGITransport(application(AwayPool()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://crossdock") as client:
        answer = await client.get("/v1/ops/books")
        assert problem(answer, 503)["code"] == "engine_away"
        assert answer.headers["retry-after"] == "5"
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "away")
        assert (await client.get("/healthz")).status_code == 200
        assert "crossdock_database_up 0.0" in (await client.get("/metrics")).text


async def test_the_audit_over_http(http: httpx.AsyncClient, fill: Filling) -> None:
    first, second = [await fill.case(await fill.document(f"order/{n}", "case"), key=f"order/{n}") for n in (1, 2)]
    body = {"case_ids": [first, second], "by": "jo", "reason": "again"}
    assert (await http.post("/v1/ops/cases:retry", json=body)).json()["done"] == 2
    newest, oldest = (await http.get("/v1/ops/audit", params={"who": "jo", "kind": "case"})).json()
    assert (newest["id"], newest["what"], newest["origin"]) == (2, f"case/{second}", "api")
    assert (oldest["id"], oldest["before"], oldest["key"]) == (1, {"state": "case"}, "order/1")
    assert [one["id"] for one in (await http.get("/v1/ops/audit", params={"after": 2})).json()] == [1]
    assert (await http.get("/v1/ops/audit:head")).json() == {"id": 2, "hash": newest["hash"]}
    assert problem(await http.get("/v1/ops/audit", params={"limit": 501}), 422)["field"] == "limit"


async def test_the_audit_says_whose_credential_an_act_came_with(pool: asyncpg.Pool, fill: Filling) -> None:
    case = await fill.case(await fill.document("order/1", "case"))
    app: Any = application(pool)
    caller = Caller(consumer="desk", scopes=frozenset({"ops"}), channels=None, customers=None, plan="")

    async def let(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            let_in(scope, caller)
        await app(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(let), base_url="http://crossdock") as client:
        answer = await client.post("/v1/ops/cases:retry", json={"case_ids": [case], "by": "jo"})
        assert (answer.status_code, answer.json()["done"]) == (200, 1)
    assert await pool.fetchval("SELECT who FROM audit") == "desk: jo"


async def test_held_orders_are_found_and_released(http: httpx.AsyncClient, fill: Filling) -> None:
    waiting, broken = [await fill.document(f"order/shopify-us/{n}", "case", "decide") for n in (1, 2)]
    first = await fill.case(waiting, key="order/shopify-us/1", **held())
    fault = NeedsEdit("SKU XX-1 is not known", field="lines[0].sku", rule="order.sku_known", fix="add it")
    second = await fill.case(broken, key="order/shopify-us/2", **held(over_limit(), fault))
    for hold, ids in (("any", [first]), ("credit", [first]), ("fraud", [])):
        assert [case["id"] for case in (await http.get("/v1/ops/cases", params={"hold": hold})).json()] == ids
    shown = (await http.get(f"/v1/ops/cases/{second}")).json()
    assert shown["case"]["hold"] == ""
    assert [(one["rule"], one.get("hold", "")) for one in shown["failures"]] == [
        ("order.credit_limit", "credit"),
        ("order.sku_known", ""),
    ]
    wish = {"case_ids": [first], "by": "jo", "reason": "paid by phone"}
    refused = problem(await http.post("/v1/ops/cases:release", json={**wish, "case_ids": [first, second]}), 409)
    assert (refused["field"], refused["fix"]) == ("lines[0].sku", "mend it first: add it")
    assert problem(await http.post("/v1/ops/cases:release", json={**wish, "reason": ""}), 422)["field"] == "reason"
    assert (await http.post("/v1/ops/cases:release", json={**wish, "dry_run": True})).json()["done"] == 1
    assert (await fill.state(waiting))[0] == "case"
    assert (await http.post("/v1/ops/cases:release", json=wish)).json() == {"asked": 1, "done": 1, "dry_run": False}
    assert [(await fill.state(one))[0] for one in (waiting, broken)] == ["received", "case"]
    row = await fill.conn.fetchrow("SELECT order_key, mark, value, by, origin, case_id FROM order_release")
    assert tuple(row) == ("shopify-us/1", "00000000000000aa", "110.00", "jo", "api", first)
