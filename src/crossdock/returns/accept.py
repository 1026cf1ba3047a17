# SPDX-License-Identifier: Apache-2.0
"""Decide on returns (Process Manager): allowed by policy or by a person, then owed to ERP and warehouse, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import asyncpg
from msgspec.structs import replace

from crossdock.canonical.goods_return import GoodsReturn, ReturnLine
from crossdock.canonical.objects import encode
from crossdock.canonical.quantity import Quantity
from crossdock.errors import CrossdockError, NeedsEdit, RetryLater
from crossdock.journal.decided import Decided, NewDelivery, NewEvent, Translated
from crossdock.returns.check import facts_of, impossible, states_of
from crossdock.returns.context import ReturnContext, to_erp
from crossdock.returns.failure import edit
from crossdock.returns.give_back import whole_units
from crossdock.returns.lines import ZERO, LineState, dump
from crossdock.returns.policy import Asked, ReturnPolicy, broken
from crossdock.returns.sold import GONE, SQL, KnownReturn, Sold

WAIT_FOR_ORDER = 5
"""How often a return is tried again whose order, or the goods of it, may only be late."""


async def accept_returns(
    conn: asyncpg.Connection, batch: Sequence[Translated], context: ReturnContext, order_of: Mapping[str, str]
) -> list[Decided]:
    """Decide on returns, in the same order, and write them. The turns of their orders are taken.

    `order_of`: return → its order, for those that were here when the turns were taken. An older or equal version is a
    duplicate; a newer one stays one of that order. One whose order is not here, or has not left, is tried again a few
    times and then becomes a case; so does at once what cannot be returned at all, and what the policy does not let
    pass.
    """
    decisions: list[Decided] = []
    written: dict[str, KnownReturn] = {}
    for item in batch:
        asked: GoodsReturn = item.document
        key = asked.return_key
        was = written[key].order_key if key in written else order_of.get(key, asked.order_key)
        if was != asked.order_key:
            decisions.append(_of_another(asked, was, context))
            continue
        sold = context.sold.get(asked.order_key)
        if sold is None:
            decisions.append(Decided(error=_not_here(item, f"order {asked.order_key} is not here", "order_key")))
            continue
        decided, row = _decide(item, asked, sold, context)
        if row is not None:
            sold.returns[key] = written[key] = row
        decisions.append(decided)
    await write_returns(conn, written.values())
    return decisions


async def write_returns(conn: asyncpg.Connection, returns: Iterable[KnownReturn]) -> None:
    """Write returns as they stand now. RuntimeError when one of them is here as a return of another order."""
    rows = sorted(returns, key=lambda one: one.return_key)
    if not rows:
        return
    done = await conn.fetch(
        SQL.write_returns,
        [one.return_key for one in rows],
        [one.order_key for one in rows],
        [one.number for one in rows],
        [one.channel for one in rows],
        [one.state for one in rows],
        [one.version for one in rows],
        [one.resolution for one in rows],
        [one.location for one in rows],
        [dump(one.lines) for one in rows],
        [one.refund for one in rows],
        [one.fee for one in rows],
        [one.currency for one in rows],
        [one.document_id for one in rows],
        [one.requested_at for one in rows],
    )
    if len(done) < len(rows):
        # Whose turn it was is not known then: nothing of the batch may stand.
        left = {one.return_key for one in rows} - {row["return_key"] for row in done}
        raise RuntimeError(f"here already as returns of other orders: {', '.join(sorted(left)[:5])}")


def _of_another(asked: GoodsReturn, was: str, context: ReturnContext) -> Decided:
    """A version that names another order than the return's, `was`: what came of it is counted there."""
    sold = context.sold.get(was)
    known = sold.returns.get(asked.return_key) if sold is not None else None
    if known is not None and asked.version <= known.version:
        return _known_already()
    fix = f"put {was}; or have it cancelled there, and asked for anew under another id"
    return Decided(error=edit("order_key", "order_changed", asked.order_key, f"the return is of order {was}", fix))


def _known_already() -> Decided:
    return Decided(duplicate=True, note="an equal or newer version of the return is here already")


