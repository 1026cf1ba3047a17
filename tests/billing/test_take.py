# SPDX-License-Identifier: Apache-2.0
"""Invoices and payments find their order, count once per version, and never come to more than can be."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from crossdock.billing.known import BilledOrder, OrderedLine
from crossdock.billing.lines import name_lines
from crossdock.billing.told import Listeners
from crossdock.canonical.billing import Invoice
from crossdock.canonical.money import Money
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Charge
from crossdock.decide_orders import InterfaceFacts, Rules
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.journal.decided import Decided
from tests.inventory.deciding import decided, decided_by, rules
from tests.orders.making import NOON, line, order, usd
from tests.orders.test_follow import KEY, invoice, payment

WHOLE = (("1", "CD-1", "2", "20.00"), ("2", "CD-2", "3", "30.00"))


def estate(**changes: Any) -> Rules:
    """The estate of `deciding`, in which documents come from the ERP."""
    made = rules(governed=False)
    erp = InterfaceFacts(name="shop.orders", system="erp", owner="o", settle_within=NOON - NOON)
    return replace(made, interfaces={"shop.orders": erp}, **changes)


@pytest_asyncio.fixture
async def ordered(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A database with order shop/1: two CD-1 and three CD-2 at 10, 50 in all."""
    given = order("1", line(1, "CD-1", "2"), line(2, "CD-2", "3"))
    assert (await decided(pool, given, by=estate(), first=1))[0].accepted
    return pool


async def took(pool: asyncpg.Pool, *documents: Struct, by: Rules | None = None, attempts: int = 9) -> list[Decided]:
    return await decided(pool, *documents, by=by or estate(), first=100, attempts=attempts)


def rules_of(decision: Decided) -> list[str]:
    error = decision.error
    if error is None:
        return []
    return [one.rule for one in (error.failures if isinstance(error, NeedsEdit) and error.failures else (error,))]


async def test_an_invoice_is_kept_once_per_version(ordered: asyncpg.Pool) -> None:
    first = invoice("I1", *WHOLE)
    (one, again, newer) = await took(ordered, first, first, replace(first, version=2, number="I1a"))
    assert (one.accepted, again.duplicate, newer.accepted) == (True, True, True)
    assert [event.type for event in one.events] == ["invoice.accepted"]
    assert {event.key for event in one.events} == {f"order/{KEY}"}
    assert (one.money, one.currency) == (Decimal("50.00"), "USD")
    (late,) = await took(ordered, replace(first, version=1))
    assert late.duplicate
    row = await ordered.fetchrow("SELECT number, version, total, order_key, lines FROM invoice")
    assert tuple(row) == ("I1a", 2, Decimal("50.00"), KEY, '{"1": "2", "2": "3"}')


async def test_an_order_is_found_by_its_number_and_not_by_a_number_of_two(ordered: asyncpg.Pool) -> None:
    (found,) = await took(ordered, payment("P1", "5.00", order="#1"))
    assert found.orders == (KEY,)
    await ordered.execute(
        "INSERT INTO sales_order SELECT 'other/1', number, 'other', entity, customer_id, po_number, status, version, "
        "currency, total, document_id, content, erp, placed_at, changed_at, decision FROM sales_order"
    )
    (two,) = await took(ordered, payment("P2", "5.00", order="#1"))
    assert rules_of(two) == ["payment.order_one"]
    assert "other/1, shop/1" in str(two.error)


async def test_one_whose_order_is_not_there_is_waited_for_and_then_a_case(pool: asyncpg.Pool) -> None:
    (early,) = await took(pool, invoice("I1", *WHOLE), attempts=0)
    assert isinstance(early.error, RetryLater)
    (late,) = await took(pool, invoice("I1", *WHOLE))
    assert isinstance(late.error, NeedsEdit)
    assert (late.error.field, late.error.rule, late.error.value) == ("order", "invoice.order_known", KEY)


