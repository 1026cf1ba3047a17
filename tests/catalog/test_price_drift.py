# SPDX-License-Identifier: Apache-2.0
"""Prices that a channel shows, or an ERP has, against those they should: what differs, what it costs, what is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from crossdock.canonical.money import Money
from crossdock.catalog.cache import ProductFacts
from crossdock.catalog.price_compared import ComparedPrices, OurPrice, judge_base, judge_shown
from crossdock.catalog.price_drift import AskedPrices, PriceReport, reconcile_prices
from crossdock.errors import Busy, NeedsConfig, RetryLater
from crossdock.journal.comparing import SQL
from crossdock.sdk import listing
from crossdock.sdk.listing import ListedPrice, PricePage
from tests.delivery.pricing import product, take

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Listing:
    """A system whose prices a test writes down: by its own names, so many a page; a price may change as it is asked."""

    def __init__(self, prices: dict[str, str], page: int = 2) -> None:
        self.shows = dict(prices)
        self.currency = "USD"
        self.asked: list[tuple[str, ...]] = []
        self.trouble: list[BaseException] = []
        self._page = page

    async def prices(self, *, skus: Sequence[str] = (), after: str = "") -> PricePage:
        if self.trouble:
            raise self.trouble.pop(0)
        self.asked.append(tuple(skus))
        rows = [(sku, price) for sku, price in sorted(self.shows.items()) if not skus or sku in skus]
        start = int(after or 0)
        items = tuple(
            ListedPrice(sku, Decimal(price), self.currency, NOON) for sku, price in rows[start : start + self._page]
        )
        return PricePage(items, str(start + self._page) if start + self._page < len(rows) else "")

    async def close(self) -> None:
        return None


def shop(lister: Any, channel: str = "us") -> ComparedPrices:
    return ComparedPrices(name="shop", channel=channel, currency="USD", lister=lister, skus=3)


async def compared(pool: asyncpg.Pool, lister: Any, channel: str = "us", **said: Any) -> PriceReport:
    asked = AskedPrices(**{"by": "test", "look_again_after": timedelta(0), **said})
    return await reconcile_prices(pool, [shop(lister, channel)], asked)


def found(report: PriceReport) -> list[tuple[str, str, str]]:
    return [(one.sku, one.kind, one.action) for one in report.systems[0].differences]


@pytest.fixture
async def told(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A channel that was told 10.00 of A to E an hour ago."""
    await take(pool, *(product(sku, "10") for sku in "ABCDE"), product("F"))
    await pool.execute("INSERT INTO price_publication (channel, system) VALUES ('us', 'shop')")
    await pool.execute(
        "INSERT INTO channel_price (channel, sku, wanted, currency, unit, wanted_at, told, told_at) "
        "SELECT 'us', sku, 10, 'USD', 'EA', now() - interval '1 hour', 10, now() - interval '1 hour' "
        "FROM unnest(string_to_array('A B C D E', ' ')) AS t (sku)"
    )
    return pool


async def test_what_is_wrong_is_told_again_once_and_then_left(told: asyncpg.Pool) -> None:
    lister = Listing({"A": "10.00", "B": "9.99", "C": "10", "E": "10", "F": "3", "THEIRS": "1"})
    report = await compared(told, lister)
    # Looked at a second time are those that differ only.
    assert lister.asked[-1] == ("B", "D", "F")
    assert found(report) == [("B", "different", "told_again"), ("D", "missing", "told_again"), ("F", "unknown", "left")]
    (result,) = report.systems
    assert (result.compared, result.equal, result.problems) == (6, 3, ["1 SKUs are not known here, as THEIRS"])
    assert [row["sku"] for row in await told.fetch("SELECT sku FROM channel_price WHERE told IS NULL ORDER BY 1")] == [
        "B",
        "D",
    ]
    row = await told.fetchrow("SELECT kind, compared, equal, healed, cases, problems, systems FROM reconciliation")
    assert tuple(row) == ("prices", 6, 3, 2, 0, "shop: 1 SKUs are not known here, as THEIRS", ["shop"])
    rows = await told.fetch("SELECT sku, location, ours, theirs, class FROM reconciliation_difference ORDER BY sku")
    assert [tuple(row) for row in rows] == [
        ("B", "", 10, Decimal("9.99"), "different"),
        ("D", "", 10, None, "missing"),
        ("F", "", None, 3, "unknown"),
    ]
    assert await told.fetchval("SELECT value FROM kpi WHERE name = 'price_accuracy'") == 0.5
    # It was told, and shows it still.
    await told.execute("UPDATE channel_price SET told = wanted")
    report = await compared(told, lister)
    assert found(report) == [("B", "different", "left"), ("D", "missing", "left"), ("F", "unknown", "left")]
    assert report.systems[0].differences[0].reason == "it was told another price than it shows, after it was told again"
    assert await told.fetchval("SELECT count(*) FROM channel_price WHERE told IS NULL") == 0


async def test_a_dry_run_and_some_skus(told: asyncpg.Pool) -> None:
    lister = Listing({"A": "1", "B": "2", "C": "10"})
    report = await compared(told, lister, dry_run=True, skus=["A", "C", "NO-SUCH"])
    assert (report.id, found(report)) == (0, [("A", "different", "told_again")])
    assert lister.asked == [("A", "C", "NO-SUCH"), ("A",)]
    for table in ("reconciliation", "reconciliation_difference", "kpi"):
        assert await told.fetchval(f"SELECT count(*) FROM {table}") == 0
    report = await compared(told, lister, skus=["A"], origin="cli", reason="asked to")
    assert report.systems[0].compared == 1
    assert await told.fetchval("SELECT count(*) FROM kpi") == 0
    assert await told.fetchval("SELECT reason FROM audit WHERE action = 'reconciliation.run'") == "asked to"


