# SPDX-License-Identifier: Apache-2.0
"""What a channel may sell: `GET /v1/availability`, `POST /v1/availability:batch`. Answered from memory, with its age.

A plain ASGI handler. The bytes of each SKU's answer are kept until a level behind it changes; what the database must be
asked for is an explanation's past and what channels were told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.api.availability_question import (
    MOST_BODY,
    Question,
    channel_of,
    check_known,
    of_body,
    of_query,
)
from crossdock.api.plain import HeaderList, NotAllowed, Receive, Scope, Send, answer, not_found, read_json
from crossdock.canonical.objects import encode
from crossdock.errors import EngineAway
from crossdock.governance.caller import caller_of
from crossdock.inventory.bounded import BoundedView
from crossdock.inventory.item import AvailabilityItem, Besides, item_of
from crossdock.inventory.memory import StockMemory
from crossdock.inventory.past import past_levels
from crossdock.inventory.rules import ChannelRule
from crossdock.inventory.substitutes import offered
from crossdock.inventory.told import besides_now, told_at
from crossdock.inventory.view import StockView
from crossdock.runtime.postgres import away

PATH = "/v1/availability"
BATCH_PATH = "/v1/availability:batch"
# About 400 bytes each.
MOST_KEPT = 200_000
_PATIENCE = 2.0
_JSON = (b"content-type", b"application/json")
# The question asked most, of one SKU whose name needs no decoding, is answered without more ado.
_ONE_SKU = re.compile(rb"channel=([A-Za-z0-9._-]+)&sku=([A-Za-z0-9._-]+)")
# Kept by whoever asks, and asked again with If-None-Match: the number may be another the next moment.
_REVALIDATE = (b"cache-control", b"no-cache")


class AvailabilityAnswer(Struct, frozen=True, kw_only=True):
    """The answer to a question about availability: what was known at `as_of`.

    `age_seconds`: how old that was when it was answered, also in the header `Age` (whole seconds); `stale`: older than
    the estate allows, because the database or the bus is away. Of the past: age 0, never stale.
    """

    channel: str
    as_of: datetime
    age_seconds: float
    stale: bool
    items: list[AvailabilityItem]


class _Kept(Struct, frozen=True, gc=False):
    """An item as it is sent, its ETag, and how many are available."""

    item: bytes
    tag: bytes
    available: Decimal


_NOTHING: dict[str, _Kept] = {}


class AvailabilityHandler:
    """Answers from `memory`; keeps encoded items until it is told that they `changed`."""

    def __init__(self, view: BoundedView, pool: asyncpg.Pool) -> None:
        self._view = view
        self._pool = pool
        self._memory: StockMemory | None = None
        self._kept: dict[str, dict[str, _Kept]] = {name: {} for name in view.rules.channels}
        self._number = 0
        self._instead_of: Mapping[str, set[str]] = {}
        self._instead_version: int | None = None
        self._stale_after = view.rules.stale_after.total_seconds()

    @property
    def view(self) -> BoundedView:
        """What answers are made from."""
        return self._view

    async def have(self, skus: Collection[str]) -> tuple[float, bool]:
        """Make sure that what there is of `skus`, which the catalog has, is in the view; how old that is, and whether
        it is stale. EngineAway when it is not in memory and cannot be read."""
        self._fresh()
        await self._fetch(list(skus))
        _, age = self._fresh()
        return age, age > self._stale_after

    def available(self, channel: ChannelRule, sku: str) -> Decimal:
        """What `channel` may sell now of a SKU that the catalog has, and that it was asked to `have`."""
        kept = self._kept[channel.name] if self._view.whole else {}
        return self._item(kept, channel, sku).available

    def remember(self, memory: StockMemory) -> None:
        """Say the age of what `memory` keeps up."""
        self._memory = memory

    def changed(self, skus: Collection[str] | None) -> None:
        """Forget what was kept of these SKUs and of those they could replace; None: of all."""
        catalog = self._view.catalog
        if self._instead_version != catalog.version:
            self._instead_version, skus = catalog.version, None
            self._instead_of = _instead_of(self._view)
        if skus is None:
            self._forget_all()
            return
        affected = set(skus)
        if self._instead_of:
            for sku in skus:
                affected |= self._instead_of.get(sku, set())
        for kept in self._kept.values():
            for sku in affected:
                if kept.pop(sku, None) is not None:
                    self._number -= 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors are raised, see `api.plain.answering`."""
        path = scope["path"]
        if path == PATH:
            if scope["method"] != "GET":
                raise NotAllowed(scope["method"], "GET")
            query = scope["query_string"]
            one = _ONE_SKU.fullmatch(query)
            if one is not None:
                channel_name, sku = one[1].decode(), one[2].decode()
                kept = self._kept.get(channel_name, _NOTHING).get(sku)
                if kept is not None and self._view.whole and caller_of(scope).sees_channel(channel_name):
                    at, age = self._fresh()
                    await _answer(scope, send, channel_name, at, (kept.item, kept.tag), (age, age > self._stale_after))
                    return
            question = of_query(query)
        elif path == BATCH_PATH:
            if scope["method"] != "POST":
                raise NotAllowed(scope["method"], "POST")
            question = of_body(await read_json(scope, receive, MOST_BODY))
        else:
            raise not_found(scope)
        channel = channel_of(question, self._view.rules.channels, caller_of(scope))
        if question.at is not None:
            await self._past(question.at, question, channel, scope, send)
        else:
            await self._now(question, channel, scope, send)

    async def _now(self, question: Question, channel: ChannelRule, scope: Scope, send: Send) -> None:
        self._fresh()
        # Of what is read when it is asked for, changes may not be heard.
        kept = self._kept[channel.name] if self._view.whole else {}
        if question.explain or not all(sku in kept for sku in question.skus):
            check_known(question, self._view.catalog.products)
            await self._fetch(question.skus)
        if question.explain:
            items = await self._explained(question, channel)
        else:
            items = [self._item(kept, channel, sku).item for sku in question.skus]
        # What was read meanwhile is newer, never older.
        at, age = self._fresh()
        await _answer(scope, send, channel.name, at, _joined(channel.name, items), (age, age > self._stale_after))

    def _fresh(self) -> tuple[datetime, float]:
        """Up to when everything is known, and how many seconds ago that is. EngineAway before it was read once."""
        memory = self._memory
        age = memory.age if memory is not None else None
        if memory is None or memory.fresh_at is None or age is None:
            raise EngineAway("availability is not in memory yet")
        return memory.fresh_at, age

    async def _past(self, at: datetime, question: Question, channel: ChannelRule, scope: Scope, send: Send) -> None:
        products = self._view.catalog.products
        check_known(question, products)
        view = StockView(self._view.rules, self._view.catalog)
        parts = {part for sku in self._with_offered(question.skus) for part in products[sku].components or (sku,)}
        with away():
            async with self._pool.acquire(timeout=_PATIENCE) as conn:
                view.apply(await past_levels(conn, sorted(parts), at))
                told = await told_at(conn, question.skus, at)
        items = []
        for sku in question.skus:
            besides = Besides(told=told.get(sku, ()))
            item = item_of(view, channel, sku, besides)
            items.append(encode(item if question.explain else msgspec.structs.replace(item, explanation=())))
        await _answer(scope, send, channel.name, at, _joined(channel.name, items), (0.0, False))

    async def _explained(self, question: Question, channel: ChannelRule) -> list[bytes]:
        try:
            with away():
                async with self._pool.acquire(timeout=_PATIENCE) as conn:
                    besides = await besides_now(conn, channel, question.skus)
        except EngineAway:
            reason = Besides(left_out="what the channel was told and what is expected: the database is away")
            besides = dict.fromkeys(question.skus, reason)
        return [encode(item_of(self._view, channel, sku, besides[sku])) for sku in question.skus]

    def _item(self, kept: dict[str, _Kept], channel: ChannelRule, sku: str) -> _Kept:
        item = kept.get(sku)
        if item is None:
            made = item_of(self._view, channel, sku)
            item = _Kept(*_joined(channel.name, [encode(made)]), made.available)
            if self._number >= MOST_KEPT:
                self._forget_all()
            if self._view.whole:
                kept[sku] = item
                self._number += 1
        return item

    def _forget_all(self) -> None:
        for kept in self._kept.values():
            kept.clear()
        self._number = 0

    async def _fetch(self, skus: Sequence[str]) -> None:
        if not self._view.whole and self._memory is not None:
            missing = self._view.missing(self._with_offered(skus))
            if missing:
                await self._memory.fetch(missing)

    def _with_offered(self, skus: Sequence[str]) -> list[str]:
        return [*skus, *(other for sku in skus for other in offered(self._view.catalog.products, sku))]