async def test_an_order_and_its_invoice_may_come_at_once(pool: asyncpg.Pool) -> None:
    given = order("1", line(1, "CD-1", "2"), line(2, "CD-2", "3"))
    both = await decided(pool, given, invoice("I1", *WHOLE), by=estate())
    assert [one.accepted for one in both] == [True, True]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lines": (("9", "CD-1", "2", "20.00"),)}, ["invoice.line_known"]),
        ({"lines": (("1", "CD-2", "2", "20.00"),)}, ["invoice.sku"]),
        ({"lines": (("1", "CD-1", "0", "20.00"),)}, ["invoice.quantity"]),
        ({"lines": (("1", "CD-1", "3", "30.00"),)}, ["invoice.quantity_ordered"]),
        ({"lines": (("1", "CD-1", "1", "10.00"), ("1", "CD-1", "2", "20.00"))}, ["invoice.quantity_ordered"]),
        ({"lines": ()}, ["invoice.not_empty"]),
        ({"total": usd("49.00")}, ["invoice.total"]),
        ({"total": Money(Decimal("1e15"), "USD")}, ["invoice.number_range"]),
        ({"total": Money(Decimal("1e-11"), "USD")}, ["invoice.number_range"]),
        ({"currency": "EUR"}, ["invoice.currency"]),
        ({"total": Money(Decimal("50.00"), "EUR")}, ["invoice.currency_one"]),
        ({"kind": "credit_memo"}, ["invoice.credit"]),
        (
            {"charges": (Charge(kind="discount", amount=usd("-60.00")),), "total": usd("-10.00")},
            ["invoice.total_positive"],
        ),
    ],
)
async def test_what_is_wrong_with_an_invoice(
    ordered: asyncpg.Pool, changes: dict[str, Any], expected: list[str]
) -> None:
    lines = changes.pop("lines", WHOLE)
    (decision,) = await took(ordered, invoice("I1", *lines, **changes))
    assert rules_of(decision) == expected
    assert await ordered.fetchval("SELECT count(*) FROM invoice") == 0


async def test_everything_wrong_with_it_is_told_at_once(ordered: asyncpg.Pool) -> None:
    made = invoice("I1", ("9", "CD-1", "2", "20.00"), ("1", "XX", "2", "20.00"), currency="EUR")
    lines = (*made.lines, replace(made.lines[1], sku="CD-1", quantity=Quantity(Decimal(1), "CS")))
    (decision,) = await took(ordered, replace(made, lines=lines))
    assert rules_of(decision) == ["invoice.currency", "invoice.line_known", "invoice.sku", "invoice.unit"]


async def test_skus_of_the_erp_are_turned_into_ours(ordered: asyncpg.Pool) -> None:
    by = estate()
    by.catalog._crosswalks = {("erp", "sku"): {"ITEM-1": "CD-1"}}
    (decision,) = await took(ordered, invoice("I1", ("1", "ITEM-1", "2", "20.00")), by=by)
    assert decision.accepted


async def test_a_document_stays_with_its_order_and_its_kind(ordered: asyncpg.Pool) -> None:
    await decided(ordered, order("2", line(1, "CD-1", "2")), by=estate(), first=2)
    await took(ordered, invoice("I1", *WHOLE), payment("P1", "50.00"))
    moved = replace(invoice("I1", ("1", "CD-1", "2", "20.00")), order="shop/2", version=2)
    other = replace(payment("P1", "50.00"), kind="refund", version=2)
    assert [rules_of(one) for one in await took(ordered, moved, other)] == [
        ["invoice.same_order"],
        ["payment.same_order"],
    ]


async def test_refunds_and_credits_have_a_limit(ordered: asyncpg.Pool) -> None:
    refund = payment("R1", "50.01", kind="refund")
    credit = invoice("C1", ("1", "CD-1", "2", "20.01"), kind="credit_memo")
    results = await took(
        ordered,
        refund,
        payment("P1", "50.01"),
        refund,
        payment("R2", "0.01", kind="refund"),
        payment("P2", "0.00"),
        invoice("I1", ("1", "CD-1", "2", "20.00")),
        credit,
        replace(credit, total=usd("20.00"), lines=invoice("x", ("1", "CD-1", "2", "20.00")).lines),
    )
    assert [rules_of(one) for one in results] == [
        ["payment.refund"],
        [],
        [],
        ["payment.refund"],
        ["payment.amount"],
        [],
        ["invoice.credit"],
        [],
    ]


def test_who_is_told() -> None:
    of = BilledOrder(
        order_key=KEY, number="#1", channel="shop", entity="us", currency="USD", total=Decimal(50), erp="erp", lines={}
    )
    outgoing = {
        (system, "invoice"): f"{system}.invoices" for system in ("shop-system", "other-shop", "erp", "other-erp", "crm")
    }
    listeners = Listeners(
        outgoing={**outgoing, ("crm", "payment"): "crm.payments"},
        channel_system={"shop": "shop-system", "other": "other-shop"},
        erps=frozenset({"erp", "other-erp"}),
    )
    told = listeners.told("invoice", of, "erp/I1", "erp")
    assert [(one.system, one.operation, one.object, one.reference) for one in told] == [
        ("crm", "invoice", "invoice", "erp/I1"),
        ("shop-system", "invoice", "invoice", "erp/I1"),
    ]
    assert [one.system for one in listeners.told("payment", of, "P1", "bank")] == ["crm"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["I1", "I2", "C1", "P1", "R1"]),
        st.integers(1, 4),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=12,
)


