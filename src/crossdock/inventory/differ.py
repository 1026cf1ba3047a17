# SPDX-License-Identifier: Apache-2.0
"""Decide on differences that a comparison found: take over their figure as a count, leave ours, or ask a person."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.canonical.stock import Counted, StockCount, StockDifference
from crossdock.errors import NeedsEdit
from crossdock.inventory.level import ZERO, Pair
from crossdock.journal.decided import Decided, Translated

SOURCE = "reconcile"

_FIXES = {
    "in_flight": "compare again, then dismiss it",
    "late_message": "compare again, then dismiss it",
    "missed_movement": "have what is missing sent again, or put take: theirs to enter their figure as a count",
    "unit_mismatch": "give the product the unit with what it holds, or have them correct theirs; then dismiss it",
    "phantom": "have it counted; put take: theirs to enter their figure as a count, or dismiss it when ours is right",
}


def asks(document: StockDifference) -> NeedsEdit | None:
    """Why a person has to look at a difference; None when it says what to take."""
    if document.take == "theirs" and document.what == "available":
        return NeedsEdit(
            "what a channel shows cannot be taken over: it follows from our stock",
            field="take",
            rule="stock.difference.take",
            value=document.take,
            fix="put take: ours to have the channel told again",
        )
    wrong = _untakable(document) if document.take == "theirs" else ""
    if wrong:
        return NeedsEdit(
            wrong,
            field="theirs",
            rule="stock.difference.take",
            value=document.theirs,
            fix="put the quantity that is there in `theirs`",
        )
    if document.take:
        return None
    return NeedsEdit(
        _said(document),
        field="take",
        rule=f"stock.difference.{document.difference}",
        value=_figure(_amount(document)),
        fix=_fix(document),
    )


def counts_of(batch: Sequence[Translated]) -> list[Translated]:
    """The counts that differences of `batch` stand for: those of goods where their figure is to be taken."""
    return [
        Translated(
            claimed=item.claimed, kind="stock_count", document=_count(item.document), body=b"", made_by=item.made_by
        )
        for item in batch
        if _counted(item.document)
    ]


def decide_differences(batch: Sequence[Translated], counted: Sequence[Decided]) -> list[Decided]:
    """The decision on each difference, in order. `counted`: those on `counts_of(batch)`."""
    taken = iter(counted)
    return [_decide(item.document, next(taken) if _counted(item.document) else None) for item in batch]


def told_again(batch: Sequence[Translated]) -> dict[str, list[Pair]]:
    """What a person wants channels told again: (SKU, location) by system."""
    found: dict[str, list[Pair]] = {}
    for item in batch:
        one: StockDifference = item.document
        if one.what == "available" and one.take == "ours" and one.difference != "in_flight":
            found.setdefault(one.system, []).append((one.sku, one.location))
    return found


def _decide(document: StockDifference, counted: Decided | None) -> Decided:
    error = asks(document)
    if error is not None:
        price = document.price
        money = None if price is None else price.amount * abs(_amount(document))
        return Decided(error=error, money=money, currency=price.currency if price is not None else "")
    if counted is not None:
        # What the count could not take is what is wrong with the difference: it is about one SKU.
        return Decided(error=counted.parts[0].error) if counted.parts else counted
    return Decided(accepted=True, note=document.reason or "ours stays")


def _counted(document: StockDifference) -> bool:
    return document.what == "on_hand" and document.take == "theirs" and asks(document) is None


def _count(document: StockDifference) -> StockCount:
    return StockCount(
        count_id=f"{document.run}/{document.system}/{document.sku}@{document.location}",
        source=SOURCE,
        location=document.location,
        as_of=document.as_of,
        entries=(Counted(sku=document.sku, quantity=Quantity(document.theirs or ZERO, document.unit)),),
    )


def _untakable(document: StockDifference) -> str:
    """Why their figure cannot be entered as a count, "" when it can."""
    theirs, unit = document.theirs, document.unit
    if theirs is None:
        return f"{document.system} does not list the SKU, so there is no figure to take"
    if not theirs.is_finite():
        return f"{theirs} is no quantity"
    if theirs < 0:
        return f"{document.system} has {_figure(theirs)} of it, and goods cannot be fewer than none"
    if unit in WHOLE_UNITS and theirs != theirs.to_integral_value():
        return f"{document.system} has {_figure(theirs)} of it, and there are no parts of {unit}"
    return ""


def _amount(document: StockDifference) -> Decimal:
    return (document.theirs or ZERO) - (document.ours or ZERO)


def _said(document: StockDifference) -> str:
    ours = "none" if document.ours is None else _figure(document.ours)
    theirs = "does not list it" if document.theirs is None else f"has {_figure(document.theirs)}"
    at = f" at {document.location}" if document.location else ""
    if document.what == "available":
        theirs = theirs.replace("has", "shows")
        return f"{document.system} {theirs} of {document.sku}{at} and was told {ours}: {document.reason}"
    return f"{document.system} {theirs} {document.unit} of {document.sku}{at} and we have {ours}: {document.reason}"


def _fix(document: StockDifference) -> str:
    if document.what == "available":
        return "look at the channel; put take: ours to have it told again"
    return _FIXES[document.difference]


def _figure(value: Decimal) -> str:
    return f"{value.normalize():f}"
