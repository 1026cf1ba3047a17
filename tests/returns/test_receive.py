# SPDX-License-Identifier: Apache-2.0
"""What comes back is counted once, goes where its disposition says, and is paid for to the cent."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.goods_return import Refund
from crossdock.canonical.master_data import Component
from crossdock.canonical.objects import decode, encode
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.journal.decided import Decided
from crossdock.returns.policy import ReturnPolicy
from crossdock.returns.receive import WAIT_FOR_RETURN
from tests.inventory.deciding import PRODUCTS, check_laws, decided, fill_catalog
from tests.orders.making import usd
from tests.returns.returning import back, by, came, have, kept, level, sold


def refund(one: Decided) -> Refund:
    body = next(event.data for event in one.events if event.type == "goods_return.refunded")
    made: Refund = decode("refund", body)
    return made


async def approved(pool: asyncpg.Pool, policy: ReturnPolicy | None = None) -> None:
    await fill_catalog(pool)
    await have(pool, sold())
    (one,) = await decided(pool, back(), by=by(policy))
    assert one.error is None


async def test_each_disposition_goes_where_it_says(pool: asyncpg.Pool) -> None:
    await approved(pool)
    receipt = came("x", ("1", "1", "restock"), ("1", "1", "quarantine"), ("1", "1", "scrap"), ("2", "1", "restock"))
    (one,) = await decided(pool, receipt, by=by())
    assert one.error is None
    assert await level(pool) == (2, 1)
    assert await level(pool, "CD-2") == (1, 0)
    state, given, fee, lines = await kept(pool)
    assert (state, given, fee) == ("received", Decimal("39.00"), 0)
    assert (lines["1"].received, lines["1"].restocked, lines["1"].quarantined, lines["1"].scrapped) == (3, 1, 1, 1)
    assert [(d.system, d.operation) for d in one.deliveries] == [("shop", "refund"), ("erp", "credit_memo")]
    assert refund(one).total.amount == Decimal("39.00")
    assert {event.type for event in one.events} == {
        "goods_return.received",
        "goods_return.refunded",
        "stock.movements_applied",
    }
    await check_laws(pool)


async def test_a_receipt_counts_once_however_often_and_late_it_comes(pool: asyncpg.Pool) -> None:
    await approved(pool)
    receipt = came("x", ("1", "2", "restock"))
    await decided(pool, receipt, by=by())
    before = (await kept(pool), await level(pool), await pool.fetchval("SELECT count(*) FROM stock_movement"))
    again, once_more = await decided(pool, receipt, receipt, by=by())
    assert (again.duplicate, once_more.duplicate) == (True, True)
    after = (await kept(pool), await level(pool), await pool.fetchval("SELECT count(*) FROM stock_movement"))
    assert after == before
    # The id is the source's: another warehouse's receipt of that name is another one.
    (other,) = await decided(pool, replace(came("x", ("1", "1", "restock")), source="wms-west"), by=by())
    assert other.error is None
    assert refund(other).refund_key == "shop/r1/wms-west/x"


async def test_receipts_of_one_name_make_refunds_of_two(pool: asyncpg.Pool) -> None:
    await approved(pool)
    one = came("1001", ("1", "1", "restock"))
    made = await decided(pool, one, replace(one, source="wms-west"), by=by())
    assert [refund(each).refund_key for each in made] == ["shop/r1/wms-east/1001", "shop/r1/wms-west/1001"]
    assert [{d.reference for d in each.deliveries} for each in made] == [
        {"shop/r1/wms-east/1001"},
        {"shop/r1/wms-west/1001"},
    ]


async def test_a_refund_of_long_names_can_still_be_told(pool: asyncpg.Pool) -> None:
    await approved(pool)
    made = await decided(pool, *(came("n" * 199 + last, ("1", "1", "restock")) for last in "ab"), by=by())
    names = [refund(each).refund_key for each in made]
    assert [len(name) for name in names] == [200, 200]
    assert names[0] != names[1]


async def test_goods_of_a_line_that_the_order_has_lost_are_a_case(pool: asyncpg.Pool) -> None:
    await approved(pool)
    less = sold(version=2)
    await pool.execute("UPDATE message SET body = $1", encode(replace(less, lines=less.lines[:1])))
    (one,) = await decided(pool, came("x", ("1", "1", "restock"), ("2", "1", "restock")), by=by())
    assert isinstance(one.error, NeedsEdit)
    assert (one.error.field, one.error.rule) == ("lines[1].line", "return.order_line")
    assert (await kept(pool))[:3] == ("approved", 0, 0)


async def test_what_came_before_its_return_waits_for_it(pool: asyncpg.Pool) -> None:
    await have(pool, sold())
    receipt = came("x", ("1", "1", "restock"))
    (early,) = await decided(pool, receipt, by=by(), attempts=WAIT_FOR_RETURN - 1)
    assert isinstance(early.error, RetryLater)
    (late,) = await decided(pool, receipt, by=by(), attempts=WAIT_FOR_RETURN)
    assert isinstance(late.error, NeedsEdit)
    assert late.error.rule == "return.known"
    assert await level(pool) == (0, 0)


@pytest.mark.parametrize(
    ("receipt", "field", "rule"),
    [
        (came("x", ("1", "4", "restock")), "lines[0].quantity", "received_quantity"),
        (came("x", ("1", "2", "restock"), ("1", "2", "scrap")), "lines[1].quantity", "received_quantity"),
        (came("x", ("1", "-1", "restock")), "lines[0].quantity", "received_quantity"),
        (came("x", ("1", "1 KGM", "restock")), "lines[0].quantity.unit", "received_unit"),
        (came("x"), "lines", "lines"),
        (came("x", ("1", "1", "restock"), location="MOON"), "location", "location"),
        (
            replace(
                came("x", ("1", "1", "restock")), lines=(replace(came("x", ("1", "1", "restock")).lines[0], line="2"),)
            ),
            "lines[0].sku",
            "received_line",
        ),
    ],
)
async def test_what_was_not_to_come_back_is_a_case_and_changes_nothing(
    pool: asyncpg.Pool, receipt: object, field: str, rule: str
) -> None:
    await approved(pool)
    (one,) = await decided(pool, receipt, by=by())  # type: ignore[arg-type]  # a ReturnReceipt
    assert isinstance(one.error, NeedsEdit)
    assert (one.error.field, one.error.rule) == (field, f"return.{rule}")
    assert (await kept(pool))[:3] == ("approved", 0, 0)
    assert await pool.fetchval("SELECT count(*) FROM stock_movement") == 0


async def test_goods_of_a_return_that_was_cancelled_are_a_case(pool: asyncpg.Pool) -> None:
    await approved(pool)
    await decided(pool, back(version=2, status="cancelled"), by=by())
    (one,) = await decided(pool, came("x", ("1", "1", "restock")), by=by())
    assert isinstance(one.error, NeedsEdit)
    assert one.error.rule == "return.open"


async def test_a_receipt_without_lines_of_the_order_is_matched_by_sku(pool: asyncpg.Pool) -> None:
    await approved(pool)
    receipt = came("x", ("1", "2", "restock"), ("2", "1", "scrap"))
    loose = replace(receipt, lines=tuple(replace(line, line="") for line in receipt.lines))
    (one,) = await decided(pool, loose, by=by())
    assert one.error is None
    lines = (await kept(pool))[3]
    assert (lines["1"].received, lines["2"].scrapped) == (2, 1)


async def test_a_bundle_comes_back_as_what_it_is_made_of(pool: asyncpg.Pool) -> None:
    rules = by()
    rules.catalog.products = {
        **PRODUCTS,
        "CD-1": ProductFacts("EA", "", True, True, {}, {"CD-2": Decimal(2), "OIL": Decimal("0.5")}),
    }
    await fill_catalog(pool)
    await have(pool, sold())
    await decided(pool, back(), by=rules)
    (one,) = await decided(pool, came("x", ("1", "2", "restock")), by=rules)
    assert one.error is None
    assert (await level(pool), await level(pool, "CD-2"), await level(pool, "OIL")) == ((0, 0), (4, 0), (1, 0))
    assert Component(sku="CD-2", quantity=Decimal(2)).quantity == 2


async def test_a_fee_is_kept_but_not_for_goods_that_were_damaged(pool: asyncpg.Pool) -> None:
    policy = ReturnPolicy(
        restocking_fee=Decimal(15), free_reasons=frozenset({"damaged"}), keeps=frozenset({"shipping"})
    )
    await fill_catalog(pool)
    await have(pool, sold())
    asked = back()
    lines = (replace(asked.lines[0], reason="not_wanted"), replace(asked.lines[1], reason="damaged"))
    await decided(pool, replace(asked, lines=lines), by=by(policy))
    (one,) = await decided(pool, came("x", ("1", "3", "restock"), ("2", "1", "scrap")), by=by(policy))
    # 39.00 with no charge named as shipping: 33.43 and 5.57, of the first 15 % are kept.
    told = refund(one)
    assert [line.amount.amount for line in told.lines] == [Decimal("33.43"), Decimal("5.57")]
    assert told.fee is not None
    assert (told.fee.amount, told.total.amount) == (Decimal("5.01"), Decimal("33.99"))
    assert (await kept(pool))[1:3] == (Decimal("33.99"), Decimal("5.01"))


async def test_a_credit_is_told_to_the_erp_only(pool: asyncpg.Pool) -> None:
    await fill_catalog(pool)
    await have(pool, sold())
    await decided(pool, back(resolution="credit"), by=by())
    (one,) = await decided(pool, came("x", ("1", "1", "restock")), by=by())
    assert [(d.system, d.operation) for d in one.deliveries] == [("erp", "credit_memo")]


async def test_two_workers_that_receive_at_once_give_back_what_was_paid(pool: asyncpg.Pool) -> None:
    await fill_catalog(pool)
    await have(pool, sold(total=usd("38.99")))
    await decided(pool, back("a", {"1": "2", "2": "1"}), back("b", {"1": "1"}), by=by())
    receipts = [
        came("x1", ("1", "1", "restock"), return_id="a"),
        came("x2", ("1", "1", "scrap"), return_id="b"),
        came("x3", ("2", "1", "restock"), return_id="a"),
        came("x4", ("1", "1", "quarantine"), return_id="a"),
    ]
    done = await asyncio.gather(*(decided(pool, one, by=by(), first=number) for number, one in enumerate(receipts, 1)))
    assert [batch[0].error for batch in done] == [None] * 4
    assert (await kept(pool, "a"))[1] + (await kept(pool, "b"))[1] == Decimal("38.99")
    assert await level(pool) == (2, 1)
    await check_laws(pool)


_PARTS = st.lists(
    st.tuples(
        st.sampled_from(["1", "2"]),
        st.integers(1, 3),
        st.sampled_from(["restock", "quarantine", "scrap"]),
        st.sampled_from(["a", "b"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_PARTS, st.lists(st.integers(0, 11), max_size=12), st.integers(0, 100))
async def test_whatever_comes_back_in_whatever_parts_and_however_often_stock_and_money_are_conserved(
    pool: asyncpg.Pool, parts: list[tuple[str, int, str, str]], again: list[int], percent: int
) -> None:
    await pool.execute(
        "TRUNCATE message, document, sales_order, fulfillment_order, shipment, goods_return, return_receipt, "
        "stock_movement, stock_level, product"
    )
    await fill_catalog(pool)
    await have(pool, sold())
    rules = by(ReturnPolicy(restocking_fee=Decimal(percent)))
    await decided(pool, back("a", {"1": "2", "2": "1"}), back("b", {"1": "1"}), by=rules)
    receipts = [
        came(f"x{number}", (name, str(count), where), return_id=which)  # type: ignore[arg-type]  # a disposition
        for number, (name, count, where, which) in enumerate(parts)
        if which == "a" or name == "1"
    ]
    said: Counter[str] = Counter()
    for receipt in [*receipts, *(receipts[index % len(receipts)] for index in again if receipts)]:
        (one,) = await decided(pool, receipt, by=rules)
        said["taken" if one.error is None and not one.duplicate else "not"] += 1
    rows = [await kept(pool, which) for which in ("a", "b")]
    lines = [line for row in rows for line in row[3].values()]
    for line in lines:
        assert 0 <= line.received == line.restocked + line.quarantined + line.scrapped <= line.approved
    on_hand, blocked = await level(pool)
    other_on_hand, other_blocked = await level(pool, "CD-2")
    assert on_hand + other_on_hand == sum(line.restocked + line.quarantined for line in lines)
    assert blocked + other_blocked == sum(line.quarantined for line in lines)
    given_back = sum(row[1] + row[2] for row in rows)
    assert given_back <= Decimal("39.00")
    assert all(row[1] >= 0 and row[2] >= 0 for row in rows)
    if all(line.received == line.approved for line in lines):
        assert given_back == Decimal("39.00")
    assert await pool.fetchval("SELECT coalesce(sum(refund + fee), 0) FROM return_receipt") == given_back
    assert await pool.fetchval("SELECT count(*) FROM return_receipt") == said["taken"]
    await check_laws(pool)
