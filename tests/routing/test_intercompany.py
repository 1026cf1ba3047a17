# SPDX-License-Identifier: Apache-2.0
"""Goods of one entity sold by another: both legs say the same goods and money, and live as long as what ships them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from crossdock.canonical.fulfillment import FulfillmentLine, FulfillmentOrder
from crossdock.canonical.money import Money
from crossdock.canonical.objects import decode
from crossdock.canonical.party import Address
from crossdock.canonical.purchase_order import PurchaseOrder
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.decide_orders import Rules
from crossdock.errors import NeedsConfig
from crossdock.journal.decided import Decided
from crossdock.routing.intercompany import Leg, TransferPrice, leg_of, price_for
from crossdock.routing.policy import LocationFacts
from crossdock.routing.route import decision_of
from tests.inventory.deciding import check_laws, decided, fill_catalog, moved, movements, rules
from tests.orders.making import line, order, usd

SEVENTY = TransferPrice(percent=Decimal(70), seller="us", owner="de", customer="IC-US", supplier="IC-DE")
TOLD = {("erp-de", "intercompany_sale"): "erp-de.sales", ("erp", "purchase_order"): "erp.purchases"}


def estate(outgoing: dict[tuple[str, str], str] | None = None) -> Rules:
    """WEST belongs to de, which keeps its books in erp-de."""
    by = rules()
    policy = msgspec.structs.replace(
        by.policy,
        erp_of={"us": "erp", "de": "erp-de"},
        locations={**by.policy.locations, "WEST": LocationFacts(name="WEST", system="wms-west", entity="de")},
        transfer_prices=(SEVENTY,),
    )
    return msgspec.structs.replace(by, policy=policy, outgoing=TOLD if outgoing is None else outgoing)


@pytest_asyncio.fixture
async def stock(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Pool]:
    """2 of CD-1 at EAST, 9 at WEST; the laws of stock and of legs hold at the end."""
    async with pool.acquire() as conn:
        await fill_catalog(conn)
    await decided(pool, movements(moved("o1", "2"), moved("o2", "9", location="WEST")))
    yield pool
    await check_laws(pool)
    for row in await pool.fetch("SELECT sale, purchase, amount, status FROM intercompany_leg"):
        sale, purchase = decode("sales_order", row["sale"]), decode("purchase_order", row["purchase"])
        assert (sale.total.amount, sale.status) == (row["amount"], row["status"])
        assert (purchase.total.amount, purchase.status) == (row["amount"], row["status"])


async def placed(pool: asyncpg.Pool, wanted: SalesOrder, by: Rules, first: int = 100) -> Decided:
    (decision,) = await decided(pool, wanted, by=by, first=first, received_at=datetime.now(UTC))
    assert decision.error is None
    return decision


def legs(decision: Decided) -> list[tuple[str, str, str, Any]]:
    """System, operation, reference and document of what ERPs are told of legs."""
    return [
        (one.system, one.operation, one.reference, decode(one.object, one.body))
        for one in decision.deliveries
        if one.operation in ("intercompany_sale", "purchase_order") and one.body is not None
    ]


async def test_who_sells_anothers_goods_buys_them_of_it(stock: asyncpg.Pool) -> None:
    decision = await placed(stock, order("1", line(1, quantity="3", price="9.99")), estate())
    (owner, sold, key, sale), (seller, bought, same, purchase) = legs(decision)
    assert (owner, sold, seller, bought) == ("erp-de", "intercompany_sale", "erp", "purchase_order")
    assert key == same == "shop/1#1/ic"
    assert isinstance(sale, SalesOrder)
    assert isinstance(purchase, PurchaseOrder)
    assert (sale.entity, sale.customer.id, sale.total) == ("de", "IC-US", usd("20.98"))
    assert (purchase.buyer, purchase.supplier.id, purchase.total) == ("us", "IC-DE", usd("20.98"))
    assert (purchase.order_key, purchase.fulfillment_reference, purchase.location) == ("shop/1", "shop/1#1", "WEST")
    assert [(one.sku, one.quantity) for one in sale.lines] == [("CD-1", Quantity(Decimal(3)))]
    assert [one.system for one in decision.deliveries if one.operation == "sales_order"] == ["erp"]
    kept = await stock.fetchval("SELECT decision FROM sales_order")
    assert decision_of(kept).why[-1] == "intercompany: de sells what leaves WEST to us at 70 % of the net price"


async def test_own_goods_make_no_legs_and_an_erp_without_an_interface_is_told_nothing(stock: asyncpg.Pool) -> None:
    assert legs(await placed(stock, order("1", line(1, quantity="2")), estate())) == []
    decision = await placed(stock, order("2", line(1, quantity="2")), estate({}), 101)
    assert legs(decision) == []
    assert await stock.fetchval("SELECT amount FROM intercompany_leg") == Decimal("14.00")


async def test_legs_end_with_what_ships_them_and_a_changed_order_makes_new_ones(stock: asyncpg.Pool) -> None:
    await placed(stock, order("1", line(1, quantity="3")), estate())
    changed = await placed(stock, order("1", line(1, quantity="4"), version=2), estate(), 101)
    assert [(system, ref, one.status, one.version) for system, _, ref, one in legs(changed)] == [
        ("erp-de", "shop/1#1/ic", "cancelled", 2),
        ("erp", "shop/1#1/ic", "cancelled", 2),
        ("erp-de", "shop/1#2/ic", "open", 1),
        ("erp", "shop/1#2/ic", "open", 1),
    ]
    gone = await placed(stock, order("1", line(1, quantity="4"), version=3, status="cancelled"), estate(), 102)
    assert [(ref, one.status) for _, _, ref, one in legs(gone)] == [("shop/1#2/ic", "cancelled")] * 2
    rows = await stock.fetch("SELECT reference, status, version FROM intercompany_leg ORDER BY 1")
    assert [tuple(row) for row in rows] == [("shop/1#1", "cancelled", 2), ("shop/1#2", "cancelled", 2)]


async def test_of_a_split_order_only_the_other_entitys_part_changes_hands(stock: asyncpg.Pool) -> None:
    decision = await placed(stock, order("1", line(1, quantity="10")), estate())
    assert [
        (ref, one.total.amount, [each.quantity.value for each in one.lines]) for _, _, ref, one in legs(decision)
    ] == [("shop/1#2/ic", Decimal("63.00"), [9])] * 2


def test_without_an_agreed_price_the_estate_has_to_be_mended() -> None:
    assert price_for((SEVENTY, TransferPrice(percent=Decimal(80))), "de", "us").percent == 80
    with pytest.raises(NeedsConfig, match="ca sells goods of de, and no transfer price is agreed"):
        price_for((SEVENTY,), "ca", "de")


CENTS = st.integers(0, 99_999).map(lambda number: Decimal(number) / 100)


@given(
    st.lists(st.tuples(st.integers(1, 9), CENTS, CENTS), min_size=1, max_size=5),
    st.decimals("0.1", "150", places=2),
    st.booleans(),
    st.data(),
)
def test_the_legs_come_to_zero_and_say_the_same_goods(
    asked: list[tuple[int, Decimal, Decimal]], percent: Decimal, included: bool, data: st.DataObject
) -> None:
    lines = [
        line(number, "CD-1", str(quantity), str(price), tax=Money(tax, "USD"))
        for number, (quantity, price, tax) in enumerate(asked, 1)
    ]
    wanted = order("1", *lines, entity="us", taxes_included=included)
    parts = [data.draw(st.integers(1, int(one.quantity.value))) for one in lines]
    shipped = FulfillmentOrder(
        reference="shop/1#1",
        order_key="shop/1",
        order_number="1",
        location="WEST",
        ship_to=Address(country="US"),
        lines=tuple(
            FulfillmentLine(line=one.line, sku=one.sku, quantity=Quantity(Decimal(part)))
            for one, part in zip(lines, parts, strict=True)
        ),
    )
    products = {"CD-1": ProductFacts("EA", "", True, True)}
    price = TransferPrice(percent=percent)
    leg: Leg = leg_of(wanted, shipped, "de", price, products)
    assert leg.sale.total.amount - leg.purchase.total.amount == 0
    for document in (leg.sale, leg.purchase):
        assert sum((one.total.amount for one in document.lines), Decimal(0)) == document.total.amount
        assert [(one.line, one.sku, one.quantity.value) for one in document.lines] == [
            (one.line, one.sku, Decimal(part)) for one, part in zip(lines, parts, strict=True)
        ]
    for one, part, made in zip(lines, parts, leg.purchase.lines, strict=True):
        net = one.total.amount - (one.tax.amount if included and one.tax is not None else Decimal(0))
        exact = net * part / one.quantity.value * percent / 100
        assert abs(made.total.amount - exact) <= Decimal("0.005")
        assert abs(made.unit_price.amount * part - made.total.amount) < Decimal("0.000001")
