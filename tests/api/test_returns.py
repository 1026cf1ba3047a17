# SPDX-License-Identifier: Apache-2.0
"""Returns by the API are kept before they are answered, once per key, and say how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from crossdock.api.contract import HOT_SCHEMAS
from crossdock.api.returns_contract import EXAMPLE_RETURN
from crossdock.estate.consumers import SCOPES
from crossdock.governance.caller import Caller
from crossdock.returns.request import ReturnRequest
from crossdock.runtime.clock import now, set_clock
from crossdock.triage.edit import edit, editable
from tests.api.ordering import desk_on, problem
from tests.api.returning import POLICY, Counter, a_return


@pytest_asyncio.fixture
async def counter(pool: asyncpg.Pool, database: str, tmp_path: Path) -> AsyncIterator[Counter]:
    async with desk_on(pool, database, tmp_path, POLICY) as desk:
        yield Counter(desk)


async def test_a_return_is_kept_before_it_is_answered_and_read_as_it_goes(counter: Counter) -> None:
    order = await counter.shipped_order()
    asked = await counter.ask(a_return(order))
    assert asked.status == 201, asked.body
    one = asked.json["id"]
    assert (asked.json["state"], asked.headers["location"]) == ("requested", f"/v1/returns/{one}")
    assert (await counter.read(one)).json["state"] == "requested"
    assert await counter.desk.decide() == 1
    read = await counter.read(one)
    told = read.json
    assert (told["state"], told["refund"], told["currency"], told["location"]) == ("approved", "0", "USD", "EAST")
    assert [(line["line"], line["sku"], line["approved"], line["reason"]) for line in told["lines"]] == [
        ("1", "CD-1001", "2", "damaged"),
        ("2", "CD-1002", "1", "not_wanted"),
    ]
    assert (await counter.read(asked.json["return_key"])).json == told
    assert (await counter.read(one, if_none_match=read.headers["etag"])).status == 304
    (line, _) = (await counter.desk.read(order)).json["progress"]
    assert (line["returned"], line["state"]) == ("0", "shipped")
    validator = Draft202012Validator({**HOT_SCHEMAS["ReturnView"], "components": {"schemas": HOT_SCHEMAS}})
    validator.validate(told)


async def test_the_order_says_what_has_come_back_of_it(counter: Counter) -> None:
    order = await counter.shipped_order()
    asked = await counter.ask(a_return(order, lines=[{"line": "1", "quantity": "12"}]))
    await counter.desk.decide()
    key = asked.json["return_key"]
    for back, state in (("5", "shipped"), ("12", "returned")):
        await counter.desk.pool.execute(
            "UPDATE goods_return SET lines = jsonb_set(lines, '{1,received}', to_jsonb($2::text)) "
            "WHERE return_key = $1",
            key,
            back,
        )
        told = (await counter.desk.read(order)).json
        assert [(line["returned"], line["state"]) for line in told["progress"]] == [(back, state), ("0", "shipped")]
    assert [(one["return_key"], one["state"]) for one in told["returns"]] == [(key, "approved")]


async def test_one_key_is_one_return_with_the_same_answer(counter: Counter) -> None:
    body = a_return(await counter.shipped_order())
    answers = await asyncio.gather(*(counter.ask(body) for _ in range(10)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    await counter.desk.decide()
    # The goods are in a return now, but not in another one.
    again = await counter.ask(body)
    assert (again.body, again.headers["idempotency-replayed"]) == (answers[0].body, "true")
    assert await counter.desk.pool.fetchval("SELECT count(*) FROM goods_return") == 1
    other = await counter.ask({**body, "note": "another"})
    assert problem(other) == (422, "idempotency_key.reused", "Idempotency-Key")


async def test_an_order_and_its_return_may_have_one_key(counter: Counter) -> None:
    order = await counter.shipped_order("same")
    assert (await counter.ask(a_return(order), "same")).status == 201


async def test_what_cannot_be_is_refused_at_once_and_nothing_is_kept(counter: Counter) -> None:
    order = await counter.shipped_order()
    lines = [{"line": "1", "quantity": "13"}, {"line": "9", "quantity": "1"}, {"line": "2", "quantity": "0.5"}]
    answer = await counter.ask(a_return(order, lines=lines))
    assert problem(answer)[0] == 422
    assert [(one["field"], one["rule"]) for one in answer.json["errors"]] == [
        ("lines[1].line", "return.line"),
        ("lines[2].quantity", "return.quantity"),
    ]
    answer = await counter.ask(a_return(order, lines=lines[:1]))
    assert [(one["rule"], one["fix"]) for one in answer.json["errors"]] == [
        ("return.quantity", "lower the quantity to 12 EA")
    ]
    assert problem(await counter.ask(a_return("ord_none"))) == (422, "return.order_known", "order")
    assert await counter.desk.pool.fetchval("SELECT count(*) FROM document WHERE key LIKE 'return/%'") == 0


async def test_what_has_not_left_cannot_come_back(counter: Counter) -> None:
    placed = await counter.desk.place("o")
    assert problem(await counter.ask(a_return(placed.json["id"]))) == (422, "return.order_known", "order")
    await counter.desk.decide()
    answer = await counter.ask(a_return(placed.json["id"]))
    assert {one["rule"] for one in answer.json["errors"]} == {"return.quantity"}


async def test_what_the_policy_does_not_let_pass_is_held_until_a_person_decides(counter: Counter) -> None:
    order = await counter.shipped_order()
    with set_clock(now() + timedelta(days=31, hours=1)):
        asked = await counter.ask(a_return(order, reason="felt like it"))
    assert asked.status == 201
    await counter.desk.decide()
    told = (await counter.read(asked.json["id"])).json
    assert (told["state"], len(told["problems"])) == ("held", 1)
    case = await counter.desk.pool.fetchrow("SELECT rule, money, currency FROM triage_case")
    assert case is not None
    assert (case["rule"], case["currency"]) == ("return.window", "USD")
    assert case["money"] > Decimal(0)


@pytest.mark.parametrize(
    ("change", "state"), [({"override": "a good customer"}, "approved"), ({"status": "declined"}, "declined")]
)
async def test_a_person_decides_by_editing_the_case(counter: Counter, change: dict[str, str], state: str) -> None:
    order = await counter.shipped_order()
    with set_clock(now() + timedelta(days=31, hours=1)):
        asked = await counter.ask(a_return(order))
    await counter.desk.decide()
    async with counter.desk.pool.acquire() as conn:
        case = await conn.fetchval("SELECT id FROM triage_case WHERE state = 'open'")
        form = msgspec.json.decode((await editable(conn, case)).body)
        async with conn.transaction():
            edited = msgspec.json.encode({**form, **change})
            await edit(conn, case, edited, by="jo", origin="cli", reason="asked the boss")
    await counter.desk.decide()
    told = (await counter.read(asked.json["id"])).json
    assert (told["state"], told.get("problems")) == (state, None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"order": "x", "lines": []}', 422),
        (b'{"order": "x", "lines": [{"line": "1", "quantity": "NaN"}]}', 422),
        (b'{"order": "x", "lines": [{"line": "1", "quantity": "1e400"}]}', 422),
        (b'{"order": "x", "lines": [{"line": "1", "quantity": "1"}], "override": "me"}', 422),
        (b'{"order": "x\\u0000", "lines": [{"line": "1", "quantity": "1"}]}', 422),
        (b'{"order": "x\\n", "lines": [{"line": "1", "quantity": "1"}]}', 422),
        (b'{"order": "x", "lines": [{"line": "1", "quantity": true}]}', 422),
        (b'{"order": "x", "resolution": "cash", "lines": [{"line": "1", "quantity": "1"}]}', 422),
        (b"[" * 100_000, 400),
    ],
)
async def test_hostile_bodies_are_refused(counter: Counter, body: bytes, status: int) -> None:
    answer = await counter.ask(body)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("quantity", ["NaN", "-1", "0", "Infinity", "1E+20", "0.3333", "1E-400"])
async def test_no_quantity_of_goods_is_no_return(counter: Counter, quantity: str) -> None:
    order = await counter.shipped_order()
    answer = await counter.ask(a_return(order, lines=[{"line": "1", "quantity": quantity}]))
    assert problem(answer)[0] == 422
    assert answer.json["errors"][0]["field"] == "lines[0].quantity"


async def test_the_key_is_needed_and_methods_are_named(counter: Counter) -> None:
    answer = await counter.ask(a_return("x"), "")
    assert problem(answer) == (400, "idempotency_key.missing", "Idempotency-Key")
    assert (await counter.read("")).status == 404
    assert (await counter.read("x" * 201)).status == 404
    assert (await counter.read("ret_none")).status == 404


def caller(channels: str = "", customers: str = "") -> Caller:
    return Caller(
        consumer="c",
        scopes=frozenset(SCOPES),
        channels=frozenset(channels.split()) if channels else None,
        customers=frozenset(customers.split()) if customers else None,
        plan="",
    )


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        (caller(), True),
        (caller("portal", "ACME"), True),
        (caller("till"), False),
        (caller("portal", "BETA"), False),
        (caller("", "BETA"), False),
    ],
)
async def test_returns_of_others_are_not_there(counter: Counter, who: Caller, sees: bool) -> None:
    order = await counter.shipped_order()
    first = await counter.ask(a_return(order, lines=[{"line": "1", "quantity": "1"}]), "first")
    counter.desk.caller = who
    for _ in range(2):
        assert (await counter.read(first.json["return_key"])).status == (200 if sees else 404)
        assert (await counter.read(first.json["id"])).status == (200 if sees else 404)
        await counter.desk.decide()
    more = await counter.ask(a_return(order, lines=[{"line": "1", "quantity": "1"}]), "more")
    assert more.status == (201 if sees else 422)
    if not sees:
        assert problem(more) == (422, "return.order_known", "order")


def test_the_example_is_what_its_schema_says() -> None:
    schema: dict[str, Any] = {**HOT_SCHEMAS["ReturnRequest"], "components": {"schemas": HOT_SCHEMAS}}
    Draft202012Validator(schema).validate(EXAMPLE_RETURN)
    assert msgspec.convert(EXAMPLE_RETURN, ReturnRequest, strict=False).lines