def _joined(channel: str, items: list[bytes]) -> tuple[bytes, bytes]:
    """Items as they are sent, and their ETag."""
    whole = items[0] if len(items) == 1 else b",".join(items)
    return whole, b'W/"%s"' % blake2b(whole, digest_size=9, key=channel.encode()[:64]).hexdigest().encode()


async def _answer(
    scope: Scope, send: Send, channel: str, at: datetime, items: tuple[bytes, bytes], aged: tuple[float, bool]
) -> None:
    whole, tag = items
    age, stale = aged
    headers: HeaderList = [_JSON, _REVALIDATE, (b"etag", tag), (b"age", b"%d" % age)]
    for name, value in scope["headers"]:
        if name == b"if-none-match" and tag in value:
            await send({"type": "http.response.start", "status": 304, "headers": headers[1:]})
            await send({"type": "http.response.body", "body": b""})
            return
    body = b'%s%.3f,"stale":%s,"items":[%s]}' % (_head(channel, at), age, b"true" if stale else b"false", whole)
    await answer(send, 200, body, headers)


@lru_cache(maxsize=64)
def _head(channel: str, at: datetime) -> bytes:
    moment = at.isoformat().replace("+00:00", "Z").encode()
    return b'{"channel":%s,"as_of":"%s","age_seconds":' % (encode(channel), moment)


def _instead_of(view: StockView) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for sku, product in view.catalog.products.items():
        for other in product.substitutes:
            found.setdefault(other, set()).add(sku)
    return found
