# SPDX-License-Identifier: Apache-2.0
"""A channel is told what it shows of prices: the newest of each SKU, when anything changes it, again when in doubt."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from crossdock.delivery import price, tell
from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import set_clock
from crossdock.sdk.manifest import Sends
from crossdock.sdk.sending import Delivered
from tests.delivery.pricing import PRICES, RULE, at_rest, listed, pricing, product, rows, take
from tests.delivery.scripted import Scripted, failed, until

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def sender() -> Scripted:
    return Scripted()


def told(sender: Scripted) -> list[dict[str, str]]:
    """Per call: SKU → price."""
    return [{item.document.sku: str(item.document.price) for item in batch} for batch in sender.batches]


async def test_the_price_of_each_sku_is_told_in_one_call_and_an_event_says_so(
    pool: asyncpg.Pool, sender: Scripted
) -> None:
    await take(
        pool,
        product("A", "10.00"),
        product("B", "5"),
        product("C"),
        product("OLD", "1", status="retired"),
        listed("BASE", prices={"B": "4.499", "X": "1"}),
        listed("C-1", prices={"A": "1"}, customer="C-1"),
        listed("DEALERS", prices={"A": "2"}, group="dealers"),
        listed("EU", prices={"A": "3"}, channel="eu"),
        listed("EUR", currency="EUR", prices={"A": "9"}),
    )
    async with pricing(pool, sender):
        await until(lambda: at_rest(pool))
        await until(lambda: pool.fetchval("SELECT lag_p50 > 0 FROM price_publication"))
    assert told(sender) == [{"A": "10.00", "B": "4.50"}]
    (batch,) = sender.batches
    one = batch[0].document
    assert (one.channel, one.unit, one.currency, one.sequence > 0) == ("us", "EA", "USD", True)
    assert await rows(pool, "wanted", "told", "list", "currency", "problem") == [
        ("A", "10.00", "10.00", "", "USD", ""),
        ("B", "4.50", "4.50", "BASE", "USD", ""),
    ]
    row = await pool.fetchrow("SELECT data, many FROM event WHERE type = 'price.changed'")
    events = msgspec.json.decode(row["data"])
    assert row["many"]
    assert [(event["key"], event["data"]["price"]) for event in events] == [
        ("price/us/A", "10.00"),
        ("price/us/B", "4.50"),
    ]
    assert await pool.fetchval("SELECT count(*) FROM exchange WHERE system = 'shop'") == 2
    row = await pool.fetchrow("SELECT system, calls, reason FROM price_publication WHERE channel = 'us'")
    assert tuple(row) == ("shop", 1, "")


async def test_a_changed_list_or_product_tells_what_it_changes_and_nothing_else(
    pool: asyncpg.Pool, sender: Scripted
) -> None:
    await take(pool, product("A", "10"), product("B", "5"), product("C", "3"), listed("BASE", prices={"B": "4"}))
    async with pricing(pool, sender):
        await until(lambda: at_rest(pool))
        for change in (
            listed("BASE", 2, prices={"A": "9", "B": "4"}),
            product("C", "3.50"),
            product("C", "3.50", description="another word"),
            listed("CLAIMED", prices={"A": "1"}, customer="C-1"),
            listed("US", prices={"B": "3"}, channel="us"),
            # Without its list the price of everybody counts again, then the product's own.
            listed("US", 2, prices={"B": "3"}, channel="us", status="retired"),
            listed("BASE", 3, prices={"A": "9"}),
        ):
            await take(pool, change)
            await until(lambda: at_rest(pool))
    assert told(sender)[1:] == [{"A": "9.00"}, {"C": "3.50"}, {"B": "3.00"}, {"B": "4.00"}, {"B": "5.00"}]


async def test_dates_change_prices_without_anybody_doing_anything(pool: asyncpg.Pool, sender: Scripted) -> None:
    with set_clock(NOON) as clock:
        week = {"effective_from": NOON + timedelta(days=1), "effective_until": NOON + timedelta(days=8)}
        await take(
            pool, product("A", "10"), product("B", "5"), listed("BASE", prices={"A": "9", "B": "5"}),
            listed("SALE", prices={"A": "6"}, **week),
            listed("NEXT", prices={"B": "5.50"}, effective_from=NOON + timedelta(days=30)),
        )  # fmt: skip
        async with pricing(pool, sender):
            await until(lambda: at_rest(pool))
            for days, price_of_a in ((1, "6.00"), (7, "9.00")):
                clock.advance(timedelta(days=days))
                await until(lambda wanted=price_of_a: shows(pool, "A", wanted))
            # A list that comes meanwhile and is to count later.
            await take(pool, listed("LATER", prices={"A": "7"}, channel="us", effective_from=NOON + timedelta(days=9)))
            await until(lambda: at_rest(pool))
            clock.advance(timedelta(days=60))
            await until(lambda: shows(pool, "A", "7.00"))
            await until(lambda: shows(pool, "B", "5.50"))
    assert told(sender)[0] == {"A": "9.00", "B": "5.00"}
    assert [call for call in told(sender) if "B" not in call][:2] == [{"A": "6.00"}, {"A": "9.00"}]


async def shows(pool: asyncpg.Pool, sku: str, wanted: str) -> bool:
    return await pool.fetchval("SELECT told FROM channel_price WHERE sku = $1", sku) == Decimal(wanted)


async def test_only_the_newest_price_travels(pool: asyncpg.Pool, sender: Scripted) -> None:
    await take(pool, product("A", "1"), product("B", "1"))
    sender.gate = asyncio.Event()
    async with pricing(pool, sender):
        await until(lambda: sender.batches)
        for number in range(2, 30):
            await take(pool, product("A", str(number)))
        await until(lambda: wanted_is(pool, "29.00"))
        sender.gate.set()
        await until(lambda: at_rest(pool))
    assert told(sender) == [{"A": "1.00", "B": "1.00"}, {"A": "29.00"}]
    first, second = (batch[0].document.sequence for batch in sender.batches)
    assert first < second


async def wanted_is(pool: asyncpg.Pool, price: str) -> bool:
    return await pool.fetchval("SELECT wanted FROM channel_price WHERE sku = 'A'") == Decimal(price)


async def test_a_price_that_goes_and_comes_back(pool: asyncpg.Pool, sender: Scripted) -> None:
    await take(pool, product("A", "10"), product("B", "5"))
    async with pricing(pool, sender):
        await until(lambda: at_rest(pool))
        await take(pool, product("A"), product("B", "5", status="retired"))
        await until(lambda: at_rest(pool))
        # Nobody can show no price: what was told last stays, and says that it is wanted no more.
        assert await rows(pool, "wanted", "told") == [("A", None, "10.00"), ("B", None, "5.00")]
        await take(pool, product("A", "10"), product("B", "6"))
        await until(lambda: at_rest(pool))
    # The channel shows the 10.00 still.
    assert told(sender) == [{"A": "10.00", "B": "5.00"}, {"B": "6.00"}]


async def test_a_rule_says_which_prices(pool: asyncpg.Pool, sender: Scripted) -> None:
    await take(
        pool,
        product("CD-1", "10"),
        product("CD-2", "10"),
        product("XX-1", "10"),
        listed("DEALERS", prices={"CD-1": "7.77", "XX-1": "1"}, group="dealers", currency="EUR"),
        listed("GROSS", prices={"CD-1": "9.99", "CD-2": "8.02"}, channel="us", currency="EUR", taxes_included=True),
    )
    rule = replace(RULE, currency="EUR", group="dealers", step=Decimal("0.05"), prefixes=("CD-",))
    async with pricing(pool, sender, rule=rule):
        await until(lambda: at_rest(pool))
    async with pricing(pool, sender, rule=replace(rule, taxes_included=False), worker="w2"):
        await until(lambda: at_rest(pool))
    async with pricing(pool, sender, rule=RULE, worker="w3"):
        await until(lambda: at_rest(pool))
    assert told(sender) == [
        {"CD-1": "7.75", "CD-2": "8.00"},
        # In another currency every price is another one.
        {"CD-1": "10.00", "CD-2": "10.00", "XX-1": "10.00"},
    ]


@pytest.mark.parametrize(
    "error",
    [
        RetryLater("429", throttled=True, after=0.1),
        NeedsConfig("token expired"),
        RetryLater("503", after=0.1),
        OutcomeUnknown("cut"),
    ],
)
async def test_what_may_not_have_arrived_is_told_again(
    pool: asyncpg.Pool, sender: Scripted, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "CONFIG_PAUSE", 0.1)
    await take(pool, product("A", "10"))
    sender.script["A@"] = [failed(error), Delivered(reference="ok")]
    async with pricing(pool, sender):
        await until(lambda: at_rest(pool))
    assert told(sender) == [{"A": "10.00"}] * 2
    assert await rows(pool, "told", "problem") == [("A", "10.00", "")]


async def test_a_refused_price_stands_in_nobodys_way_and_a_new_one_is_told_at_once(
    pool: asyncpg.Pool, sender: Scripted
) -> None:
    await take(pool, product("A", "10"), product("B", "5"))
    refused = failed(NeedsEdit("the channel does not list this SKU"))
    sender.script["A@"] = [refused, Delivered(reference="ok")]
    async with pricing(pool, sender):
        await until(lambda: at_rest(pool))
        assert await rows(pool, "wanted", "told", "problem", "refusals") == [
            ("A", "10.00", None, "the channel does not list this SKU", 1),
            ("B", "5.00", "5.00", "", 0),
        ]
        await take(pool, product("A", "11"))
        await until(lambda: shows(pool, "A", "11.00"))
    assert told(sender) == [{"A": "10.00", "B": "5.00"}, {"A": "11.00"}]


async def test_a_price_that_spoils_its_call_is_found_and_set_aside(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(tell, "LONGEST_WAIT", 0.02)

    class Spoiled(Scripted):
        def _answer(self, item: Any) -> Any:
            spoiled = any(one.document.sku == "P00" for one in self.batches[-1])
            return failed(OutcomeUnknown("500")) if spoiled else super()._answer(item)

    spoiled = Spoiled()
    await take(pool, *(product(f"P{number:02d}", "1") for number in range(20)))
    async with pricing(
        pool, spoiled, Sends(operation="prices", object="channel_price", batch=8, idempotency="absolute")
    ):
        await until(lambda: at_rest(pool))
    found = {row[0]: row[1:] for row in await rows(pool, "told", "refusals")}
    assert found.pop("P00") == (None, 1)
    assert set(found.values()) == {("1.00", 0)}


async def test_a_worker_that_takes_over_tells_what_the_dead_one_may_not_have(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(pool, product("A", "10"), product("B", "5"))
    async with pricing(pool, sender):
        await until(lambda: at_rest(pool))
    # It died between the call and the end of it.
    await pool.execute("UPDATE channel_price SET told = NULL WHERE sku = 'A'")
    await take(pool, product("B", "6"), product("C", "1"))
    async with pricing(pool, sender, worker="w2"):
        await until(lambda: at_rest(pool))
    assert told(sender)[0] == {"A": "10.00", "B": "5.00"}
    later: dict[str, str] = {}
    for call in told(sender)[1:]:
        later |= call
    assert later == {"A": "10.00", "B": "6.00", "C": "1.00"}


async def test_a_worker_whose_lease_went_writes_nothing(pool: asyncpg.Pool, sender: Scripted) -> None:
    await take(pool, product("A", "10"))
    sender.gate = asyncio.Event()
    async with pricing(pool, sender):
        await until(lambda: sender.batches)
        await pool.execute(
            "UPDATE system_lease SET fence = fence + 1, worker = 'another', expires_at = now() + '1 min'"
        )
        sender.gate.set()
        await asyncio.sleep(0.2)
        assert await rows(pool, "told") == [("A", None)]
    assert await pool.fetchval("SELECT count(*) FROM event WHERE type = 'price.changed'") == 0


async def test_many_are_priced_in_portions(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price, "PRICED_AT_ONCE", 7)
    await take(pool, *(product(f"P{number:02d}", str(number + 1)) for number in range(30)))
    async with pricing(pool, sender, PRICES):
        await until(lambda: at_rest(pool))
    shown = dict(await rows(pool, "told"))
    assert shown == {f"P{number:02d}": f"{number + 1}.00" for number in range(30)}
