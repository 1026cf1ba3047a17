# SPDX-License-Identifier: Apache-2.0
"""Compare prices: what channels show with what they should, and an ERP's base prices with the products' own.

Every system is asked for its list; what differs is asked for once more after a moment, so that what was on its way has
arrived. What a channel still shows wrongly it is told again, once; what differs after that, and what telling cannot
mend, is left to a person, with what it may cost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import asyncpg
import structlog
from asyncpg.exceptions import InterfaceError
from msgspec import Struct, field

from crossdock.canonical.objects import decode
from crossdock.catalog.cache import Catalog
from crossdock.catalog.price_compared import (
    ComparedPrices,
    OurPrice,
    PriceDifference,
    judge_base,
    judge_shown,
)
from crossdock.errors import Busy, CrossdockError, RetryLater
from crossdock.journal.audit import Act, Origin, write_audit
from crossdock.journal.comparing import NO_RUN
from crossdock.journal.comparing import SQL as COMPARE
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away, load_queries
from crossdock.sdk.listing import ListedPrice, PricePage, patiently

SQL = load_queries(__package__, "price_drift.sql")
KIND = "prices"
ACCURACY = "price_accuracy"
AT_RISK = "price_money_at_risk"
# Beyond this a listing does not end, or memory does.
MOST_ROWS = 1_000_000
# Beyond this a second look costs as much as the first.
MOST_LOOKED_AT = 2_000
MOST_ORDERS = 5_000
SOLD_WITHIN = timedelta(days=30)
_PAGE = 20_000
_MOST_NAMED = 20

log = structlog.get_logger(__name__)

Progress = Callable[[str, int], None]


class AskedPrices(Struct, frozen=True, kw_only=True):
    """A comparison that somebody wants. `skus`: only these (ours), None = all; `dry_run`: do nothing. `origin`,
    `reason`: for the audit, which has what a person asked for; None = nobody did."""

    by: str
    origin: Origin | None = None
    reason: str = ""
    system: str = ""
    skus: Sequence[str] | None = None
    dry_run: bool = False
    look_again_after: timedelta = timedelta(seconds=5)


class PricesOf(Struct, kw_only=True):
    """What comparing one system came to. `answered`: it could be asked; what was in flight is not `compared`."""

    system: str
    channel: str
    currency: str
    compared: int = 0
    equal: int = 0
    differences: list[PriceDifference] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answered: bool = True

    @property
    def at_risk(self) -> Decimal:
        """What all differences come to for what was sold, in `currency`."""
        return sum((one.money for one in self.differences if one.money is not None), Decimal(0))


class PriceReport(Struct, kw_only=True):
    """What a comparison came to; `id` 0: nothing was written (a dry run)."""

    id: int
    started_at: datetime
    systems: list[PricesOf]

    def acted(self, action: str) -> int:
        """How many differences `action` was taken for."""
        return sum(found.action == action for one in self.systems for found in one.differences)


async def reconcile_prices(
    pool: asyncpg.Pool,
    systems: Sequence[ComparedPrices],
    asked: AskedPrices,
    progress: Progress = lambda _system, _rows: None,
) -> PriceReport:
    """Compare `systems`. A system that cannot be asked is a problem of the report; the others are compared.

    Raises Busy when another comparison of prices runs, EngineAway. The connection is held for as long as it takes.
    """
    with away():
        async with pool.acquire() as conn:
            if not await conn.fetchval(COMPARE.try_lock, KIND):
                raise Busy("another comparison of prices runs at this moment", rule="reconcile.one", fix="wait for it")
            try:
                return await _Run(conn, asked, progress).run(systems)
            finally:
                # A connection that is gone has taken the lock with it.
                with suppress(InterfaceError):
                    await conn.execute(COMPARE.unlock, KIND)


class _Run:
    """One comparison on one connection."""

    def __init__(self, conn: asyncpg.Connection, asked: AskedPrices, progress: Progress) -> None:
        self._conn = conn
        self._asked = asked
        self._progress = progress
        self._catalog = Catalog()

    async def run(self, systems: Sequence[ComparedPrices]) -> PriceReport:
        asked = self._asked
        await self._catalog.refresh(self._conn)
        report = PriceReport(id=0, started_at=now(), systems=[])
        if not asked.dry_run:
            async with self._conn.transaction():
                report.id, report.started_at = await self._conn.fetchrow(COMPARE.begin_reconciliation, KIND, asked.by)
                if asked.origin is not None:
                    wish = {"system": asked.system, "skus": asked.skus, "what": "prices"}
                    act = Act(action="reconciliation.run", kind="reconciliation", id=str(report.id), after=wish)
                    await write_audit(self._conn, [act], by=asked.by, origin=asked.origin, reason=asked.reason)
        for system in systems:
            result = PricesOf(system=system.name, channel=system.channel, currency=system.currency)
            report.systems.append(result)
            try:
                await self._compare(system, result)
            except CrossdockError as error:
                log.warning("prices.not_compared", system=system.name, reason=error.reason)
                result.compared, result.equal, result.differences, result.answered = 0, 0, [], False
                result.problems.append(f"could not be asked: {error.reason}")
                continue
            await self._act(system, result, report.id)
        if not asked.dry_run:
            await self._finish(report)
        return report

    async def _compare(self, system: ComparedPrices, result: PricesOf) -> None:
        asked_at = now()
        theirs, unknown = await self._listen(system, self._asked.skus)
        if unknown:
            shown = ", ".join(sorted(unknown)[:3])
            more = " or more" if len(unknown) >= _MOST_NAMED else ""
            result.problems.append(f"{len(unknown)}{more} SKUs are not known here, as {shown}")
        result.compared, first = await self._differing(system, theirs, asked_at, self._asked.skus)
        looked = sorted(first)[:MOST_LOOKED_AT]
        if len(first) > len(looked):
            result.problems.append(f"{len(first) - len(looked):,} other differences are left to the next comparison")
        if looked:
            await asyncio.sleep(self._asked.look_again_after.total_seconds())
            asked_at = now()
            theirs, _ = await self._listen(system, looked)
            _, still = await self._differing(system, theirs, asked_at, looked)
            result.differences = [still[sku] for sku in looked if sku in still]
        in_flight = sum(one.kind == "in_flight" for one in result.differences)
        result.compared -= in_flight
        result.equal = result.compared - (len(first) - len(looked)) - (len(result.differences) - in_flight)
        await self._weigh(system, result)

    async def _listen(
        self, system: ComparedPrices, skus: Sequence[str] | None
    ) -> tuple[dict[str, ListedPrice], set[str]]:
        """What the system says, by our SKU, and names that are not ours. RetryLater, NeedsConfig."""
        names = None if skus is None else self._catalog.names_of(system.name, skus)
        chunks: Sequence[Sequence[str]] = [()]
        if names is not None:
            chunks = [names[start : start + system.skus] for start in range(0, len(names), system.skus)]
        found: dict[str, ListedPrice] = {}
        unknown: set[str] = set()
        rows = 0
        for chunk in chunks:
            after = ""
            while True:
                page: PricePage = await patiently(system.name, partial(system.lister.prices, skus=chunk, after=after))
                rows += len(page.items)
                for item in page.items:
                    sku = self._catalog.sku(system.name, item.sku)
                    if sku is not None and sku in self._catalog.products:
                        found[sku] = item
                    elif len(unknown) < _MOST_NAMED:
                        unknown.add(item.sku)
                self._progress(system.name, rows)
                if not page.next or page.next == after:
                    break
                if rows >= MOST_ROWS:
                    raise RetryLater(f"{system.name} lists more than {MOST_ROWS:,} prices", rule="reconcile.rows")
                after = page.next
                await asyncio.sleep(system.pause)
        return found, unknown

    async def _differing(
        self,
        system: ComparedPrices,
        theirs: Mapping[str, ListedPrice],
        asked_at: datetime,
        skus: Collection[str] | None,
    ) -> tuple[int, dict[str, PriceDifference]]:
        """How many SKUs were compared, and those that differ."""
        if not system.channel:
            products = self._catalog.products
            wanted = products.keys() if skus is None else [sku for sku in skus if sku in products]
            judged = {sku: judge_base(system, sku, products[sku], theirs.get(sku)) for sku in wanted}
            return len(judged), {sku: one for sku, one in judged.items() if one is not None}
        ours = await self._ours(system.channel, None if skus is None else sorted(skus))
        both = [sku for sku in {*ours, *theirs} if sku in theirs or ours[sku].wanted is not None]
        found = {
            sku: one
            for sku in both
            if (one := judge_shown(system, sku, ours.get(sku), theirs.get(sku), asked_at)) is not None
        }
        return len(both), found

    async def _ours(self, channel: str, skus: Sequence[str] | None) -> dict[str, OurPrice]:
        found: dict[str, OurPrice] = {}
        after = ""
        while True:
            rows = await self._conn.fetch(SQL.ours_of, channel, skus, after, _PAGE)
            for row in rows:
                after = row["sku"]
                found[after] = OurPrice(**{name: value for name, value in row.items() if name != "sku"})
            if len(rows) < _PAGE:
                return found

    async def _weigh(self, system: ComparedPrices, result: PricesOf) -> None:
        """What each difference comes to for what was sold of it."""
        skus = [one.sku for one in result.differences if one.ours is not None and one.theirs is not None]
        if not skus:
            return
        rows = await self._conn.fetch(SQL.orders_of, system.channel, skus, now() - SOLD_WITHIN, MOST_ORDERS)
        if len(rows) >= MOST_ORDERS:
            result.problems.append(f"money at risk is of the newest {MOST_ORDERS:,} orders")
        sold: Counter[str] = Counter()
        for row in rows:
            for line in decode("sales_order", row["body"]).lines:
                product = self._catalog.products.get(line.sku)
                units = None if product is None else product.in_base(line.quantity)
                if units is not None:
                    sold[line.sku] += units  # type: ignore[assignment]  # exact amounts are counted
        for one in result.differences:
            if one.ours is not None and one.theirs is not None:
                one.units = Decimal(sold[one.sku])
                one.money = abs(one.theirs - one.ours) * one.units

    async def _act(self, system: ComparedPrices, result: PricesOf, run: int) -> None:
        before = await self._conn.fetch(COMPARE.told_again_before, system.name, run or NO_RUN, KIND)
        told_before = {row["sku"] for row in before}
        for one in result.differences:
            if one.action == "told_again" and one.sku in told_before:
                one.action, one.reason = "left", f"{one.reason}, after it was told again"
        if self._asked.dry_run:
            return
        again = [one.sku for one in result.differences if one.action == "told_again"]
        async with self._conn.transaction():
            if again and not await self._conn.fetchval(SQL.tell_again, system.channel, again):
                result.problems.append("nobody tells this channel its prices: start a worker")
            if result.differences:
                await self._record(run, result.differences)

    async def _record(self, run: int, differences: Sequence[PriceDifference]) -> None:
        await self._conn.execute(
            COMPARE.record_differences,
            run,
            [one.system for one in differences],
            [one.sku for one in differences],
            [""] * len(differences),
            [one.ours for one in differences],
            [one.theirs for one in differences],
            [one.kind for one in differences],
            [one.reason[:500] for one in differences],
            [one.action for one in differences],
            [one.money for one in differences],
            [one.currency for one in differences],
        )

    async def _finish(self, report: PriceReport) -> None:
        problems = "; ".join(f"{one.system}: {problem}" for one in report.systems for problem in one.problems)
        compared = sum(one.compared for one in report.systems)
        equal = sum(one.equal for one in report.systems)
        # Of some SKUs only, a system was not compared in whole.
        whole = [one for one in report.systems if one.answered] if self._asked.skus is None else []
        accuracy = {one.system: one.equal / one.compared for one in whole if one.compared}
        risk = {f"{one.system}/{one.currency}": float(one.at_risk) for one in whole}
        names = [one.system for one in whole]
        healed = report.acted("told_again")
        async with self._conn.transaction():
            await self._conn.execute(
                COMPARE.end_reconciliation, report.id, compared, equal, healed, 0, problems[:2000], names
            )
            await self._conn.execute(COMPARE.record_kpis, ACCURACY, [*accuracy], [*accuracy.values()])
            await self._conn.execute(COMPARE.record_kpis, AT_RISK, [*risk], [*risk.values()])
        log.info("prices.compared", run=report.id, compared=compared, equal=equal, told_again=healed)
