# SPDX-License-Identifier: Apache-2.0
"""Asking a simulated account what it billed and was paid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from crossdock.canonical.billing import Invoice, Payment
from crossdock.connectors.netsuite import changes
from crossdock.connectors.netsuite.mapping import INVOICE, PAYMENT
from crossdock.errors import NeedsConfig, RetryLater
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.netsuite.simulator import NetSuiteConfig, NetSuiteSim
from crossdock.sdk.polling import Polled

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CONTEXT = {"system": "netsuite", "channel": "", "interface": "", "topic": ""}


@pytest_asyncio.fixture
async def account() -> AsyncIterator[NetSuiteSim]:
    catalog = CatalogConfig(products=12, locations=2)
    async with NetSuiteSim(NetSuiteConfig(catalog=catalog, extra_items=("FEE",))) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read before their second is over."""
    monkeypatch.setattr(changes, "SETTLED", timedelta(seconds=-5))


def opened(account: NetSuiteSim, open_poller: Any, **settings: Any) -> Any:
    config = account.config
    given = {
        "url": account.url,
        "account": config.account,
        "auth": "tba",
        "charge_items": {"restocking_fee": "FEE"},
        **settings,
    }
    secrets = {name: getattr(config, name) for name in ("consumer_key", "consumer_secret", "token_id", "token_secret")}
    return open_poller("netsuite", settings=given, secrets=secrets)


def ordered(account: NetSuiteSim, name: str | None, *lines: tuple[str, int, float], **head: Any) -> str:
    """A sales order of (item, quantity, rate) lines in the account; its internal id."""
    items = [{"item": {"externalId": sku}, "quantity": many, "rate": rate} for sku, many, rate in lines]
    body = {"entity": {"externalId": "WEB-STORE"}, "item": items, "externalId": name, **head}
    return str(account.writer.create("salesOrder", body)["id"])


def fulfilled(account: NetSuiteSim, ident: str, quantity: int | None = None) -> None:
    """Ship what is goods of an order, of each line at most `quantity`."""
    order = account.account.get("salesOrder", ident)
    goods = account.account.catalog.by_sku()
    lines = [
        {"orderLine": line["line"], "itemReceive": line["item"]["refName"] in goods}
        | ({} if quantity is None else {"quantity": min(quantity, line["quantity"] - line["quantityFulfilled"])})
        for line in order["item"]
    ]
    account.transformer.fulfill(order, {"item": lines, "shipStatus": {"id": "C"}})


async def everything(poller: Any, topic: str, since: datetime = LONG_AGO) -> list[Polled]:
    found: list[Polled] = []
    after = ""
    while True:
        page = await poller.page(topic, since, after)
        found += page.items
        after = page.next
        if not after:
            return found


def goods(account: NetSuiteSim, number: int) -> str:
    return str(account.account.catalog.products[number].sku)


async def test_an_invoice_says_what_was_billed_of_the_order(
    account: NetSuiteSim, open_poller: Any, translate: Any
) -> None:
    a, b = goods(account, 0), goods(account, 1)
    ident = ordered(account, "shop-1", (a, 3, 10.0), (b, 1, 7.5), ("FEE", 1, 2.0), shippingCost=9.0)
    fulfilled(account, ident, 1)
    first = account.billing.run(())[0]
    fulfilled(account, ident)
    second = account.billing.run(())[0]
    polled = await everything(opened(account, open_poller), "invoices")
    assert [one.key for one in polled] == [f"invoice/netsuite/{first['id']}", f"invoice/netsuite/{second['id']}"]
    one, two = (translate(INVOICE, each.body, CONTEXT).document for each in polled)
    assert isinstance(one, Invoice)
    assert (one.invoice_key, one.number, one.order) == (
        f"netsuite/{first['id']}",
        first["tranId"],
        f"netsuite:{ident}",
    )
    assert (one.version, one.currency, one.total.amount) == (polled[0].version, "USD", Decimal("28.50"))
    assert [(line.sku, line.quantity.value, line.total.amount) for line in one.lines] == [
        (a, 1, 10),
        (b, 1, Decimal("7.50")),
    ]
    assert [(charge.kind, charge.amount.amount) for charge in one.charges] == [("fee", 2), ("shipping", 9)]
    assert [(line.sku, line.quantity.value, line.total.amount) for line in two.lines] == [(a, 2, 20)]
    assert (two.charges, two.total.amount) == ((), 20)


async def test_a_payment_is_told_by_invoice_and_moves_the_invoice(
    account: NetSuiteSim, open_poller: Any, translate: Any
) -> None:
    ident = ordered(account, "shop-1", (goods(account, 0), 3, 10.0))
    fulfilled(account, ident)
    invoice = account.billing.run(())[0]
    poller = opened(account, open_poller)
    assert await everything(poller, "payments") == []
    paid = [account.billing.pay(invoice, amount) for amount in (12.5, None)]
    polled = await everything(poller, "payments")
    payments = [translate(PAYMENT, one.body, CONTEXT).document for one in polled]
    assert all(isinstance(one, Payment) for one in payments)
    assert [(one.payment_key, one.invoice_key, one.order, one.amount.amount) for one in payments] == [
        (f"netsuite/{made['id']}/{invoice['id']}", f"netsuite/{invoice['id']}", f"netsuite:{ident}", amount)
        for made, amount in zip(paid, (Decimal("12.5"), Decimal("17.5")), strict=True)
    ]


