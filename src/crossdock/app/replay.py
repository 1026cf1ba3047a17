# SPDX-License-Identifier: Apache-2.0
"""Replay inventory: apply kept documents again, without doubling anything, and compare levels with their ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

import asyncpg
from msgspec import Struct, field
from msgspec.structs import replace

from crossdock.app.wiring import Wired, rules_of, translations_of
from crossdock.canonical.objects import encode
from crossdock.canonical.stock import StockCount
from crossdock.catalog.cache import Catalog
from crossdock.decide import decide
from crossdock.decide_orders import Rules
from crossdock.inventory.apply import pairs_of
from crossdock.inventory.count import locations_of_counts, pairs_of_counts
from crossdock.inventory.drift import SQL, Drift, find_drifts, mend_drifts, page_end
from crossdock.inventory.level import Pair
from crossdock.inventory.lock import pairs_at
from crossdock.inventory.sift import Difference, Name, Sifted, names_of, sift
from crossdock.journal.audit import Act, write_audit
from crossdock.journal.claim import Claimed
from crossdock.journal.decided import Translated
from crossdock.journal.kept import Range, Window, page_of, range_of, split_off
from crossdock.journal.record import Event, record_events
from crossdock.translate import Translations, translate
from crossdock.triage.act import act

KINDS = ("stock_movements", "stock_count")
PAGE = 50
"""Documents a transaction: their levels are locked while it lasts."""
LEVELS = 10_000
"""Levels compared at a time."""
SHOWN = 1_000
"""The most differences, drifts and problems that a report names one by one; all are counted."""

Tell = Callable[[str, int, int], None]
"""Told of progress: what is being done, how much of it is done, and how much there is."""


class Wish(Struct, frozen=True, kw_only=True):
    """What to replay: documents received from `since` to `until`; only of `sku` or `source`, "" = all.

    `dry_run`: find out and undo; `heal`: also mend levels that differ from their ledger. `by`, `reason`: for the audit.
    """

    since: datetime
    until: datetime
    sku: str = ""
    source: str = ""
    dry_run: bool = False
    heal: bool = False
    by: str = "command line"
    reason: str = ""


class Change(Struct, kw_only=True):
    """What a replay changed of one level, or would change."""

    sku: str
    location: str
    on_hand: Decimal = Decimal(0)
    quarantined: Decimal = Decimal(0)
    allocated: Decimal = Decimal(0)


class Report(Struct, kw_only=True):
    """What a replay found. `entered`: movements and counted SKUs that the ledger lacked; `known`: those it has;
    `differing`: of these, fields with other content, which are left as they are; `refused`: elements that cannot
    enter; `drifted`: levels that were not what they are made of, `healed` of them are now."""

    dry_run: bool
    documents: int = 0
    known: int = 0
    entered: int = 0
    refused: int = 0
    differing: int = 0
    drifted: int = 0
    healed: int = 0
    changes: list[Change] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def left(self) -> bool:
        """Whether anything is left that a person should look at."""
        undone = self.drifted > self.healed or (self.dry_run and self.entered > 0)
        return bool(self.refused or self.differing or undone)


class _Replay:
    """One replay under way."""

    def __init__(self, conn: asyncpg.Connection, wired: Wired, wish: Wish, tell: Tell) -> None:
        self._conn, self._wish, self._tell = conn, wish, tell
        catalog = Catalog()
        self._rules: Rules = rules_of(wired, catalog)
        self._translations: Translations = translations_of(wired, catalog)
        self._seen: set[Name] = set()
        self._changes: dict[Pair, Change] = {}
        self.report = Report(dry_run=wish.dry_run)

    async def documents(self) -> None:
        """Apply what the ledger lacks, a page of documents a transaction."""
        window = Window(kinds=KINDS, since=self._wish.since, until=self._wish.until)
        await self._rules.catalog.refresh(self._conn)
        there: Range = await range_of(self._conn, window)
        after = there.first - 1
        while True:
            page = await page_of(self._conn, window, after, there.last, PAGE)
            if not page:
                break
            after = page[-1].id
            items = await self._items(page)
            self.report.documents += len(page)
            await act(self._conn, partial(self._apply, items), dry_run=self._wish.dry_run)
            self._tell("documents", self.report.documents, there.documents)
        self.report.changes = [self._changes[pair] for pair in sorted(self._changes)]

    async def _items(self, page: Sequence[Claimed]) -> list[Translated]:
        """The documents of a page in canonical form, without what became documents of their own."""
        apart: dict[int, set[Name]] = {}
        for part, made in self._translated(await split_off(self._conn, page)):
            apart.setdefault(part.parent_id or 0, set()).update(names_of(made))
        items = []
        for claimed, made in self._translated(page, tell=True):
            chosen = self._chosen(made, apart.get(claimed.id, set()))
            if chosen is not None:
                items.append(chosen)
        return items

    def _translated(self, page: Sequence[Claimed], *, tell: bool = False) -> list[tuple[Claimed, Translated]]:
        found = []
        for claimed, made in zip(page, translate(self._translations, page), strict=True):
            if isinstance(made, Translated):
                found.append((claimed, made))
            elif tell:
                self._refuse(claimed.id, made.reason)
        return found

    def _chosen(self, item: Translated, apart: set[Name]) -> Translated | None:
        """`item` with only the elements that were asked for and are not documents of their own; None without any."""
        wish, document = self._wish, item.document
        if wish.source and document.source != wish.source:
            return None
        if isinstance(document, StockCount):
            names = [(document.source, f"{document.count_id}/{entry.sku}") for entry in document.entries]
            parts = document.entries
        else:
            names = [(document.source, movement.movement_id) for movement in document.movements]
            parts = document.movements
        kept = tuple(
            part
            for part, name in zip(parts, names, strict=True)
            if name not in apart and (not wish.sku or part.sku == wish.sku)
        )
        if len(kept) == len(parts):
            return item
        if not kept:
            return None
        if isinstance(document, StockCount):
            # Named or not, the others are none of this replay's business.
            chosen = replace(document, entries=kept, complete=False)
        else:
            chosen = replace(document, movements=kept)
        return Translated(
            claimed=item.claimed, kind=item.kind, document=chosen, body=encode(chosen), made_by=item.made_by
        )

    async def _apply(self, items: Sequence[Translated], conn: asyncpg.Connection) -> None:
        sifted: Sifted = await sift(conn, items, self._rules.catalog, self._seen)
        changes: list[tuple[asyncpg.Record, asyncpg.Record | None]] = []
        refused: list[tuple[int, str]] = []
        failed = 0
        if sifted.missing:
            before = await _sums(conn, await self._pairs(conn, sifted.missing))
            decisions = await decide(conn, self._rules, sifted.missing)
            # Asked again: until `decide` locked it, others may have made levels where all are counted.
            pairs = await self._pairs(conn, sifted.missing)
            await mend_drifts(conn, pairs)
            after = await _sums(conn, pairs)
            was = {(row["sku"], row["location"]): row for row in before}
            changes = [(row, was.get((row["sku"], row["location"]))) for row in after]
            events: list[Event] = []
            for item, decided in zip(sifted.missing, decisions, strict=True):
                wrong = [decided.error] if decided.error is not None else [part.error for part in decided.parts]
                refused += [(item.claimed.id, error.reason) for error in wrong]
                failed += len(names_of(item)) if decided.error is not None else len(wrong)
                events += [
                    Event(type=event.type, key=item.claimed.key, document_id=item.claimed.id, data=event.data)
                    for event in decided.events
                ]
            await record_events(conn, events)
        # From here on nothing fails: a transaction that is tried again is counted once.
        self._count(sifted, len(sifted.names) - failed, changes, refused)

    async def _pairs(self, conn: asyncpg.Connection, items: Sequence[Translated]) -> set[Pair]:
        """The levels that these documents may change, those that complete counts do not name among them."""
        catalog, locations = self._rules.catalog, self._rules.policy.locations
        counts = [item for item in items if isinstance(item.document, StockCount)]
        moves = [item for item in items if not isinstance(item.document, StockCount)]
        named = pairs_of(moves, catalog, locations) | pairs_of_counts(counts, catalog, locations)
        return named | await pairs_at(conn, locations_of_counts(counts, locations))

    def _count(
        self,
        sifted: Sifted,
        entered: int,
        changes: Sequence[tuple[asyncpg.Record, asyncpg.Record | None]],
        refused: Sequence[tuple[int, str]],
    ) -> None:
        report = self.report
        self._seen.update(sifted.names if self._wish.dry_run else ())
        for document_id, reason in refused:
            self._refuse(document_id, reason)
        report.known += sifted.known
        report.entered += entered
        report.differing += len(sifted.differing)
        report.differences += sifted.differing[: SHOWN - len(report.differences)]
        for row, was in changes:
            moved = {name: row[name] - (was[name] if was is not None else 0) for name in _BUCKETS}
            if any(moved.values()):
                change = self._changes.setdefault(
                    (row["sku"], row["location"]), Change(sku=row["sku"], location=row["location"])
                )
                for name, quantity in moved.items():
                    setattr(change, name, getattr(change, name) + quantity)

    def _refuse(self, document_id: int, reason: str) -> None:
        self.report.refused += 1
        if len(self.report.problems) < SHOWN:
            self.report.problems.append(f"document {document_id}: {reason}")

    async def levels(self) -> None:
        """Compare every level with its ledger, a page at a time, and mend those that differ if that was asked for."""
        wish, after, done = self._wish, "", 0
        # The bounds decide on the plan.
        await self._conn.execute("SET plan_cache_mode = force_custom_plan")
        total = await self._conn.fetchval(SQL.how_many_levels)
        while True:
            to = None if wish.sku else await page_end(self._conn, after, LEVELS)
            drifts = await find_drifts(self._conn, after=after, to=to, skus={wish.sku} if wish.sku else None)
            self.report.drifted += len(drifts)
            self.report.drifts += drifts[: SHOWN - len(self.report.drifts)]
            if wish.heal and drifts:
                mend = partial(mend_drifts, pairs={one.pair for one in drifts})
                mended = await act(self._conn, mend, dry_run=wish.dry_run)
                self.report.healed += 0 if wish.dry_run else len(mended)
            done = min(done + LEVELS, total)
            self._tell("levels", done, total)
            if to is None:
                return
            after = to


_BUCKETS = ("on_hand", "quarantined", "allocated")


async def _sums(conn: asyncpg.Connection, pairs: set[Pair]) -> list[asyncpg.Record]:
    ordered = sorted(pairs)
    rows: list[asyncpg.Record] = await conn.fetch(SQL.sums, [sku for sku, _ in ordered], [at for _, at in ordered])
    return rows


async def replay(conn: asyncpg.Connection, wired: Wired, wish: Wish, tell: Tell) -> Report:
    """Replay what `wish` says and compare levels; what was found. Safe to repeat: what the ledger has is left alone.

    Documents are translated with the mappings of now, unless a person edited them. Levels that something was entered
    for follow their ledger; others are only told of, unless `heal`. Raises EngineAway, and RetryLater when workers and
    the replay keep waiting for each other.
    """
    if not wish.dry_run:
        # A transaction of its own, before those that change anything: none of them is without it.
        async with conn.transaction():
            asked = {
                "since": wish.since,
                "until": wish.until,
                "sku": wish.sku,
                "source": wish.source,
                "heal": wish.heal,
            }
            act_of = Act(action="inventory.replay", kind="replay", id="inventory", key=wish.sku, after=asked)
            await write_audit(conn, [act_of], by=wish.by, origin="cli", reason=wish.reason)
    work = _Replay(conn, wired, wish, tell)
    await work.documents()
    await work.levels()
    return work.report