async def test_what_moves_between_the_looks_is_no_difference(told: asyncpg.Pool) -> None:
    class Moving(Listing):
        async def prices(self, *, skus: Sequence[str] = (), after: str = "") -> PricePage:
            if skus:
                self.shows["B"] = "10"
                # C is given another price just now: nobody can say which is older.
                await told.execute("UPDATE channel_price SET wanted = 11, wanted_at = now() + '1 s' WHERE sku = 'C'")
            return await super().prices(skus=skus, after=after)

    report = await compared(told, Moving({"A": "10", "B": "9", "C": "9", "D": "10", "E": "10"}))
    assert found(report) == [("C", "in_flight", "")]
    assert (report.systems[0].compared, report.systems[0].equal) == (4, 4)


async def test_a_system_that_cannot_be_asked_is_a_problem_and_others_are_compared(
    told: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "TRIES", 2)
    away = Listing({})
    away.trouble = [RetryLater("away", after=0), RetryLater("away", after=0)]
    refusing = Listing({})
    refusing.trouble = [NeedsConfig("token expired")]
    once = Listing(dict.fromkeys("ABCDE", "10"))
    once.trouble = [RetryLater("busy", after=0)]
    asked = AskedPrices(by="test", look_again_after=timedelta(0))
    report = await reconcile_prices(told, [shop(away), shop(refusing), shop(once)], asked)
    assert [(one.answered, one.problems) for one in report.systems] == [
        (False, ["could not be asked: away"]),
        (False, ["could not be asked: token expired"]),
        (True, []),
    ]
    assert await told.fetchval("SELECT systems FROM reconciliation") == ["shop"]
    async with told.acquire() as conn:
        assert await conn.fetchval(SQL.try_lock, "prices")
        with pytest.raises(Busy):
            await compared(told, once)
        # Stock may be compared meanwhile.
        async with told.acquire() as other:
            assert await other.fetchval(SQL.try_lock, "inventory")
            await other.execute(SQL.unlock, "inventory")
        await conn.execute(SQL.unlock, "prices")


async def test_an_erps_base_prices_are_compared_with_the_products(told: asyncpg.Pool) -> None:
    await take(told, product("OLD", "5", status="retired"), product("EUR", "5", currency="EUR"), product("FREE", "0"))
    lister = Listing({"A": "10", "B": "12", "C": "10", "D": "10", "F": "4", "OLD": "1", "EUR": "1"})
    report = await compared(told, lister, channel="")
    assert found(report) == [("B", "different", "left"), ("E", "missing", "left"), ("F", "unknown", "left")]
    assert await told.fetchval("SELECT count(*) FROM channel_price WHERE told IS NULL") == 0


def ours(wanted: str | None = "10", told_price: str | None = "10", **said: Any) -> OurPrice:
    before = NOON - timedelta(hours=1)
    return OurPrice(
        wanted=None if wanted is None else Decimal(wanted),
        told=None if told_price is None else Decimal(told_price),
        **{"currency": "USD", "wanted_at": before, "told_at": before, **said},
    )


def theirs(price: str, currency: str = "USD") -> ListedPrice:
    return ListedPrice("A", Decimal(price), currency, NOON)


@pytest.mark.parametrize(
    ("known", "shown", "kind", "action"),
    [
        (None, None, None, None),
        (ours(None), None, None, None),
        (ours(), theirs("10.000"), None, None),
        (ours(), theirs("10", ""), None, None),
        (ours(told_price=None), theirs("10"), None, None),
        (ours(), theirs("9"), "different", "told_again"),
        (ours(), theirs("10", "EUR"), "different", "told_again"),
        (ours(), None, "missing", "told_again"),
        (ours(told_price="9"), theirs("9"), "stale", ""),
        (ours(told_price=None), None, "missing", ""),
        (ours(told_price=None, refusals=2, problem="not listed"), None, "missing", "left"),
        (ours(told_price="9", refusals=2, problem="too odd"), theirs("9"), "stale", "left"),
        (ours(told_at=NOON + timedelta(seconds=1)), theirs("9"), "in_flight", ""),
        (ours(wanted_at=NOON + timedelta(seconds=1)), None, "in_flight", ""),
        (None, theirs("9"), "unknown", "left"),
        (ours(None, "10"), theirs("10"), "unknown", "left"),
    ],
)
def test_every_way_in_which_a_channel_can_differ(known: Any, shown: Any, kind: Any, action: Any) -> None:
    one = judge_shown(shop(None), "A", known, shown, NOON)
    assert (kind, action) == (None, None) if one is None else (one.kind, one.action) == (kind, action)
    assert one is None or one.reason


def test_an_erp_that_has_a_price_of_something_without_one() -> None:
    facts = ProductFacts("EA", "", True, True, price=Money(Decimal("2.50"), "USD"))
    assert judge_base(shop(None, ""), "A", facts, theirs("2.5")) is None
    one = judge_base(shop(None, ""), "A", facts, theirs("3"))
    assert one is not None
    assert (one.ours, one.theirs, one.kind) == (Decimal("2.50"), Decimal(3), "different")


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1E+30", "1E-30"])
def test_what_is_no_price_is_not_taken(price: str) -> None:
    with pytest.raises(ValueError, match="is no price of 'A'"):
        theirs(price)
    with pytest.raises(ValueError, match="is no name"):
        ListedPrice("A\x00", Decimal(1), "USD", NOON)