def _decide(
    item: Translated, asked: GoodsReturn, sold: Sold, context: ReturnContext
) -> tuple[Decided, KnownReturn | None]:
    known = sold.returns.get(asked.return_key)
    if known is not None and asked.version <= known.version:
        return _known_already(), None
    if asked.status != "open":
        return _end(item, asked, sold, known, context)
    failures = impossible(asked, sold, context.products)
    if failures:
        late = known is None and all(one.rule == "return.quantity" for one in failures)
        if late and item.claimed.attempts < WAIT_FOR_ORDER and not _all_left(sold):
            return Decided(error=RetryLater(failures[0].reason, rule="return.quantity")), None
        return _refused(sold, NeedsEdit.of(failures)), None
    policy = context.rules.of(asked.channel)
    states = states_of(asked, sold, context.products, policy)
    if known is not None:
        return _again(item, asked, known, states)
    facts = facts_of(asked, states, sold, policy)
    wrong = [] if asked.override else broken(asked, policy, facts)
    if wrong and policy is not None and policy.declines:
        return _decline(item, asked, sold, states, NeedsEdit.of(wrong).reason)
    if wrong:
        return _refused(sold, NeedsEdit.of(wrong), facts.amount), None
    return _approve(item, asked, sold, states, facts, policy, context)


def _approve(
    item: Translated,
    asked: GoodsReturn,
    sold: Sold,
    states: dict[str, LineState],
    facts: Asked,
    policy: ReturnPolicy | None,
    context: ReturnContext,
) -> tuple[Decided, KnownReturn | None]:
    location = _location(asked, sold, policy)
    if location not in context.system_of:
        known = ", ".join(sorted(context.system_of)[:20])
        error = edit(
            "location",
            "location",
            location,
            f"location {location!r} is not in the estate" if location else "nothing says where the goods go back to",
            f"put one of {known}",
        )
        return _refused(sold, error), None
    for state in states.values():
        state.approved = state.requested
    approved = replace(asked, location=location)
    row = _row(item, approved, sold, states, "approved")
    told = (
        *_authorize(approved, sold, states, context),
        *_expect(approved, states, context),
    )
    note = f"let pass by a person: {asked.override}" if asked.override else _passed(facts, policy)
    decided = Decided(
        body=encode(approved),
        deliveries=told,
        events=(NewEvent(type="goods_return.approved", data=summary(row)),),
        accepted=True,
        orders=(asked.order_key,),
        note=note,
        rules=context.rules.version,
        money=facts.amount,
        currency=facts.currency,
    )
    return decided, row


def _authorize(
    approved: GoodsReturn, sold: Sold, states: dict[str, LineState], context: ReturnContext
) -> tuple[NewDelivery, ...]:
    """What the ERP is to allow, as it counts: in whole units of the order's lines, after what other returns have of
    them; nothing where no unit comes whole."""
    lines: list[ReturnLine] = []
    for name, state in states.items():
        before = sold.taken(name, approved.return_key)
        whole = whole_units(sold.lines[name], before, before + state.approved)
        if whole.value > 0:
            lines.append(ReturnLine(line=name, sku=state.sku, quantity=whole, reason=state.reason))
    body = encode(replace(approved, lines=tuple(lines)))
    told = context.tell(to_erp(sold, "return_authorization", "goods_return", approved.return_key, body))
    return told if lines else ()


def _expect(approved: GoodsReturn, states: dict[str, LineState], context: ReturnContext) -> tuple[NewDelivery, ...]:
    """What the warehouse is to expect, counted as it counts."""
    lines = tuple(
        ReturnLine(line=name, sku=state.sku, quantity=Quantity(state.approved, state.unit), reason=state.reason)
        for name, state in states.items()
    )
    body = encode(replace(approved, lines=lines))
    system = context.system_of[approved.location]
    return context.tell(_to_warehouse(system, "expected_return", approved.return_key, body))


def _to_warehouse(system: str, operation: str, return_key: str, body: bytes | None = None) -> NewDelivery:
    return NewDelivery(system=system, operation=operation, object="goods_return", reference=return_key, body=body)


def _end(
    item: Translated, asked: GoodsReturn, sold: Sold, known: KnownReturn | None, context: ReturnContext
) -> tuple[Decided, KnownReturn | None]:
    """A return that was declined by a person, or cancelled at its source."""
    if known is not None and known.begun:
        error = edit(
            "status",
            "received",
            asked.status,
            f"the return was {asked.status} after goods of it had come back",
            "leave it open, or dismiss this with the reason",
        )
        return _refused(sold, error), None
    states = {} if known is None else known.lines
    for state in states.values():
        state.approved = ZERO
    location = asked.location if known is None else known.location
    row = _row(item, replace(asked, location=location), sold, states, asked.status)
    told: tuple[NewDelivery, ...] = ()
    if known is not None and known.state not in GONE:
        told = (
            *context.tell(to_erp(sold, "return_cancel", "goods_return", asked.return_key)),
            *context.tell(_to_warehouse(context.system_of.get(location, ""), "return_cancel", asked.return_key)),
        )
    if asked.status == "declined":
        event = NewEvent(type="goods_return.declined", data=summary(row))
    else:
        event = NewEvent(type="goods_return.cancelled", data=summary(row))
    return Decided(deliveries=told, events=(event,), accepted=True, note=asked.status), row


