# SPDX-License-Identifier: Apache-2.0
"""Take in what came back: find its return, count it, put it into stock by its disposition, give its money back.

Everything follows from how much has come back in all, and a receipt counts once by its id: twice, late or in another
order, it is the same in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.goods_return import Refund, ReturnReceipt
from crossdock.canonical.objects import encode
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import StockMovements
from crossdock.errors import CrossdockError, NeedsEdit, RetryLater
from crossdock.journal.decided import Decided, NewDelivery, NewEvent, Translated
from crossdock.returns.accept import write_returns
from crossdock.returns.context import ReturnContext, to_erp
from crossdock.returns.failure import edit
from crossdock.returns.give_back import give_back
from crossdock.returns.match import matched
from crossdock.returns.sold import SQL, KnownReturn, Sold
from crossdock.returns.stock import Back, movements_of

# As long as a key may be.
_LONGEST_KEY = 200
WAIT_FOR_RETURN = 5
"""How often a receipt is tried again whose return may only be late."""


class Received(Struct, frozen=True):
    """What was decided of a receipt, and the movements that bring its goods into stock; None when none do."""

    decided: Decided
    movements: StockMovements | None = None


class _Taken(Struct, frozen=True):
    item: Translated
    row: KnownReturn
    refund: Refund


async def receive(
    conn: asyncpg.Connection, batch: Sequence[Translated], context: ReturnContext, order_of: Mapping[str, str]
) -> list[Received]:
    """Decide on receipts, in the same order, and write what they change. The turns of their orders are taken.

    `order_of`: return → its order, for those that were here when the turns were taken. One that is known is a
    duplicate; one whose return is not here is tried again a few times and then becomes a case, as does at once one that
    brings back what was not to come back.
    """
    rows = await conn.fetch(SQL.known_receipts, sorted({key_of(item.document) for item in batch}))
    known = {row["receipt_key"] for row in rows}
    found: list[Received] = []
    taken: list[_Taken] = []
    for item in batch:
        receipt: ReturnReceipt = item.document
        sold = context.sold.get(order_of.get(receipt.return_key, ""))
        row = sold.returns.get(receipt.return_key) if sold is not None else None
        if key_of(receipt) in known:
            found.append(Received(Decided(duplicate=True, note="the receipt is here already")))
        elif sold is None or row is None:
            found.append(Received(Decided(error=_not_here(item, receipt))))
        elif isinstance(backs := matched(receipt, row, sold, context), NeedsEdit):
            found.append(Received(Decided(error=backs)))
        else:
            known.add(key_of(receipt))
            refund = _count(receipt, sold, row, backs, context)
            taken.append(_Taken(item, row, refund))
            movements = movements_of(receipt, backs, context.products)
            found.append(Received(_decide(_named(receipt, backs), sold, row, refund, context), movements))
    await write_returns(conn, {one.row.return_key: one.row for one in taken}.values())
    await _write_receipts(conn, taken)
    return found


def key_of(receipt: ReturnReceipt) -> str:
    """What names a receipt: its source and the source's own id."""
    return f"{receipt.source}/{receipt.receipt_id}"


def _count(
    receipt: ReturnReceipt, sold: Sold, row: KnownReturn, backs: Sequence[Back], context: ReturnContext
) -> Refund:
    """Count what came back into the return, and what is given for it."""
    before = {back.line: sold.back(back.line) for back in backs}
    for back in backs:
        state = row.lines[back.line]
        state.received += back.quantity
        match back.said.disposition:
            case "restock":
                state.restocked += back.quantity
            case "quarantine":
                state.quarantined += back.quantity
            case "scrap":
                state.scrapped += back.quantity
    row.state = "partly_received" if any(state.due for state in row.lines.values()) else "received"
    policy = context.rules.of(row.channel)
    keeps = policy.keeps if policy is not None else frozenset[str]()
    return give_back(sold, row, before, keeps, receipt.received_at, _refund_key(row.return_key, receipt))


