# SPDX-License-Identifier: Apache-2.0
"""Cases open, close, are retried and dismissed, and the documents and deliveries behind them follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest
import pytest_asyncio

from crossdock.errors import NeedsEdit, Refused
from crossdock.journal.books import balance
from crossdock.triage.act import act
from crossdock.triage.close import close_by_success, close_superseded
from crossdock.triage.dismiss import dismiss
from crossdock.triage.list import group_cases, list_cases, show_case
from crossdock.triage.open import NewCase, open_cases
from crossdock.triage.retry import retry
from tests.journal.filling import NOON, ORDERS, Filling, canonical_order

KEY = "order/shopify-us/5001"


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        filling = Filling(conn)
        await filling.interfaces()
        yield filling


def new_case(document_id: int, delivery_id: int | None = None, reason: str = "SKU XX-1 is not known") -> NewCase:
    error = NeedsEdit(reason, field="line_items[0].sku", rule="sku", value="XX-1", fix="add it to the crosswalk")
    return NewCase(
        document_id=document_id, delivery_id=delivery_id, interface=ORDERS, system="shopify-us", key=KEY,
        step="translate", error=error, owner="jo", deadline=NOON, money=Decimal("41.50"), currency="USD",
    )  # fmt: skip


async def audit(fill: Filling) -> list[tuple[str, str, str, str]]:
    rows = await fill.conn.fetch("SELECT who, action, what, reason FROM audit ORDER BY id")
    return [tuple(row) for row in rows]


async def test_a_case_says_what_where_and_how_to_mend_it(fill: Filling) -> None:
    document = await fill.document(state="case")
    (number,) = await open_cases(fill.conn, [new_case(document)])
    (case,) = await list_cases(fill.conn)
    assert (case.id, case.document_id, case.delivery_id, case.state) == (number, document, None, "open")
    assert (case.klass, case.rule, case.field, case.value) == ("needs_edit", "sku", "line_items[0].sku", "XX-1")
    assert (case.reason, case.fix) == ("SKU XX-1 is not known", "add it to the crosswalk")
    assert (case.owner, case.deadline, case.money, case.currency) == ("jo", NOON, Decimal("41.50"), "USD")
    assert case.retried_at is None


async def test_a_document_and_each_delivery_have_one_open_case(fill: Filling) -> None:
    document = await fill.document(state="case")
    delivery = await fill.delivery(document, "case")
    first = await open_cases(fill.conn, [new_case(document), new_case(document, delivery)])
    again = await open_cases(
        fill.conn, [new_case(document, delivery, "still refused"), new_case(document, None, "still unknown")]
    )
    assert again == first[::-1]
    assert [c.reason for c in await list_cases(fill.conn)] == ["still refused", "still unknown"]


async def test_two_of_one_batch_about_the_same_document_make_one_case(fill: Filling) -> None:
    document = await fill.document(state="case")
    one, two = await open_cases(fill.conn, [new_case(document, reason="a"), new_case(document, reason="b")])
    assert one == two
    assert [c.reason for c in await list_cases(fill.conn)] == ["b"]


async def test_a_closed_case_is_not_reopened_but_followed_by_another(fill: Filling) -> None:
    document = await fill.document(state="case")
    (first,) = await open_cases(fill.conn, [new_case(document)])
    assert await close_by_success(fill.conn, [document]) == 1
    (second,) = await open_cases(fill.conn, [new_case(document)])
    assert second != first


async def test_hostile_values_are_kept_bounded(fill: Filling) -> None:
    document = await fill.document(state="case")
    error = NeedsEdit("bad \x00 text \ud800", value="x" * 100_000)
    await open_cases(fill.conn, [NewCase(document_id=document, interface=ORDERS, key=KEY, step="decide", error=error)])
    (case,) = await list_cases(fill.conn)
    assert case.reason == "bad \ufffd text ?"
    assert len(case.value) == 2000


async def test_success_closes_the_documents_case_and_only_the_deliveries_made(fill: Filling) -> None:
    document = await fill.document(state="delivering", step="deliver")
    made, stuck = await fill.delivery(document, "delivered"), await fill.delivery(document, "case")
    await open_cases(fill.conn, [new_case(document), new_case(document, made), new_case(document, stuck)])
    assert await close_by_success(fill.conn, [document], [made]) == 2
    (left,) = await list_cases(fill.conn)
    assert left.delivery_id == stuck
    closed = await list_cases(fill.conn, state="resolved")
    assert {(c.closed_by, c.close_reason) for c in closed} == {
        ("crossdock", "the document went on"),
        ("crossdock", "delivered"),
    }


async def test_a_newer_statement_closes_the_case_of_an_older_one(fill: Filling) -> None:
    old = await fill.document(state="case", version=3)
    newer = await fill.document(state="delivering", step="deliver", version=4, overtakes=True)
    await open_cases(fill.conn, [new_case(old)])
    assert await close_superseded(fill.conn, [KEY], [newer]) == [old]
    assert await fill.state(old) == ("duplicate", "done", 0)
    (case,) = await list_cases(fill.conn, state=None)
    assert (case.state, case.close_reason) == ("resolved", f"superseded by document {newer}")


async def test_what_a_newer_statement_does_not_replace_stays_open(fill: Filling) -> None:
    shipment = await fill.document(state="case", interface="warehouse.shipments")
    higher = await fill.document(state="case", version=9)
    stuck = await fill.document(state="case", step="deliver", open_deliveries=1)
    other = await fill.document("order/shopify-us/7", "case")
    newer = await fill.document(state="settled", version=4, overtakes=True)
    later = await fill.document(state="case", version=5)
    assert await close_superseded(fill.conn, [KEY], [newer]) == []
    partial = await fill.document(state="settled", version=99, overtakes=False)
    assert await close_superseded(fill.conn, [KEY], [partial]) == []
    for document in (shipment, higher, stuck, other, later):
        assert (await fill.state(document))[0] == "case"


async def test_a_retried_document_is_due_at_once_and_its_case_stays(fill: Filling) -> None:
    document = await fill.document(state="case", step="decide", attempts=3, next_at=NOON + timedelta(days=365))
    case = await fill.case(document)
    assert await retry(fill.conn, [case], by="jo", origin="cli", reason="SKU added") == 1
    assert await fill.state(document) == ("received", "decide", 0)
    row = await fill.conn.fetchrow("SELECT attempts, next_at <= now() AS due FROM document WHERE id = $1", document)
    assert tuple(row) == (3, True)
    (open_case,) = await list_cases(fill.conn)
    assert open_case.retried_by == "jo"
    assert open_case.retried_at is not None
    assert await audit(fill) == [("jo", "case.retry", f"case/{case}", "SKU added")]


@pytest.mark.parametrize(("outcomes", "look"), [(["needs_edit"], False), (["outcome_unknown", "needs_edit"], True)])
async def test_a_retried_delivery_looks_first_when_an_outcome_was_unknown(
    fill: Filling, outcomes: list[str], look: bool
) -> None:
    document = await fill.document(state="case", step="deliver", open_deliveries=1)
    delivery = await fill.delivery(document, "case")
    for number, outcome in enumerate(outcomes, start=1):
        await fill.attempt(delivery, number, outcome)
    case = await fill.case(document, delivery)
    assert await retry(fill.conn, [case], by="jo", origin="cli") == 1
    row = await fill.conn.fetchrow("SELECT state, look_first, next_at <= now() FROM delivery WHERE id = $1", delivery)
    assert tuple(row) == ("due", look, True)
    assert await fill.state(document) == ("delivering", "deliver", 1)


async def test_a_document_stays_a_case_while_another_delivery_is_stuck(fill: Filling) -> None:
    document = await fill.document(state="case", step="deliver", open_deliveries=2)
    one, two = await fill.delivery(document, "case"), await fill.delivery(document, "case")
    case = await fill.case(document, one)
    await fill.case(document, two)
    await retry(fill.conn, [case], by="jo", origin="cli")
    assert await fill.state(document) == ("case", "deliver", 2)


async def test_what_is_under_way_is_not_retried_twice(fill: Filling) -> None:
    document = await fill.document(state="case")
    case = await fill.case(document)
    assert await retry(fill.conn, [case], by="jo", origin="cli") == 1
    assert await retry(fill.conn, [case], by="jo", origin="cli") == 0
    assert len(await audit(fill)) == 1


async def test_a_dismissed_document_is_rejected_with_the_reason(fill: Filling) -> None:
    document = await fill.document(state="case")
    case = await fill.case(document)
    assert await dismiss(fill.conn, [case], by="jo", origin="cli", reason="a test order") == 1
    assert await fill.state(document) == ("rejected", "done", 0)
    note = await fill.conn.fetchval("SELECT note FROM document WHERE id = $1", document)
    assert note == "dismissed by jo: a test order"
    (closed,) = await list_cases(fill.conn, state="dismissed")
    assert (closed.closed_by, closed.close_reason) == ("jo", "a test order")
    assert await audit(fill) == [("jo", "case.dismiss", f"case/{case}", "a test order")]
    assert all(book.balanced for book in await balance(fill.conn))


async def test_dismissed_deliveries_settle_their_document_when_nothing_else_is_owed(fill: Filling) -> None:
    document = await fill.document(state="case", step="deliver", open_deliveries=2)
    one, two = await fill.delivery(document, "case"), await fill.delivery(document, "case")
    first, second = await fill.case(document, one), await fill.case(document, two)
    await dismiss(fill.conn, [first], by="jo", origin="cli", reason="done by hand")
    assert await fill.state(document) == ("case", "deliver", 1)
    await dismiss(fill.conn, [second], by="jo", origin="cli", reason="done by hand")
    assert await fill.state(document) == ("settled", "done", 0)
    states = await fill.conn.fetch("SELECT state, last_error FROM delivery")
    assert {tuple(row) for row in states} == {("cancelled", "dismissed by jo: done by hand")}
    assert all(book.balanced for book in await balance(fill.conn))


async def test_what_is_being_sent_cannot_be_dismissed(fill: Filling) -> None:
    document = await fill.document(state="delivering", step="deliver", open_deliveries=1)
    delivery = await fill.delivery(document)
    await fill.conn.execute(
        "INSERT INTO delivery_claim (system, fence, delivery_ids) VALUES ('netsuite', 1, $1)", [delivery]
    )
    case = await fill.case(document, delivery)
    assert await dismiss(fill.conn, [case], by="jo", origin="cli", reason="no") == 0
    assert len(await list_cases(fill.conn)) == 1


@pytest.mark.parametrize(("by", "reason", "field"), [("jo", "  ", "reason"), (" ", "why", "by")])
async def test_dismissing_needs_a_name_and_a_reason(fill: Filling, by: str, reason: str, field: str) -> None:
    case = await fill.case(await fill.document(state="case"))
    with pytest.raises(Refused) as caught:
        await dismiss(fill.conn, [case], by=by, origin="cli", reason=reason)
    assert caught.value.field == field
    assert await audit(fill) == []


async def test_unknown_and_too_many_cases_are_refused(fill: Filling) -> None:
    with pytest.raises(Refused, match="there is no case 7, 8") as caught:
        await retry(fill.conn, [8, 7], by="jo", origin="cli")
    assert caught.value.status == 404
    with pytest.raises(Refused, match="501 cases are too many at once"):
        await retry(fill.conn, list(range(501)), by="jo", origin="cli")


async def test_a_preview_changes_nothing(fill: Filling) -> None:
    document = await fill.document(state="case")
    case = await fill.case(document)
    done = await act(fill.conn, lambda c: dismiss(c, [case], by="jo", origin="cli", reason="no"), dry_run=True)
    assert done == 1
    assert (await fill.state(document))[0] == "case"
    assert await audit(fill) == []


async def test_actions_give_way_when_workers_wait_for_them(fill: Filling, pool: asyncpg.Pool) -> None:
    """A worker holds the document and asks for the delivery, the action does it the other way round."""
    document = await fill.document(state="case", step="deliver", open_deliveries=1)
    delivery = await fill.delivery(document, "case")
    case = await fill.case(document, delivery)
    async with pool.acquire() as worker:
        work = worker.transaction()
        await work.start()
        await worker.execute("SET LOCAL deadlock_timeout = '60s'")
        await worker.execute("SELECT id FROM document WHERE id = $1 FOR UPDATE", document)
        action = asyncio.create_task(act(fill.conn, lambda c: retry(c, [case], by="jo", origin="cli")))
        # Only the database knows when the action has come to wait.
        while not await worker.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await worker.execute("SELECT id FROM delivery WHERE id = $1 FOR UPDATE", delivery)
        await work.commit()
    assert await action == 1


async def test_cases_are_filtered_and_paged(fill: Filling) -> None:
    documents = [await fill.document(f"order/shopify-us/{n}", "case") for n in range(5)]
    ids = [await fill.case(d, key=f"order/shopify-us/{n}") for n, d in enumerate(documents)]
    odd = await fill.case(
        await fill.document(state="case"), system="netsuite", interface="x", owner="ann", reason="100% _off",
        **{"class": "retry_later"},
    )  # fmt: skip
    assert [c.id for c in await list_cases(fill.conn, limit=2, interface=ORDERS)] == ids[:2:-1]
    assert [c.id for c in await list_cases(fill.conn, limit=9, interface=ORDERS, after=ids[3])] == ids[2::-1]
    for filters in (
        {"system": "netsuite"},
        {"interface": "x"},
        {"owner": "ann"},
        {"klass": "retry_later"},
        {"text": "0% _O"},
    ):
        assert [c.id for c in await list_cases(fill.conn, **filters)] == [odd]
    assert await list_cases(fill.conn, text="1%0") == []
    assert [c.id for c in await list_cases(fill.conn, text="US/3")] == [ids[3]]


async def test_cases_of_one_cause_are_grouped(fill: Filling) -> None:
    for number in range(3):
        await fill.case(await fill.document(state="case"), opened_at=NOON + timedelta(minutes=number))
    await fill.case(await fill.document(state="case"), field="other")
    biggest, single = await group_cases(fill.conn)
    assert (biggest.number, biggest.first_at, biggest.last_at) == (3, NOON, NOON + timedelta(minutes=2))
    assert (single.number, single.field) == (1, "other")


async def test_one_case_shows_the_document_and_what_would_be_edited(fill: Filling) -> None:
    document = await fill.document(state="case", step="deliver", kind="sales_order", open_deliveries=1)
    await fill.version(document, canonical_order())
    delivery = await fill.delivery(document, "case")
    await fill.attempt(delivery, 1, "needs_edit", status=400, error="no such item")
    detail = await show_case(fill.conn, await fill.case(document, delivery))
    assert (detail.stage, detail.object) == ("canonical", "sales_order")
    assert detail.body.text == canonical_order().decode()
    assert [(e.status, e.outcome) for e in detail.document.exchanges] == [(400, "needs_edit")]
    with pytest.raises(Refused, match="there is no case 99"):
        await show_case(fill.conn, 99)