def _decline(
    item: Translated, asked: GoodsReturn, sold: Sold, states: dict[str, LineState], why: str
) -> tuple[Decided, KnownReturn]:
    row = _row(item, asked, sold, states, "declined")
    event = NewEvent(type="goods_return.declined", data=summary(row, why))
    return Decided(body=encode(asked), events=(event,), accepted=True, note=f"declined by policy: {why}"[:1000]), row


def _again(
    item: Translated, asked: GoodsReturn, known: KnownReturn, states: dict[str, LineState]
) -> tuple[Decided, KnownReturn | None]:
    """A newer version of a return that was decided on: times and notes may change, goods and where it ended may not."""
    same = {name: one.requested for name, one in states.items()} == {
        name: one.requested for name, one in known.lines.items()
    }
    if known.state in GONE or not same:
        error = edit(
            "status" if same else "lines",
            "changed",
            asked.version,
            f"the return is {known.state.replace('_', ' ')}, and a newer version of it asks for something else",
            "have it cancelled and asked for anew, or dismiss this with the reason",
        )
        return Decided(error=error), None
    known.version, known.document_id = asked.version, item.claimed.id
    body = encode(replace(asked, location=known.location))
    return Decided(body=body, accepted=True, note="nothing that anybody must be told has changed"), known


def _location(asked: GoodsReturn, sold: Sold, policy: ReturnPolicy | None) -> str:
    """Where goods go back to: what the return says, what the policy says, or where the first of them came from."""
    if asked.location:
        return asked.location
    if policy is not None and policy.location:
        return policy.location
    return sold.lines[asked.lines[0].line].location


def _row(item: Translated, asked: GoodsReturn, sold: Sold, lines: dict[str, LineState], state: str) -> KnownReturn:
    return KnownReturn(
        return_key=asked.return_key,
        order_key=asked.order_key,
        number=asked.number,
        channel=asked.channel,
        state=state,
        version=asked.version,
        resolution=asked.resolution,
        location=asked.location,
        lines=lines,
        refund=ZERO,
        fee=ZERO,
        currency=sold.order.currency,
        document_id=item.claimed.id,
        requested_at=asked.requested_at,
    )


def summary(row: KnownReturn, reason: str = "") -> bytes:
    """A return in short, for events."""
    return encode(
        {
            "return_key": row.return_key,
            "order_key": row.order_key,
            "number": row.number,
            "channel": row.channel,
            "state": row.state,
            "version": row.version,
            "resolution": row.resolution,
            "location": row.location,
            "lines": [
                {"line": name, "sku": one.sku, "unit": one.unit, "approved": one.approved, "received": one.received}
                for name, one in row.lines.items()
            ],
            "reason": reason,
        }
    )


def _passed(facts: Asked, policy: ReturnPolicy | None) -> str:
    if policy is None:
        return ""
    days = "" if policy.window is None else f", {facts.since.days} of {policy.window.days} days after the goods left"
    most = "" if policy.approve_up_to is None else f" of {policy.approve_up_to} that pass by themselves"
    return f"passes the policy: {facts.amount} {facts.currency}{most}{days}"


def _refused(sold: Sold, error: CrossdockError, money: Decimal | None = None) -> Decided:
    return Decided(error=error, money=money, currency=sold.order.currency)


def _all_left(sold: Sold) -> bool:
    return all(line.shipped >= line.ordered for line in sold.lines.values())


def _not_here(item: Translated, reason: str, field: str) -> CrossdockError:
    if item.claimed.attempts < WAIT_FOR_ORDER:
        return RetryLater(f"{reason} yet", rule="return.order_known")
    asked: GoodsReturn = item.document
    fix = "put the key of the order that the goods are of, CHANNEL/ID; or dismiss it if it is none of ours"
    return edit(field, "order_known", asked.order_key, f"{reason}, so nothing of it can come back", fix)
