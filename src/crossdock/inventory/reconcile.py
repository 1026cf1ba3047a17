# SPDX-License-Identifier: Apache-2.0
"""Compare stock: what ERP and warehouse have, what channels show, and what we hold and told them.

Every system is asked for its list and what differs is asked for once more after a moment, so that what was on its way
has arrived. What still differs is classified, mended by rule or handed to a person, and written down. One comparison
runs at a time; one that broke off is simply made again: nothing is mended twice, because a count states what was there
at a moment and a channel is told an absolute number.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import asyncpg
import structlog
from asyncpg.exceptions import InterfaceError
from msgspec import Struct, field

from crossdock.catalog.cache import Catalog
from crossdock.errors import Busy, CrossdockError
from crossdock.inventory.classify import classify
from crossdock.inventory.compared import ComparedSystem, Difference, ReconcileRules
from crossdock.inventory.evidence import around
from crossdock.inventory.listing import (
    MOST_DIFFERENCES,
    SQL,
    Look,
    Progress,
    differing,
    listen,
    look_again,
    standing_at,
)
from crossdock.inventory.mend import choose, close_settled, keep_differences, open_keys
from crossdock.inventory.tell_again import tell_again
from crossdock.journal.audit import Act, Origin, write_audit
from crossdock.journal.comparing import NO_RUN
from crossdock.journal.comparing import SQL as COMPARE
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away

KIND = "inventory"
ACCURACY = "inventory_accuracy"
# Beyond this a second look costs as much as the first.
MOST_LOOKED_AT = 2_000

log = structlog.get_logger(__name__)


class SystemResult(Struct, kw_only=True):
    """What comparing one system came to. `compared` and `equal` by location; what was in flight is in neither.

    `answered`: it could be asked; `left`: keys of differences that were not looked at, of which `whole` says whether
    they are all known.
    """

    system: str
    compared: dict[str, int] = field(default_factory=dict)
    equal: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left: frozenset[str] = frozenset()
    answered: bool = True
    whole: bool = True


class Report(Struct, kw_only=True):
    """What a comparison came to; `id` 0: nothing was written (a dry run)."""

    id: int
    started_at: datetime
    systems: list[SystemResult]

    @property
    def compared(self) -> int:
        """SKUs at locations that were compared."""
        return sum(sum(one.compared.values()) for one in self.systems)

    @property
    def equal(self) -> int:
        """Of those, how many were equal."""
        return sum(sum(one.equal.values()) for one in self.systems)

    def acted(self, *actions: str) -> int:
        """How many differences one of `actions` was taken for."""
        return sum(1 for one in self.systems for found in one.differences if found.action in actions)

    def accuracy(self) -> dict[str, float]:
        """The share of what was compared that was equal: "" over all, by "system" and by "system/location"."""
        pairs: Counter[str] = Counter()
        good: Counter[str] = Counter()
        for one in self.systems:
            for location, number in one.compared.items():
                for dimension in ("", one.system, f"{one.system}/{location or 'all'}"):
                    pairs[dimension] += number
                    good[dimension] += one.equal.get(location, 0)
        return {dimension: good[dimension] / number for dimension, number in pairs.items() if number}


class Asked(Struct, frozen=True, kw_only=True):
    """A comparison that somebody wants. `system`: "" = every system there is; else the only one that is compared.
    `skus`: only these (ours); `dry_run`: say what would be done and do nothing. `origin`, `reason`: for the audit,
    which has what a person asked for; None = nobody did."""

    by: str
    origin: Origin | None = None
    reason: str = ""
    system: str = ""
    skus: Sequence[str] | None = None
    dry_run: bool = False


async def reconcile(
    pool: asyncpg.Pool,
    systems: Sequence[ComparedSystem],
    rules: ReconcileRules,
    asked: Asked,
    progress: Progress = lambda _system, _rows: None,
) -> Report:
    """Compare `systems`. A system that cannot be asked is a problem of the report; the others are compared.

    Raises Busy when another comparison runs, EngineAway. The connection is held for as long as it takes.
    """
    with away():
        async with pool.acquire() as conn:
            if not await conn.fetchval(COMPARE.try_lock, KIND):
                raise Busy(
                    "another comparison of stock runs at this moment", rule="reconcile.one", fix="wait for its end"
                )
            try:
                return await _Run(pool, conn, rules, asked, progress).run(systems)
            finally:
                # A connection that is gone has taken the listing and the lock with it.
                with suppress(InterfaceError):
                    await conn.execute(SQL.drop_listed)
                    await conn.execute(COMPARE.unlock, KIND)


class _Run:
    """One comparison on one connection."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        conn: asyncpg.Connection,
        rules: ReconcileRules,
        asked: Asked,
        progress: Progress,
    ) -> None:
        self._pool = pool
        self._conn = conn
        self._rules = rules
        self._asked = asked
        self._progress = progress
        self._skus = None if asked.skus is None else list(asked.skus)
        self._catalog = Catalog()

    async def run(self, systems: Sequence[ComparedSystem]) -> Report:
        """Compare them one after the other."""
        await self._catalog.refresh(self._conn)
        report = Report(id=0, started_at=now(), systems=[])
        if not self._asked.dry_run:
            async with self._conn.transaction():
                begun = await self._conn.fetchrow(COMPARE.begin_reconciliation, KIND, self._asked.by)
                report.id, report.started_at = begun
                await _audit(self._conn, report.id, self._asked)
        for system in systems:
            result = SystemResult(system=system.name)
            report.systems.append(result)
            try:
                await self._compare(system, result, report.id)
            except CrossdockError as error:
                log.warning("reconcile.not_compared", system=system.name, reason=error.reason)
                result.compared, result.equal, result.differences, result.left = {}, {}, [], frozenset()
                result.answered = False
                result.problems.append(f"could not be asked: {error.reason}")
                continue
            await self._choose(system, result, report.id)
            if not self._asked.dry_run:
                await self._act(system, result, report.id)
        if not self._asked.dry_run:
            await _finish(self._conn, report, self._asked)
        return report

    async def _compare(self, system: ComparedSystem, result: SystemResult, run: int) -> None:
        theirs = None if self._skus is None else self._catalog.names_of(system.name, self._skus)
        look = Look(skus=self._skus, tolerance=self._rules.tolerance, asked_at=now(), turn=run)
        heard = await listen(self._conn, system, self._catalog, theirs, self._progress)
        result.problems += heard.problems
        # Of one moment; a transaction that has written nothing stops no outbox.
        async with self._conn.transaction(isolation="repeatable_read", readonly=True):
            standing = await standing_at(self._conn, system, look)
            first = await differing(self._conn, system, look, MOST_DIFFERENCES)
        looked, left = first[:MOST_LOOKED_AT], first[MOST_LOOKED_AT:]
        wrong = Counter({place: at.differing for place, at in standing.items()})
        number = wrong.total()
        result.compared = {place: at.compared for place, at in standing.items()}
        result.left, result.whole = frozenset(one.key for one in left), number == len(first)
        if number > len(looked):
            result.problems.append(f"{number - len(looked):,} other differences are left to the next comparison")
        if looked:
            await asyncio.sleep(self._rules.look_again_after.total_seconds())
            result.differences = await look_again(self._conn, system, self._catalog, looked, look)
            known = await around(self._conn, system, result.differences, self._catalog)
            for one in result.differences:
                classify(one, known[one.sku, one.location], self._rules)
        wrong.subtract(one.location for one in looked)
        for one in result.differences:
            if one.kind == "in_flight":
                # Nobody can say which of two figures is older: such a pair is not compared.
                result.compared[one.location] -= 1
            else:
                wrong[one.location] += 1
        result.equal = {place: number - wrong[place] for place, number in result.compared.items()}

    async def _choose(self, system: ComparedSystem, result: SystemResult, run: int) -> None:
        rows = await self._conn.fetch(COMPARE.told_again_before, system.name, run or NO_RUN, KIND)
        told_before = frozenset((row["sku"], row["location"]) for row in rows)
        choose(result.differences, self._rules, self._catalog, await open_keys(self._conn, system), told_before)
        result.differences.sort(key=lambda one: (one.sku, one.location))
        left = sum(one.action == "left" for one in result.differences)
        if left:
            result.problems.append(f"{left} differences became no case, because there are so many")

    async def _act(self, system: ComparedSystem, result: SystemResult, run: int) -> None:
        await keep_differences(self._pool, system, run, result.differences, self._catalog)
        if self._skus is None and result.whole:
            gone = await open_keys(self._conn, system) - {one.key for one in result.differences} - result.left
            await close_settled(self._pool, system, run, [_gone(system, key) for key in sorted(gone)])
        again = [(one.sku, one.location) for one in result.differences if one.action == "told_again"]
        async with self._conn.transaction():
            await tell_again(self._conn, system.name, again)
            await _record(self._conn, run, result.differences)


