# SPDX-License-Identifier: Apache-2.0
"""Price lists in memory, laid out so that the one that prices a line is found without looking at the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.price_list import PriceList
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "prices.sql")
_ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_TOLD = {
    "contract": "contract list {} of the customer",
    "group": "list {} of the customer's group",
    "channel": "list {} of the channel",
    "base": "base list {}",
}
read_list = msgspec.json.Decoder(PriceList).decode

Scope = tuple[str, str, str, str]
"""Whom a list is for: currency, customer, group, channel; "" = any."""


class ListFacts(Struct, frozen=True, kw_only=True, gc=False):
    """A price list without its prices. `since`, `until`: when it is in effect, `until` itself not any more. `kind`:
    contract, group, channel or base, the order in which lists are asked; `told`: the list in words."""

    id: str
    customer: str
    group: str
    channel: str
    taxes_included: bool
    since: datetime
    until: datetime
    kind: str
    told: str


class Offer(Struct, frozen=True, gc=False):
    """What one `unit` of a product costs by one list. `breaks`: (from quantity, price), the greatest first."""

    of: ListFacts
    unit: str
    price: Decimal
    breaks: tuple[tuple[Decimal, Decimal], ...] = ()


class PriceBook:
    """Every list that prices anything, as they stand at `stamp`."""

    def __init__(self, lists: Iterable[PriceList] = ()) -> None:
        self.stamp = -1
        self._scope_of: dict[str, tuple[Scope, tuple[str, ...]]] = {}
        self._offers: dict[Scope, dict[str, tuple[Offer, ...]]] = {}
        # When each list that has a beginning or an end takes effect, and until when.
        self._dated: dict[str, tuple[datetime, datetime]] = {}
        self._listeners: list[Callable[[Scope, Iterable[str]], None]] = []
        for one in lists:
            self.put(one)

    def __len__(self) -> int:
        return len(self._scope_of)

    def put(self, stated: PriceList) -> None:
        """Take a list over, in place of what was known of it."""
        self.drop(stated.price_list_id)
        if stated.status != "active":
            return
        kind = "contract" if stated.customer else "group" if stated.group else "channel" if stated.channel else "base"
        facts = ListFacts(
            id=stated.price_list_id,
            customer=stated.customer,
            group=stated.group,
            channel=stated.channel,
            taxes_included=stated.taxes_included,
            since=stated.effective_from or _ALWAYS[0],
            until=stated.effective_until or _ALWAYS[1],
            kind=kind,
            told=_TOLD[kind].format(stated.price_list_id),
        )
        scope = (stated.currency, stated.customer, stated.group, stated.channel)
        by_sku: dict[str, list[Offer]] = {}
        for entry in stated.entries:
            breaks = sorted(((one.from_quantity, _plain(one.price)) for one in entry.breaks), reverse=True)
            by_sku.setdefault(entry.sku, []).append(Offer(facts, entry.unit, _plain(entry.price), tuple(breaks)))
        offers = self._offers.setdefault(scope, {})
        for sku, added in by_sku.items():
            offers[sku] = tuple(sorted((*offers.get(sku, ()), *added), key=_turn))
        self._scope_of[facts.id] = (scope, tuple(by_sku))
        if (facts.since, facts.until) != _ALWAYS:
            self._dated[facts.id] = (facts.since, facts.until)
        self._tell(scope, by_sku)

    def drop(self, list_id: str) -> None:
        """Forget a list."""
        scope, skus = self._scope_of.pop(list_id, (("", "", "", ""), ()))
        offers = self._offers.get(scope, {})
        for sku in skus:
            left = tuple(offer for offer in offers[sku] if offer.of.id != list_id)
            if left:
                offers[sku] = left
            else:
                del offers[sku]
        if scope in self._offers and not offers:
            del self._offers[scope]
        self._dated.pop(list_id, None)
        self._tell(scope, skus)

    def listen(self, listener: Callable[[Scope, Iterable[str]], None]) -> None:
        """Tell `listener` from now on for whom a list is that came, changed or went, and which SKUs it prices."""
        self._listeners.append(listener)

    def turns(self, after: datetime, until: datetime) -> list[tuple[Scope, tuple[str, ...]]]:
        """Lists that take or lose effect later than `after` and no later than `until`: for whom each is, its SKUs."""
        return [self._scope_of[name] for name, turns in self._dated.items() if any(after < at <= until for at in turns)]

    def next_turn(self, after: datetime) -> datetime | None:
        """The first moment later than `after` at which a list takes or loses effect; None when none will."""
        coming = (at for turns in self._dated.values() for at in turns if after < at < _ALWAYS[1])
        return min(coming, default=None)

    def _tell(self, scope: Scope, skus: Iterable[str]) -> None:
        for listener in self._listeners:
            listener(scope, skus)

    def scopes(self, currency: str, customer: str, group: str, channel: str) -> list[dict[str, tuple[Offer, ...]]]:
        """What lists for this customer offer, SKU → offers, by scope: contract, group, channel, base. Of each, those
        for the channel alone come first."""
        holders = [("", "")]
        if group:
            holders.insert(0, ("", group))
        if customer:
            holders.insert(0, (customer, ""))
        places = (channel, "") if channel else ("",)
        wanted = ((currency, *holder, place) for holder in holders for place in places)
        return [self._offers[scope] for scope in wanted if scope in self._offers]

    async def refresh(self, conn: asyncpg.Connection, stamp: int) -> None:
        """Read what changed up to `stamp`, the newest that the database has."""
        if stamp == self.stamp:
            return
        for row in await conn.fetch(SQL.lists_since, self.stamp):
            self.put(read_list(row["body"]))
            stamp = max(stamp, row["stamp"])
        self.stamp = stamp


def _plain(price: Decimal) -> Decimal:
    """The same number without an exponent above zero, so that 1E+2 is told as 100."""
    exponent = price.as_tuple().exponent
    return price.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else price


def _turn(offer: Offer) -> tuple[float, str, str]:
    """Within a scope the list that took effect last comes first, then the first by name."""
    since = offer.of.since
    return -since.timestamp() if since > _ALWAYS[0] else float("inf"), offer.of.id, offer.unit