async def test_a_void_invoice_and_a_credit_memo_of_a_return(
    account: NetSuiteSim, open_poller: Any, translate: Any
) -> None:
    sku = goods(account, 0)
    ident = ordered(account, "shop-1", (sku, 2, 10.0))
    fulfilled(account, ident)
    account.billing.void(account.billing.run(())[0])
    account.billing.run(())
    order = account.account.get("salesOrder", ident)
    held = account.returns.authorize(order, {"orderStatus": {"id": "B"}}, replaced=False)
    account.returns.receive(held, {})
    account.returns.credit(held, {"item": [{"item": {"externalId": "FEE"}, "amount": -3.0}]}, replaced=False)
    polled = await everything(opened(account, open_poller), "invoices")
    made = [translate(INVOICE, one.body, CONTEXT).document for one in polled]
    assert [(one.kind, one.status, one.total.amount) for one in made] == [
        ("invoice", "void", 0),
        ("invoice", "open", 20),
        ("credit_memo", "open", 17),
    ]
    assert [(line.sku, line.quantity.value, line.total.amount) for line in made[2].lines] == [(sku, 2, 20)]
    assert [(charge.kind, charge.amount.amount) for charge in made[2].charges] == [("fee", -3)]


async def test_what_is_no_order_of_ours_is_passed_over_and_not_read_for_ever(
    account: NetSuiteSim, open_poller: Any
) -> None:
    for name in ("shop-1", None):
        fulfilled(account, ordered(account, name, (goods(account, 0), 1, 10.0)))
    made = account.billing.run(())
    for invoice in made:
        account.billing.pay(invoice, None)
    poller = opened(account, open_poller)
    for topic in ("invoices", "payments"):
        page = await poller.page(topic, LONG_AGO)
        assert len(page.items) == 1
        assert page.reached is not None
        assert page.reached >= datetime.now(UTC) - timedelta(minutes=1)


@pytest.mark.parametrize("size", [1, 2, 3, 50])
async def test_however_many_share_a_second_each_is_read_once(
    account: NetSuiteSim, open_poller: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(changes, "PAGE", size)
    for number in range(9):
        fulfilled(account, ordered(account, f"shop-{number}", (goods(account, number), 1, 10.0)))
    seconds = [3, 1, 1, 1, 2, 1, 3, 3, 1]
    made = account.billing.run(())
    for record, second in zip(made, seconds, strict=True):
        record["lastModifiedDate"] = f"2026-11-23T12:00:0{second}Z"
        account.books.put("invoice", record["id"], record)
    polled = await everything(opened(account, open_poller), "invoices")
    expected = sorted(made, key=lambda record: (record["lastModifiedDate"], int(record["id"])))
    assert [one.key for one in polled] == [f"invoice/netsuite/{record['id']}" for record in expected]
    since = datetime(2026, 11, 23, 12, 0, 2, tzinfo=UTC)
    assert len(await everything(opened(account, open_poller), "invoices", since)) == 4


async def test_a_second_that_is_not_over_is_left_for_later(
    account: NetSuiteSim, open_poller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SETTLED", timedelta(minutes=5))
    for number in range(2):
        fulfilled(account, ordered(account, f"shop-{number}", (goods(account, number), 1, 10.0)))
    old, _ = account.billing.run(())
    old["lastModifiedDate"] = "2026-11-23T12:00:00Z"
    account.books.put("invoice", old["id"], old)
    page = await opened(account, open_poller).page("invoices", LONG_AGO)
    assert [one.key for one in page.items] == [f"invoice/netsuite/{old['id']}"]
    assert (page.reached, page.next) == (datetime(2026, 11, 23, 12, tzinfo=UTC), "")


async def test_times_are_told_in_the_zone_of_the_user(account: NetSuiteSim, open_poller: Any) -> None:
    fulfilled(account, ordered(account, "shop-1", (goods(account, 0), 1, 10.0)))
    (made,) = account.billing.run(())
    made["lastModifiedDate"] = "2026-11-23T12:00:00Z"
    account.books.put("invoice", made["id"], made)
    poller = opened(account, open_poller, time_zone="America/New_York")
    page = await poller.page("invoices", datetime(2026, 11, 23, 17, tzinfo=UTC))
    assert page.reached == datetime(2026, 11, 23, 17, tzinfo=UTC)
    assert (await poller.page("invoices", datetime(2026, 11, 23, 17, 0, 1, tzinfo=UTC))).items == ()
    with pytest.raises(NeedsConfig, match="is no time zone"):
        opened(account, open_poller, time_zone="Mars/Olympus")


async def test_an_account_that_is_away_is_asked_again(account: NetSuiteSim, open_poller: Any) -> None:
    poller = opened(account, open_poller)
    for fault in (
        Fault(kind="error_before", count=1),
        Fault(kind="throttled", count=1),
        Fault(kind="cut_after", count=1),
    ):
        account.faults.add(fault)
        with pytest.raises(RetryLater):
            await poller.page("invoices", LONG_AGO)
