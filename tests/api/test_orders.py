# SPDX-License-Identifier: Apache-2.0
"""Orders placed over HTTP: what is answered is kept, once per key; what cannot be is a problem document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from crossdock.api import deadline, plain
from crossdock.api.orders import MOST_BODY, PATH
from crossdock.canonical.master_data import Customer
from crossdock.canonical.objects import decode
from crossdock.catalog.accept import accept_customers
from crossdock.journal.books import balance
from crossdock.runtime.postgres import open_pool
from tests.api.ordering import JSON, TOTAL, Desk, an_order, desk_on, problem
from tests.intake.asgi import call

HOSTILE = sorted((Path(__file__).parent / "hostile_orders").iterdir())


@pytest_asyncio.fixture
async def desk(pool: asyncpg.Pool, database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_on(pool, database, tmp_path) as made:
        yield made


async def messages(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    rows = await pool.fetch("SELECT interface, dedup_key FROM message ORDER BY id")
    return [tuple(row) for row in rows]


async def test_an_order_is_kept_before_it_is_answered(desk: Desk) -> None:
    placed = await desk.place()
    assert placed.status == 201, placed.body
    told = placed.json
    assert placed.headers["location"] == f"{PATH}/{told['id']}"
    assert told == {
        "id": told["id"],
        "order_key": f"portal/{told['id']}",
        "channel": "portal",
        "number": told["id"],
        "state": "received",
        "placed_at": told["placed_at"],
        "currency": "USD",
        "total": TOTAL,
        "lines": 2,
    }
    row = await desk.pool.fetchrow("SELECT d.*, m.body FROM document d JOIN message m ON m.id = d.message_id")
    assert (row["interface"], row["topic"], row["key"], row["state"], row["items"], row["overtakes"]) == (
        "portal.api",
        "orders",
        f"order/portal/{told['id']}",
        "received",
        2,
        True,
    )
    order = decode("sales_order", row["body"])
    assert [(one.line, one.quantity.unit, one.total.amount) for one in order.lines] == [
        ("1", "EA", Decimal("238.80")),
        ("2", "EA", Decimal("10.00")),
    ]
    assert (order.total.amount, order.version) == (Decimal(TOTAL), int(order.placed_at.timestamp() * 1000))
    assert desk.counted == {("place", "done"): 1}


async def test_the_worker_decides_on_it_as_on_every_order(desk: Desk) -> None:
    one = (await desk.place(body=an_order(lines=[{"sku": "their-1001", "quantity": 1, "unit_price": 2}]))).json["id"]
    assert await desk.decide() == 1
    row = await desk.pool.fetchrow("SELECT * FROM sales_order")
    assert (row["order_key"], row["customer_id"], row["entity"], row["po_number"], row["total"]) == (
        f"portal/{one}",
        "ACME",
        "us",
        "PO-1",
        Decimal("11.00"),
    )
    owed = await desk.pool.fetch("SELECT system, operation, reference FROM delivery ORDER BY id")
    assert [tuple(each) for each in owed] == [
        ("erp", "sales_order", f"portal/{one}"),
        ("portal", "fulfillment_order", f"portal/{one}#1"),
    ]


async def test_a_repeated_key_has_the_same_answer_and_says_so(desk: Desk) -> None:
    first = await desk.place()
    again = await desk.place()
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["location"] == first.headers["location"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    # Spelled otherwise it is the same order.
    spelled = msgspec.json.format(msgspec.json.encode(dict(reversed(an_order().items()))), indent=4)
    assert (await desk.place(body=spelled)).body == first.body
    assert await messages(desk.pool) == [("portal.api", "local/k")]
    other = await desk.place(body=an_order(po_number="PO-2"))
    assert problem(other) == (422, "idempotency_key.reused", "Idempotency-Key")
    # A key is one within its channel.
    assert (await desk.place(body=an_order(channel="till"))).status == 201
    assert desk.counted == {("place", "done"): 2, ("place", "repeated"): 2, ("place", "refused"): 1}


async def test_a_repeated_order_is_answered_though_it_would_not_be_taken_any_more(desk: Desk) -> None:
    first = await desk.place()
    await desk.pool.execute("DELETE FROM product WHERE sku = 'CD-1001'")
    await desk.pool.execute("UPDATE catalog_version SET value = value + 1")
    await desk.orders.memory.look()
    assert problem(await desk.place("other"))[:2] == (422, "order.sku_known")
    assert (await desk.place()).body == first.body


async def test_one_key_many_times_at_once_at_two_gateways_is_one_order(desk: Desk, database: str) -> None:
    pool = await open_pool(database, min_size=1, max_size=4, name="second")
    second = Desk(pool, desk.wired)
    await second.orders.memory.look()
    answers = await asyncio.gather(*(one.place() for _ in range(40) for one in (desk, second)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    others = await asyncio.gather(
        *(one.place("k2", an_order(po_number=str(n))) for n in range(20) for one in (desk, second))
    )
    assert {answer.status for answer in others} == {201, 422}
    # Whoever was first had two gateways: both of its calls have the one answer.
    assert len({answer.body for answer in others if answer.status == 201}) == 1
    assert sum(answer.status == 201 for answer in others) == 2
    assert await messages(pool) == [("portal.api", "local/k"), ("portal.api", "local/k2")]
    await second.close()
    pool.terminate()


async def test_all_that_is_wrong_is_told_at_once_each_with_rule_value_and_fix(desk: Desk) -> None:
    lines = [
        {"sku": "NOPE", "quantity": "1", "unit_price": "1"},
        {"sku": "CD-1001", "quantity": "-1", "unit_price": "-2"},
        {"sku": "CD-1001", "quantity": "2", "unit_price": "3", "total": "7", "location": "NORTH"},
    ]
    answer = await desk.place(body=an_order(customer={"id": "NOBODY"}, lines=lines, currency="EUR", ship_to=None))
    assert problem(answer) == (422, "order.ship_to", "ship_to")
    lines[1]["line"] = "1"
    answer = await desk.place(body=an_order(customer={"id": "NOBODY"}, lines=lines, currency="EUR", total="1"))
    assert problem(answer) == (422, "order.sku_known", "lines[0].sku")
    assert [(one["field"], one["rule"], one.get("value")) for one in answer.json["errors"]] == [
        ("lines[0].sku", "order.sku_known", "NOPE"),
        ("lines[1].line", "order.line_unique", "1"),
        ("lines[1].quantity", "order.quantity", "-1"),
        ("lines[1].unit_price", "order.price", "-2"),
        ("lines[2].total", "order.line_total", "7"),
        ("total", "order.total", "1"),
        ("currency", "order.currency_channel", "EUR"),
        ("customer.id", "order.customer_known", "NOBODY"),
        ("lines[2].location", "order.location_known", "NORTH"),
    ]
    assert all(one["fix"] for one in answer.json["errors"])
    assert await messages(desk.pool) == []


async def test_one_failure_is_listed_too(desk: Desk) -> None:
    answer = await desk.place(body=an_order(lines=[{"sku": "CD-1001", "quantity": "1.5", "unit_price": "1"}]))
    assert problem(answer) == (422, "order.quantity_whole", "lines[0].quantity")
    assert answer.json["errors"] == [
        {
            "field": "lines[0].quantity",
            "reason": "1.5 EA: goods counted in EA come whole",
            "rule": "order.quantity_whole",
            "value": "1.5",
            "fix": "put 2, or another unit",
        }
    ]


async def test_what_is_refused_is_counted_and_the_books_balance(desk: Desk) -> None:
    await desk.place()
    await desk.place()
    await desk.place("k2", an_order(customer=None))
    await desk.count_rejections()
    assert await desk.decide() == 1
    rows = await desk.pool.fetch("SELECT interface, rule FROM rejection")
    assert [tuple(row) for row in rows] == [("portal.api", "order.customer_known")]
    async with desk.pool.acquire() as conn:
        books = {book.interface: book for book in await balance(conn)}
    book = books["portal.api"]
    assert (book.received, book.duplicate, book.rejected, book.owner, book.tier) == (3, 1, 1, "web", "internal")
    assert all(one.balanced for one in books.values())


async def test_hostile_bodies_are_refused_and_keep_nothing(desk: Desk) -> None:
    """The name of each says what is answered: STATUS-what-it-is.json."""
    expected = {file.stem: int(file.stem.partition("-")[0]) for file in HOSTILE}
    assert len(expected) > 40
    answered = {file.stem: problem(await desk.place(body=file.read_bytes()))[0] for file in HOSTILE}
    assert answered == expected
    validated = {file.stem: (await desk.validate(file.read_bytes())).status for file in HOSTILE}
    assert {name: status for name, status in validated.items() if status not in (200, expected[name])} == {}
    # Sent at once they share a commit with a good one, which is none the worse for it.
    bodies = [desk.place(file.stem, file.read_bytes()) for file in HOSTILE]
    await asyncio.gather(*bodies, desk.place("good"))
    assert await messages(desk.pool) == [("portal.api", "local/good")]
    await desk.count_rejections()


async def test_ten_thousand_lines_are_taken_and_one_more_is_not(desk: Desk) -> None:
    line = {"sku": "CD-1001", "quantity": "1", "unit_price": "0.01"}
    answer = await desk.place(body=an_order(lines=[line] * 10_000))
    assert (answer.status, answer.json["lines"], answer.json["total"]) == (201, 10_000, "109.00")
    answer = await desk.place("k2", an_order(lines=[line] * 10_001))
    assert problem(answer) == (422, "order.max_lines", "lines")
    # Far too many are not even looked at.
    answer = await desk.place("k3", an_order(lines=[{"sku": "a", "quantity": 1}] * 100_000))
    assert problem(answer) == (422, "order.max_lines", "lines")
    answer = await desk.place("k4", b'{"channel":"portal","lines":[' + b" " * MOST_BODY + b"]}")
    assert problem(answer) == (413, "body_size", "")
    assert await messages(desk.pool) == [("portal.api", "local/k")]


async def test_charges_are_so_many_at_most(desk: Desk) -> None:
    charge = {"kind": "fee", "amount": "0.01"}
    lines = [{"sku": "CD-1001", "quantity": "1", "unit_price": "1"}]
    answer = await desk.place("k1", an_order(lines=lines, charges=[charge] * 100))
    assert (answer.status, answer.json["total"]) == (201, "2.00")
    for many in (101, 50_000):
        answer = await desk.place("k2", an_order(lines=lines, charges=[charge] * many))
        assert problem(answer) == (422, "order.max_charges", "charges")
        assert (answer.json["errors"][0]["value"], len(answer.json["errors"])) == (str(many), 1)


async def test_a_body_that_does_not_arrive_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "READ_SECONDS", 0.05)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"idempotency-key", b"k")]
    await desk.app({"type": "http", "method": "POST", "path": PATH, "headers": headers}, receive, send)
    assert sent[0]["status"] == 408
    assert msgspec.json.decode(sent[1]["body"])["type"] == "/problems/body_time"


@pytest.mark.parametrize("key", ["", " ", "a" * 201, "a\tb", "schl\xfcssel"])
async def test_a_call_without_a_usable_key_is_refused(desk: Desk, key: str) -> None:
    assert problem(await desk.place(key)) == (400, "idempotency_key.missing", "Idempotency-Key")


async def test_channels_that_take_no_orders_here_say_which_do(desk: Desk) -> None:
    for channel in ("shop", "nowhere"):
        answer = await desk.place(body=an_order(channel=channel))
        assert problem(answer) == (422, "order.channel_api", "channel")
        assert answer.json["fix"] == "put one of portal, till"


async def test_methods_paths_and_types(desk: Desk) -> None:
    answer = await call(desk.app, PATH, b"", method="PUT")
    assert (problem(answer)[0], answer.headers["allow"]) == (405, "GET, POST")
    answer = await call(desk.app, f"{PATH}:validate", b"", method="GET")
    assert (problem(answer)[0], answer.headers["allow"]) == (405, "POST")
    answer = await call(desk.app, f"{PATH}/x:cancel", b"", method="DELETE")
    assert (problem(answer)[0], answer.headers["allow"]) == (405, "POST")
    answer = await call(desk.app, f"{PATH}/x", b"", method="PATCH")
    assert (problem(answer)[0], answer.headers["allow"]) == (405, "GET")
    assert problem(await call(desk.app, f"{PATH}:melt", b""))[:2] == (404, "not_found")
    for kind in ("", "text/plain", "application/xml"):
        answer = await call(desk.app, PATH, b"{}", {"content-type": kind, "idempotency-key": "k"})
        assert problem(answer)[:2] == (415, "media_type")
    cut = await call(desk.app, PATH, b'{"channel":', {**JSON, "idempotency-key": "k"}, cut=True)
    assert problem(cut)[:2] == (400, "incomplete")


async def test_before_anything_is_known_orders_are_put_off(desk: Desk) -> None:
    fresh = Desk(desk.pool, desk.wired)
    assert fresh.orders.problem() == "products and accounts are not in memory yet"
    for answer in (await fresh.place(), await fresh.validate(an_order())):
        assert problem(answer)[:2] == (503, "engine_away")
        assert answer.headers["retry-after"] == "5"
    await fresh.orders.memory.look()
    assert fresh.orders.problem() == ""
    assert (await fresh.place()).status == 201
    await fresh.close()


async def test_what_hangs_is_answered_in_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.2)
    async with desk.pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE message IN ACCESS EXCLUSIVE MODE")
        answer = await desk.place()
        assert problem(answer)[:2] == (503, "deadline")
        assert answer.headers["retry-after"] == "1"
    # It was kept in the end; repeated, the call has its answer.
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 10.0)
    again = await desk.place()
    assert (again.status, len(await messages(desk.pool))) == (201, 1)


async def test_accounts_and_names_by_crosswalk_and_the_account_for_everybody(desk: Desk) -> None:
    await desk.place("k1", an_order(customer={"id": "their-acme"}))
    await desk.place("k2", an_order(channel="till", customer={"name": "Ada", "email": "ada@example.com"}))
    async with desk.pool.acquire() as conn:
        await accept_customers(conn, [(None, Customer(customer_id="NEW"))])
    assert problem(await desk.place("k3", an_order(customer={"id": "NEW"})))[0] == 422
    await desk.orders.memory.look()
    await desk.place("k3", an_order(customer={"id": "NEW"}))
    await desk.decide()
    rows = await desk.pool.fetch("SELECT customer_id FROM sales_order ORDER BY placed_at")
    assert [row["customer_id"] for row in rows] == ["ACME", "WEB", "NEW"]