def _gone(system: ComparedSystem, key: str) -> Difference:
    sku, _, location = key.removeprefix(f"difference/{system.name}/").rpartition("@")
    return Difference(
        system=system.name, what=system.what, sku=sku, location=location, ours=None, theirs=None, as_of=now()
    )


async def _record(conn: asyncpg.Connection, run: int, differences: Sequence[Difference]) -> None:
    if differences:
        await conn.execute(
            COMPARE.record_differences,
            run,
            [one.system for one in differences],
            [one.sku for one in differences],
            [one.location for one in differences],
            [one.ours for one in differences],
            [one.theirs for one in differences],
            [one.kind for one in differences],
            [one.reason for one in differences],
            [one.action for one in differences],
            [one.money for one in differences],
            [one.currency for one in differences],
        )


async def _audit(conn: asyncpg.Connection, run: int, asked: Asked) -> None:
    """What a person lets be mended stands in the audit before anything is."""
    if asked.origin is not None:
        wish = {"system": asked.system, "skus": asked.skus}
        act = Act(action="reconciliation.run", kind="reconciliation", id=str(run), after=wish)
        await write_audit(conn, [act], by=asked.by, origin=asked.origin, reason=asked.reason)


async def _finish(conn: asyncpg.Connection, report: Report, asked: Asked) -> None:
    problems = "; ".join(f"{one.system}: {problem}" for one in report.systems for problem in one.problems)
    healed, cases = report.acted("counted", "told_again"), report.acted("case")
    # Of some SKUs only, a system was not compared in whole.
    systems = [one.system for one in report.systems if one.answered] if asked.skus is None else []
    accuracy = report.accuracy() if systems else {}
    if asked.system or len(systems) < len(report.systems):
        # What some of the systems came to is not what all of them do.
        accuracy.pop("", None)
    async with conn.transaction():
        await conn.execute(
            COMPARE.end_reconciliation,
            report.id,
            report.compared,
            report.equal,
            healed,
            cases,
            problems[:2000],
            systems,
        )
        if accuracy:
            await conn.execute(COMPARE.record_kpis, ACCURACY, list(accuracy), list(accuracy.values()))
    log.info("reconcile.done", run=report.id, compared=report.compared, equal=report.equal, healed=healed, cases=cases)