def _refund_key(return_key: str, receipt: ReturnReceipt) -> str:
    """What names the refund for a receipt in every system: cut to the length of a key, where that must be, and told
    apart by a digest."""
    whole = f"{return_key}/{key_of(receipt)}"
    if len(whole) <= _LONGEST_KEY:
        return whole
    digest = blake2b(whole.encode(), digest_size=16).hexdigest()
    return f"{whole[: _LONGEST_KEY - len(digest) - 1]}~{digest}"


def _named(receipt: ReturnReceipt, backs: Sequence[Back]) -> ReturnReceipt:
    """The receipt with the order line that each of its goods is of, in the unit they are kept in."""
    lines = tuple(replace(back.said, line=back.line, quantity=Quantity(back.quantity, back.unit)) for back in backs)
    return replace(receipt, lines=lines)


def _decide(receipt: ReturnReceipt, sold: Sold, row: KnownReturn, refund: Refund, context: ReturnContext) -> Decided:
    kept = "" if refund.fee is None else f", {refund.fee} kept"
    named = encode(receipt)
    return Decided(
        body=named,
        deliveries=_owed(receipt, sold, row, refund, context),
        events=(
            NewEvent(type="goods_return.received", data=named),
            NewEvent(type="goods_return.refunded", data=encode(refund)),
        ),
        accepted=True,
        orders=(row.order_key,),
        note=f"{refund.total} given back{kept}",
        rules=context.rules.version,
        money=refund.total.amount,
        currency=row.currency,
    )


def _in_order_units(named: ReturnReceipt, refund: Refund) -> ReturnReceipt:
    """The receipt as the ERP counts: in the units of the order's lines, of those that came back in whole."""
    whole = {one.line: one.quantity for one in refund.lines}
    by_line = {one.line: one for one in named.lines}
    lines = [one for one in named.lines if one.quantity.unit == whole[one.line].unit]
    lines += [
        replace(one, quantity=whole[name])
        for name, one in by_line.items()
        if one.quantity.unit != whole[name].unit and whole[name].value > 0
    ]
    return replace(named, lines=tuple(lines))


def _owed(
    named: ReturnReceipt, sold: Sold, row: KnownReturn, refund: Refund, context: ReturnContext
) -> tuple[NewDelivery, ...]:
    """The ERP takes the goods in and credits them; the channel sends the money back where it goes the way it came."""
    body, ordered = encode(refund), _in_order_units(named, refund)
    came = context.tell(to_erp(sold, "item_receipt", "return_receipt", refund.refund_key, encode(ordered)))
    erp = (
        *(came if ordered.lines else ()),
        *context.tell(to_erp(sold, "credit_memo", "refund", refund.refund_key, body)),
    )
    if refund.resolution == "credit":
        return erp
    channel = NewDelivery(
        system=context.channel_system.get(row.channel, ""),
        operation="refund",
        object="refund",
        reference=refund.refund_key,
        body=body,
        # After the store knows what has left.
        key=f"order/{row.order_key}",
    )
    return (*context.tell(channel), *erp)


async def _write_receipts(conn: asyncpg.Connection, taken: Sequence[_Taken]) -> None:
    if not taken:
        return
    receipts: list[ReturnReceipt] = [one.item.document for one in taken]
    await conn.execute(
        SQL.write_receipts,
        [key_of(one) for one in receipts],
        [one.return_key for one in receipts],
        [one.location for one in receipts],
        [one.received_at for one in receipts],
        [one.refund.total.amount for one in taken],
        [one.refund.fee.amount if one.refund.fee is not None else 0 for one in taken],
        [one.refund.currency for one in taken],
        [one.item.claimed.id for one in taken],
    )


def _not_here(item: Translated, receipt: ReturnReceipt) -> CrossdockError:
    reason = f"return {receipt.return_key} is not here"
    if item.claimed.attempts < WAIT_FOR_RETURN:
        return RetryLater(f"{reason} yet", rule="return.known")
    fix = "put the key of the return that the goods came for, or take them into stock and dismiss this"
    return edit("return_key", "known", receipt.return_key, f"{reason}: nobody asked for these goods to come back", fix)
