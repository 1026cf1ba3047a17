# SPDX-License-Identifier: Apache-2.0
"""The path of a document on one page: receive → translate → decide → deliver. Read this first.

    receive    intake/hooks.py        a webhook is authenticated, kept, then acknowledged
               connectors/file_drop   a file's rows are kept the same way
    translate  mapping/               bytes become a canonical document (Message Translator)
    decide     orders/ inventory/ fulfillment/ returns/ catalog/ routing/   what it means and what is owed to whom
    deliver    delivery/              every obligation reaches its system once (Guaranteed Delivery)

This file holds the middle: `work` takes a batch of kept documents through translate and decide in one transaction.
A crash before its commit and they are taken again, a crash after it and they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import asyncpg
import structlog
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.objects import business_key, encode
from crossdock.decide import decide, turn_of
from crossdock.decide_orders import Rules
from crossdock.delivery.owe import Obligation, owe
from crossdock.errors import CrossdockError, EngineAway, NeedsEdit, RetryLater
from crossdock.journal.claim import Claimed, claim
from crossdock.journal.decided import Decided, RefusedPart, Translated
from crossdock.journal.record import (
    Event,
    Part,
    Recorded,
    Version,
    record_decided,
    record_events,
    record_parts,
    record_versions,
)
from crossdock.runtime.backoff import backoff
from crossdock.runtime.postgres import away
from crossdock.translate import Translations, translate
from crossdock.triage.close import close_by_success, close_superseded
from crossdock.triage.open import NewCase, open_cases

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
TRIES_BEFORE_CASE = 8

log = structlog.get_logger(__name__)


class Outcome(Struct, frozen=True, kw_only=True):
    """A claimed document with what was decided of it; `item` is None when it could not be translated."""

    claimed: Claimed
    item: Translated | None
    decided: Decided

    @property
    def key(self) -> str:
        """The business key, which the receiver may have known only in part and the translated document knows."""
        if self.item is None or self.claimed.parent_id is not None:
            return self.claimed.key
        return business_key(self.item.kind, self.item.document) or self.claimed.key


async def work(pool: asyncpg.Pool, rules: Rules, translations: Translations, limit: int) -> int:
    """Take at most `limit` due documents through translate and decide; how many there were.

    One bad document never stops its batch: failures are outcomes. Should the batch fail as a whole (a bug, a lost
    connection), its documents are untouched; a bug is then cornered by taking them one at a time.
    """
    try:
        with away():
            return await _work_batch(pool, rules, translations, limit)
    except EngineAway:
        raise
    except Exception:  # edge: whatever one document provokes must not stop the others
        log.exception("flow.batch_failed", limit=limit)
    with away():
        return await _work_singly(pool, rules, translations, limit)


async def _work_batch(pool: asyncpg.Pool, rules: Rules, translations: Translations, limit: int) -> int:
    async with pool.acquire() as conn, conn.transaction():
        batch = await claim(conn, limit)
        if batch:
            await rules.catalog.refresh(conn)
            await _write(conn, rules, await _outcomes(conn, rules, translations, batch))
        return len(batch)


async def _work_singly(pool: asyncpg.Pool, rules: Rules, translations: Translations, limit: int) -> int:
    for done in range(limit):
        async with pool.acquire() as conn, conn.transaction():
            batch = await claim(conn, 1)
            if not batch:
                return done
            try:
                with away():
                    async with conn.transaction():
                        await rules.catalog.refresh(conn)
                        await _write(conn, rules, await _outcomes(conn, rules, translations, batch))
            except EngineAway:
                raise
            except Exception as error:  # edge: the one document that provokes a bug is tried again, then becomes a case
                log.exception("flow.document_failed", document=batch[0].id)
                bug = RetryLater(f"unexpected {type(error).__name__}: {error}", rule="unexpected")
                await _write(conn, rules, [Outcome(claimed=batch[0], item=None, decided=Decided(error=bug))])
    return limit


async def _outcomes(
    conn: asyncpg.Connection, rules: Rules, translations: Translations, batch: Sequence[Claimed]
) -> list[Outcome]:
    translated = translate(translations, batch)
    items = [one for one in translated if isinstance(one, Translated)]
    decided = dict(zip([item.claimed.id for item in items], await decide(conn, rules, items), strict=True))
    return [
        Outcome(claimed=claimed, item=one, decided=decided[claimed.id])
        if isinstance(one, Translated)
        else Outcome(claimed=claimed, item=None, decided=Decided(error=one))
        for claimed, one in zip(batch, translated, strict=True)
    ]


async def _write(conn: asyncpg.Connection, rules: Rules, outcomes: Sequence[Outcome]) -> None:
    """Everything the decisions say, in a handful of statements; in the order of deciding, so that an ERP is owed an
    order before a shipment of it that had waited for it."""
    outcomes = sorted(outcomes, key=lambda outcome: turn_of(outcome.item.kind) if outcome.item is not None else 0)
    await record_versions(conn, [version for outcome in outcomes for version in _version(outcome)])
    await record_decided(conn, [_recorded(outcome) for outcome in outcomes])
    await owe(conn, [obligation for outcome in outcomes for obligation in _obligations(rules, outcome)])
    await record_events(
        conn,
        [
            Event(type=event.type, key=event.key or outcome.key, document_id=outcome.claimed.id, data=event.data)
            for outcome in outcomes
            for event in outcome.decided.events
        ],
    )
    await _write_cases(conn, rules, [o for o in outcomes if _troubled(o)])
    # A part of a batch document begins as a case, before it was ever tried by itself.
    tried = [o for o in outcomes if o.claimed.attempts > 0 or o.claimed.parent_id is not None]
    mended = [o.claimed.id for o in tried if o.decided.error is None]
    if mended:
        await close_by_success(conn, mended)
    statements = [o for o in outcomes if o.decided.accepted and o.claimed.overtakes]
    if statements:
        await close_superseded(conn, [o.key for o in statements], [o.claimed.id for o in statements])


def _version(outcome: Outcome) -> list[Version]:
    item = outcome.item
    if item is None:
        return []
    body = outcome.decided.body or (encode(item.document) if item.body is None else item.body)
    # What is delivered is a version: where it came in canonical form already, the same bytes once more.
    same = body == outcome.claimed.body
    if not body or (same and (outcome.claimed.stage == "canonical" or not outcome.decided.deliveries)):
        return []
    number = outcome.claimed.number + 1
    return [Version(document_id=outcome.claimed.id, number=number, stage="canonical", body=body, made_by=item.made_by)]


def _recorded(outcome: Outcome) -> Recorded:
    claimed, decided, item = outcome.claimed, outcome.decided, outcome.item
    state, step, wait = _next(claimed, decided, translated=item is not None)
    note = decided.error.reason[:1000] if decided.error is not None else decided.note
    if decided.duplicate and claimed.same_bytes:
        note = f"possible duplicate: the same bytes came before under another id; {note}"
    made_by = " ".join(part for part in (item.made_by if item is not None else "", decided.rules) if part)
    return Recorded(
        id=claimed.id,
        state=state,
        step=step,
        kind=item.kind if item is not None else claimed.kind,
        version=getattr(item.document, "version", claimed.version) if item is not None else claimed.version,
        open_deliveries=len(decided.deliveries),
        made_by=made_by,
        note=note,
        wait=wait,
        key=outcome.key,
    )


def _next(claimed: Claimed, decided: Decided, *, translated: bool) -> tuple[str, str, float]:
    """State, step and seconds to wait that follow from a decision."""
    step = "decide" if translated else "translate"
    if decided.error is None:
        if decided.duplicate:
            return "duplicate", "done", 0.0
        return ("delivering", "deliver", 0.0) if decided.deliveries else ("settled", "done", 0.0)
    if isinstance(decided.error, RetryLater) and (decided.error.bounded or claimed.attempts < TRIES_BEFORE_CASE):
        wait = decided.error.after
        return (
            "retry",
            step,
            wait if wait is not None else backoff(claimed.attempts + 1, first=FIRST_WAIT, most=LONGEST_WAIT),
        )
    return "case", step, 0.0


def _obligations(rules: Rules, outcome: Outcome) -> list[Obligation]:
    return [
        Obligation(
            document_id=outcome.claimed.id,
            interface=rules.outgoing.get(
                (delivery.system, delivery.operation), f"{delivery.system}.{delivery.operation}"
            ),
            key=delivery.key or outcome.key,
            delivery=delivery,
        )
        for delivery in outcome.decided.deliveries
    ]


def _troubled(outcome: Outcome) -> bool:
    parts = outcome.item is not None and outcome.item.parts
    return outcome.decided.error is not None or bool(outcome.decided.parts or parts)


async def _write_cases(conn: asyncpg.Connection, rules: Rules, outcomes: Sequence[Outcome]) -> None:
    cases = [
        _case(rules, outcome, outcome.claimed.id, outcome.key, outcome.decided.error, step)
        for outcome in outcomes
        for state, step, _ in [_next(outcome.claimed, outcome.decided, translated=outcome.item is not None)]
        if state == "case" and outcome.decided.error is not None
    ]
    parts = [
        Part(
            parent_id=outcome.claimed.id,
            ordinal=part.ordinal,
            kind=outcome.item.kind if outcome.item is not None else outcome.claimed.kind,
            stage=part.stage,
            body=part.body,
        )
        for outcome in outcomes
        for part in _refused_parts(outcome)
    ]
    ids = await record_parts(conn, parts)
    cases += [
        _case(
            rules,
            outcome,
            ids[outcome.claimed.id, part.ordinal],
            f"{outcome.claimed.key}/{part.ordinal}",
            part.error,
            "translate" if part.stage == "source" else "decide",
        )
        for outcome in outcomes
        for part in _refused_parts(outcome)
    ]
    if cases:
        await open_cases(conn, cases)


def _refused_parts(outcome: Outcome) -> list[RefusedPart]:
    """Elements of a batch document that became cases of their own, unless the whole document did."""
    if outcome.item is None or outcome.decided.error is not None:
        return []
    taken = {part.ordinal for part in outcome.item.parts}
    free = (number for number in count(1) if number not in taken)
    return [*outcome.item.parts, *(replace(part, ordinal=next(free)) for part in outcome.decided.parts)]


def _case(rules: Rules, outcome: Outcome, document_id: int, key: str, error: CrossdockError, step: str) -> NewCase:
    claimed = outcome.claimed
    facts = rules.facts(claimed.interface)
    if isinstance(error, RetryLater):
        error = NeedsEdit(error.reason, rule=error.rule, fix="find out why it keeps failing, then retry")
    return NewCase(
        document_id=document_id,
        delivery_id=None,
        interface=claimed.interface,
        system=facts.system,
        key=key,
        step=step,
        error=error,
        owner=facts.owner,
        deadline=claimed.received_at + facts.settle_within,
        money=outcome.decided.money,
        currency=outcome.decided.currency,
    )