def _document(step: tuple[str, int, int, bool]) -> Struct:
    name, version, size, holds = step
    if name in ("P1", "R1"):
        kind = "payment" if name == "P1" else "refund"
        status = "settled" if holds else "reversed"
        return payment(name, f"{size}0.00", version=version, kind=kind, status=status)
    kind = "credit_memo" if name == "C1" else "invoice"
    lines = (("2", "CD-2", str(size), f"{size}0.00"),)
    return invoice(name, *lines, version=version, kind=kind, status="open" if holds else "void")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(STEPS, st.integers(1, 3))
async def test_money_is_conserved_whatever_comes(
    ordered: asyncpg.Pool, steps: Sequence[tuple[str, int, int, bool]], batch: int
) -> None:
    async with ordered.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            for start in range(0, len(steps), batch):
                documents = [_document(step) for step in steps[start : start + batch]]
                decisions = await decided_by(conn, *documents, by=estate(), first=200 + start, attempts=9)
                assert len(decisions) == len(documents)
                await _laws(conn)
        finally:
            await transaction.rollback()


async def _laws(conn: asyncpg.Connection) -> None:
    sums = {
        row["kind"]: row["sum"]
        for row in await conn.fetch(
            "SELECT kind, sum(total) FROM invoice WHERE state = 'open' GROUP BY kind "
            "UNION ALL SELECT kind, sum(amount) FROM payment WHERE state = 'settled' GROUP BY kind"
        )
    }
    assert sums.get("refund", 0) <= sums.get("payment", 0) or await _taken_back(conn, "payment")
    assert sums.get("credit_memo", 0) <= sums.get("invoice", 0) or await _taken_back(conn, "invoice")
    lines = await conn.fetch("SELECT lines FROM invoice WHERE state = 'open' AND kind = 'invoice'")
    assert sum(Decimal(msgspec.json.decode(row["lines"])["2"]) for row in lines) <= 3


async def _taken_back(conn: asyncpg.Connection, table: str) -> bool:
    """Whether something was voided, reversed or lowered: what was given back before stays given back."""
    return bool(await conn.fetchval(f"SELECT count(*) FROM {table} WHERE version > 1"))


def test_hostile_text_is_no_invoice() -> None:
    for body in (b"{}", b'{"invoice_key":"x"}', msgspec.json.encode({"invoice_key": "x" * 201}), b"\xff", b"[]"):
        with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
            msgspec.json.decode(body, type=Invoice)


def unnamed(key: str, *lines: tuple[str, str, str], **changes: Any) -> Invoice:
    """An invoice of an ERP that knows SKUs only: (SKU, quantity, total) lines in the unit that was ordered."""
    made = invoice(key, *(("x", *line) for line in lines), **changes)
    return replace(
        made, lines=tuple(replace(one, line="", quantity=Quantity(one.quantity.value, "ZZ")) for one in made.lines)
    )


async def erp_calls_it(pool: asyncpg.Pool, name: str) -> None:
    await pool.execute(
        "INSERT INTO delivery (document_id, interface, system, operation, object, key, reference, state, "
        "their_reference) VALUES (1, 'erp.orders', 'erp', 'sales_order', 'sales_order', $1, $2, 'delivered', $3)",
        f"order/{KEY}",
        KEY,
        name,
    )


async def test_an_order_is_found_by_what_its_erp_calls_it(ordered: asyncpg.Pool) -> None:
    await ordered.execute("UPDATE sales_order SET erp = 'erp'")
    await erp_calls_it(ordered, "100001")
    await erp_calls_it(ordered, "100001")
    results = await took(
        ordered,
        replace(invoice("I1", *WHOLE), order="erp:100001"),
        payment("P1", "5.00", order="erp:100001"),
        payment("P2", "5.00", order="other:100001"),
        payment("P3", "5.00", order="erp:"),
    )
    assert [one.orders for one in results[:2]] == [(KEY,), (KEY,)]
    assert [rules_of(one) for one in results[2:]] == [["payment.order_known"], ["payment.order_known"]]


