# SPDX-License-Identifier: Apache-2.0
"""Orders are enriched, kept once per version, and owed to the ERP exactly when it must hear of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from crossdock.canonical.objects import decode
from crossdock.canonical.party import Party
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.accounts import CustomerFacts
from crossdock.errors import NeedsConfig, NeedsEdit
from crossdock.journal.decided import Decided, Routed
from crossdock.orders.accept import Prepared, accept, prepare, weigh
from crossdock.orders.changes import Meaning, content_of
from crossdock.orders.examine import ChannelRules, with_our_skus
from crossdock.orders.tax import TaxRate, TaxRule, TaxTable
from tests.orders.making import catalog, line, order, translated, usd

RULES = ChannelRules(currency="USD", customer="WEB", max_lines=5)


def routed(erp: str = "netsuite") -> Routed:
    return Routed(entity="us", erp=erp, splits=(), record=b'{"why": []}', rules="rules/1")


def prepared(given: SalesOrder, document_id: int = 1, rules: ChannelRules = RULES, **changes: Any) -> Any:
    item = translated(given, document_id=document_id)
    known = changes.pop("catalog", None) or catalog()
    return prepare(item, given, known, rules, "shop", changes.pop("routed", routed()))


async def accepted(
    pool: asyncpg.Pool, *orders: SalesOrder, erp: str = "netsuite", left: dict[str, NeedsEdit] | None = None
) -> list[tuple[Meaning, Decided]]:
    ready = [prepared(one, number, routed=routed(erp)) for number, one in enumerate(orders, 1)]
    assert all(isinstance(one, Prepared) for one in ready)
    async with pool.acquire() as conn, conn.transaction():
        return await accept(conn, await weigh(conn, ready), left or {})


def owed(decided: Decided) -> list[tuple[str, str, str]]:
    return [(one.system, one.operation, one.reference) for one in decided.deliveries]


async def kept(pool: asyncpg.Pool, order_key: str = "shop/1") -> tuple[Any, ...]:
    row = await pool.fetchrow("SELECT version, status, total, erp FROM sales_order WHERE order_key = $1", order_key)
    return tuple(row) if row is not None else ()


@pytest.mark.parametrize(
    ("theirs", "channel_default", "ours"),
    [
        ("77", "WEB", "C-9"),  # by crosswalk
        ("C-1", "WEB", "C-1"),  # an account of ours
        ("unheard-of", "WEB", "WEB"),  # the channel's account for others
        ("", "WEB", "WEB"),
        ("", "", None),
        ("unheard-of", "", None),
    ],
)
def test_the_customer_is_an_account_of_ours(theirs: str, channel_default: str, ours: str | None) -> None:
    known = catalog(customers=("C-1", "C-9"))
    known._crosswalks = {("shop", "customer"): {"77": "C-9"}}
    rules = ChannelRules(currency="USD", customer=channel_default, max_lines=5)
    result = prepared(order(customer=Party(id=theirs, name="Ada")), rules=rules, catalog=known)
    if ours is None:
        assert (result.error.rule, result.error.field) == ("order.customer_known", "customer.id")
    else:
        assert result.order.customer == Party(id=ours, name="Ada")
        assert result.order.entity == "us"


def test_what_an_order_does_not_say_is_filled_in_and_its_content_stays_the_same() -> None:
    known = catalog()
    known.customers = {"C-1": CustomerFacts(terms="NET30")}
    table = TaxTable((TaxRule(rate=TaxRate(Decimal(6), "US-STD"), entity="us", country="US"),))
    result = prepared(order(), rules=replace(RULES, entity="eu", tax=table), catalog=known)
    assert (result.order.terms, [one.tax_code for one in result.order.lines]) == ("NET30", ["US-STD"])
    # An account that gets other terms changes no order.
    assert result.content == content_of(order())


def test_the_carrier_service_is_ours_by_crosswalk() -> None:
    known = catalog()
    known._crosswalks = {("shop", "service"): {"UPS Next Day Air": "express"}}
    for theirs, ours in (("UPS Next Day Air", "express"), ("standard", "standard"), ("", "")):
        assert with_our_skus(order(service=theirs), known, "shop").service == ours
        assert with_our_skus(order(service=theirs), known, "web").service == theirs


def test_skus_are_ours_by_crosswalk_and_unknown_ones_stay() -> None:
    known = catalog("CD-1", "CD-2")
    known._crosswalks = {("shop", "sku"): {"blue-shelf": "CD-2", "CD-1": "CD-2"}}
    given = order("1", line(1, "blue-shelf"), line(2, "XX"), line(3, "CD-1"), line(4, "CD-2"))
    assert [one.sku for one in with_our_skus(given, known, "shop").lines] == ["CD-2", "XX", "CD-2", "CD-2"]
    assert with_our_skus(order(), known, "elsewhere") == order()


def test_failures_are_told_together_with_the_money_at_stake() -> None:
    refused = prepared(
        order("1", line(1, "XX"), currency="EUR", customer=Party()), rules=msgspec.structs.replace(RULES, customer="")
    )
    assert isinstance(refused.error, NeedsEdit)
    assert [one.rule for one in refused.error.failures] == [
        "order.sku_known",
        "order.currency_one",
        "order.currency_one",
        "order.currency_channel",
        "order.customer_known",
    ]
    assert (refused.money, refused.currency) == (usd("20.00").amount, "USD")


def test_what_routing_says_comes_first() -> None:
    refused = prepared(order("1", line(1, "XX")), routed=NeedsConfig("entity 'us' has no ERP"))
    assert isinstance(refused.error, NeedsConfig)


async def test_a_new_order_is_kept_and_owed_to_the_erp(pool: asyncpg.Pool) -> None:
    ((meaning, decided),) = await accepted(pool, order())
    assert meaning is Meaning.NEW
    assert owed(decided) == [("netsuite", "sales_order", "shop/1")]
    assert decided.deliveries[0].body is None
    sent = decode("sales_order", decided.body)
    assert (sent.entity, sent.customer.id, sent.lines) == ("us", "C-1", order().lines)
    assert [event.type for event in decided.events] == ["sales_order.accepted"]
    assert await kept(pool) == (1, "open", usd("20.00").amount, "netsuite")


async def test_an_older_or_equal_version_has_no_effect(pool: asyncpg.Pool) -> None:
    await accepted(pool, order(version=5))
    for version in (5, 4, 0):
        ((meaning, decided),) = await accepted(pool, order(version=version, total=usd("20.01")))
        assert (meaning, decided.duplicate, decided.deliveries) == (Meaning.STALE, True, ())
    assert await kept(pool) == (5, "open", usd("20.00").amount, "netsuite")


async def test_a_touch_is_kept_and_owed_to_nobody(pool: asyncpg.Pool) -> None:
    await accepted(pool, order())
    ((meaning, decided),) = await accepted(pool, order(version=2, note="ring twice"))
    assert (meaning, decided.deliveries, decided.accepted) == (Meaning.TOUCHED, (), True)
    assert (await kept(pool))[0] == 2


async def test_change_cancellation_and_revival_are_owed_once_each(pool: asyncpg.Pool) -> None:
    await accepted(pool, order())
    dearer = order("1", line(quantity="3"), version=2)
    gone = msgspec.structs.replace(dearer, version=3, status="cancelled")
    steps = [
        (dearer, Meaning.CHANGED, "sales_order", "sales_order.changed"),
        (gone, Meaning.CANCELLED, "order_cancel", "sales_order.cancelled"),
        (msgspec.structs.replace(dearer, version=4), Meaning.REVIVED, "sales_order", "sales_order.changed"),
    ]  # fmt: skip
    for given, expected, operation, event in steps:
        ((meaning, decided),) = await accepted(pool, given)
        assert meaning is expected
        assert owed(decided) == [("netsuite", operation, "shop/1")]
        assert [one.type for one in decided.events] == [event]
    assert await kept(pool) == (4, "open", usd("30.00").amount, "netsuite")


async def test_an_order_cancelled_before_we_had_it_is_kept_and_owed_to_nobody(pool: asyncpg.Pool) -> None:
    ((meaning, decided),) = await accepted(pool, order(version=2, status="cancelled"))
    assert (meaning, decided.deliveries) == (Meaning.NEW_CANCELLED, ())
    ((late, _),) = await accepted(pool, order(version=1))
    assert late is Meaning.STALE
    assert (await kept(pool))[:2] == (2, "cancelled")


@pytest.mark.parametrize("status", ["open", "cancelled"])
async def test_a_change_after_goods_have_left_is_a_case_and_is_not_kept(pool: asyncpg.Pool, status: str) -> None:
    await accepted(pool, order())
    late = NeedsEdit("goods had left", rule="fulfillment.not_shipped")
    changed = order("1", line(quantity="3"), version=2, status=status)
    ((_, decided),) = await accepted(pool, changed, left={"shop/1": late})
    assert decided.error is late
    assert (decided.money, decided.deliveries) == (usd("30.00").amount, ())
    assert (await kept(pool))[0] == 1
    ((meaning, touched),) = await accepted(pool, order(version=3, note="thanks"), left={"shop/1": late})
    assert (meaning, touched.error) == (Meaning.TOUCHED, None)


async def test_a_known_order_stays_with_the_erp_that_has_it(pool: asyncpg.Pool) -> None:
    await accepted(pool, order(), erp="netsuite")
    ((_, decided),) = await accepted(pool, order("1", line(quantity="3"), version=2), erp="dynamics")
    assert owed(decided) == [("netsuite", "sales_order", "shop/1")]
    assert (await kept(pool))[3] == "netsuite"


async def test_a_batch_answers_in_its_own_order(pool: asyncpg.Pool) -> None:
    await accepted(pool, order("2", version=9))
    results = await accepted(pool, order("3"), order("2"), order("1"))
    assert [(meaning, [one.reference for one in decided.deliveries]) for meaning, decided in results] == [
        (Meaning.NEW, ["shop/3"]),
        (Meaning.STALE, []),
        (Meaning.NEW, ["shop/1"]),
    ]
    async with pool.acquire() as conn:
        assert await accept(conn, [], {}) == []
