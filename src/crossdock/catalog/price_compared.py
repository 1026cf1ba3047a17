# SPDX-License-Identifier: Apache-2.0
"""What a comparison of prices is about, and how a difference is judged: a pure function of both sides' prices."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from crossdock.catalog.cache import ProductFacts
from crossdock.sdk.listing import ListedPrice, PriceLister

PriceClass = Literal["missing", "different", "stale", "unknown", "in_flight"]
PriceAction = Literal["", "told_again", "left"]


class ComparedPrices(Struct, frozen=True, kw_only=True):
    """A system that can be asked for its prices. `channel`: the one that shows them, "" = an ERP's base prices, which
    are in `currency`. `skus`: the most a call may ask for; `pause`: seconds between calls, so that comparing takes a
    small share of the system's rate."""

    name: str
    channel: str
    currency: str
    lister: PriceLister
    skus: int = 25
    pause: float = 0.0


class OurPrice(Struct, frozen=True, kw_only=True, gc=False):
    """What a channel is to show of a SKU, what it was told last and what it said to that."""

    wanted: Decimal | None
    told: Decimal | None
    currency: str
    wanted_at: datetime
    told_at: datetime | None
    problem: str = ""
    refusals: int = 0


class PriceDifference(Struct, kw_only=True, gc=False):
    """A SKU that a system shows another price of than it should. `ours` None: there is no price; `theirs` None: it
    lists none. `units` were sold in thirty days (not cancelled), `money` is what the difference comes to for them."""

    system: str
    channel: str
    sku: str
    ours: Decimal | None
    theirs: Decimal | None
    currency: str
    kind: PriceClass
    reason: str
    action: PriceAction = ""
    units: Decimal = Decimal(0)
    money: Decimal | None = None


def judge_shown(
    system: ComparedPrices, sku: str, ours: OurPrice | None, theirs: ListedPrice | None, asked_at: datetime
) -> PriceDifference | None:
    """How what a channel shows differs from what it should; None when it does not."""
    wanted = ours.wanted if ours is not None else None
    if theirs is None and wanted is None:
        return None
    found = PriceDifference(
        system=system.name,
        channel=system.channel,
        sku=sku,
        ours=wanted,
        theirs=theirs.price if theirs is not None else None,
        currency=ours.currency if ours is not None else system.currency,
        kind="different",
        reason="",
    )
    if ours is None or wanted is None:
        found.kind, found.action = "unknown", "left"
        found.reason = "nothing says what it costs there: price it here, or take it off there"
    elif theirs is not None and theirs.price == wanted and theirs.currency in ("", ours.currency):
        return None
    elif max(ours.wanted_at, ours.told_at or ours.wanted_at) > asked_at:
        found.kind, found.reason = "in_flight", "it changed while they were asked"
    elif ours.refusals:
        found.kind = "missing" if theirs is None else "stale"
        found.reason, found.action = f"the channel refuses it: {ours.problem}", "left"
    elif ours.told != wanted:
        found.kind, found.reason = ("missing" if theirs is None else "stale"), "it is still to be told"
    elif theirs is None:
        found.kind, found.reason, found.action = "missing", "it was told and is not listed", "told_again"
    elif theirs.currency not in ("", ours.currency):
        found.reason, found.action = f"it is shown in {theirs.currency}", "told_again"
    else:
        found.reason, found.action = "it was told another price than it shows", "told_again"
    return found


def judge_base(
    system: ComparedPrices, sku: str, product: ProductFacts, theirs: ListedPrice | None
) -> PriceDifference | None:
    """How an ERP's base price differs from the product's own here; None when it does not, or the product is retired or
    has its price in another currency."""
    own = product.price
    if not product.active or (own is not None and own.currency != system.currency):
        return None
    ours = own.amount if own is not None else None
    if (theirs.price if theirs is not None else None) == ours or (theirs is None and ours == 0):
        return None
    kind: PriceClass = "missing" if theirs is None else "unknown" if ours is None else "different"
    reasons = {
        "missing": "the ERP has no price of it",
        "unknown": "the product has no price here",
        "different": "the product has another price here",
    }
    return PriceDifference(
        system=system.name,
        channel="",
        sku=sku,
        ours=ours,
        theirs=theirs.price if theirs is not None else None,
        currency=system.currency,
        kind=kind,
        reason=f"{reasons[kind]}: have the ERP send it again, or correct it there",
        action="left",
    )