async def test_lines_of_a_sku_are_put_on_the_lines_of_the_order(pool: asyncpg.Pool) -> None:
    given = order("1", line(1, "CD-1", "2"), line(2, "CD-2", "3"), line(3, "CD-1", "3"))
    await decided(pool, given, by=estate(), first=1)
    first, second = await took(
        pool,
        unnamed("I1", ("CD-1", "3", "10.00"), ("CD-2", "1", "10.00")),
        unnamed("I2", ("CD-1", "2", "20.00")),
    )
    rows = await pool.fetch("SELECT invoice_key, lines, total FROM invoice ORDER BY invoice_key")
    assert [tuple(row) for row in rows] == [
        ("erp/I1", '{"1": "2", "2": "1", "3": "1"}', Decimal("20.00")),
        ("erp/I2", '{"3": "2"}', Decimal("20.00")),
    ]
    told = msgspec.json.decode(first.body, type=Invoice)
    assert [(one.line, str(one.quantity.value), one.quantity.unit, str(one.total.amount)) for one in told.lines] == [
        ("1", "2", "EA", "6.67"),
        ("3", "1", "EA", "3.33"),
        ("2", "1", "EA", "10.00"),
    ]
    assert second.accepted
    (again,) = await took(pool, unnamed("I1", ("CD-1", "3", "10.00"), ("CD-2", "1", "10.00"), version=2))
    assert again.accepted
    (more,) = await took(pool, unnamed("I3", ("CD-1", "1", "10.00")))
    assert rules_of(more) == ["invoice.quantity_ordered"]
    (back,) = await took(pool, unnamed("C1", ("CD-1", "3", "10.00"), kind="credit_memo"))
    assert back.accepted


@pytest.mark.parametrize(
    ("line_", "expected"),
    [(("CD-9", "1", "10.00"), ["invoice.line_known"]), (("CD-1", "1.5", "10.00"), ["invoice.line_known"])],
)
async def test_a_line_that_fits_none_of_the_order_is_named(
    ordered: asyncpg.Pool, line_: tuple[str, str, str], expected: list[str]
) -> None:
    made = unnamed("I1", ("CD-1", "1", "10.00"))
    given = replace(made.lines[0], sku=line_[0], quantity=Quantity(Decimal(line_[1]), "ZZ"))
    (decision,) = await took(ordered, replace(made, lines=(given,)))
    assert rules_of(decision) == expected
    assert isinstance(decision.error, NeedsEdit)
    assert decision.error.field == "lines[0].sku"


@given(
    ordered_=st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 5)), min_size=1, max_size=5),
    billed_=st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 6), st.integers(0, 10_000)), max_size=4),
)
def test_placing_loses_no_quantity_and_no_money(
    ordered_: list[tuple[str, int]], billed_: list[tuple[str, int, int]]
) -> None:
    lines = {str(n): OrderedLine(sku, Decimal(many), "EA") for n, (sku, many) in enumerate(ordered_)}
    made = unnamed("I1", *((sku, str(many), f"{cents / 100:.2f}") for sku, many, cents in billed_))
    placed = name_lines(made, lines, {})
    for sku in "ABC":
        before = [one for one in made.lines if one.sku == sku]
        after = [one for one in placed.lines if one.sku == sku]
        for what in (lambda one: one.quantity.value, lambda one: one.total.amount):
            assert sum(map(what, before)) == sum(map(what, after))
        there = [name for name, one in lines.items() if one.sku == sku]
        assert {one.line for one in after} <= (set(there) if there else {""})
        asked = sum((lines[name].quantity for name in there), Decimal(0))
        if sum((one.quantity.value for one in before), Decimal(0)) <= asked:
            for name in there:
                on_it = sum((one.quantity.value for one in after if one.line == name), Decimal(0))
                assert on_it <= lines[name].quantity


async def test_only_settled_money_counts_and_is_told(ordered: asyncpg.Pool) -> None:
    by = estate(outgoing={("crm", "payment"): "crm.payments"})
    promised, failed = (
        replace(payment("P1", "50.00"), status="promised"),
        replace(payment("P2", "50.00"), status="failed"),
    )
    results = await took(ordered, promised, failed, replace(promised, status="settled", version=2), by=by)
    assert [one.accepted for one in results] == [True, True, True]
    assert [[told.system for told in one.deliveries] for one in results] == [[], [], ["crm"]]
    rows = await ordered.fetch("SELECT payment_key, state FROM payment ORDER BY 1")
    assert [tuple(row) for row in rows] == [("bank/P1", "settled"), ("bank/P2", "failed")]
    (refund,) = await took(ordered, payment("R1", "50.01", kind="refund"), by=by)
    assert rules_of(refund) == ["payment.refund"], "what failed was not paid"
