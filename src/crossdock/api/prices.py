# SPDX-License-Identifier: Apache-2.0
"""What something costs: `POST /v1/prices:quote`. Answered from memory, with its age; a plain ASGI handler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from crossdock.api.plain import NotAllowed, Receive, Scope, Send, answer, not_found, read_json
from crossdock.api.price_question import MOST_BODY, Asker, PricedChannel, in_our_words, question_of
from crossdock.canonical.objects import encode
from crossdock.catalog.memory import CatalogMemory
from crossdock.catalog.price import quote
from crossdock.catalog.priced import PricedLine
from crossdock.errors import EngineAway
from crossdock.governance.caller import caller_of
from crossdock.runtime.clock import now

PATH = "/v1/prices:quote"
_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


class PriceAnswer(Struct, frozen=True, kw_only=True):
    """What was asked for costs this. `total`: the sum of the lines that have a price; `complete`: every line has one.

    `age_seconds`: how old the lists were when it was answered, also in the header `Age` (whole seconds); `stale`: older
    than the estate allows, because the database is away.
    """

    customer: str
    channel: str
    currency: str
    at: datetime
    age_seconds: float
    stale: bool
    complete: bool
    total: Decimal
    lines: list[PricedLine]


class PricesHandler:
    """Prices by `memory`, whose catalog has a book, on `channels`."""

    def __init__(self, memory: CatalogMemory, channels: Mapping[str, PricedChannel], stale_after: timedelta) -> None:
        self._memory = memory
        self._channels = channels
        self._stale_after = stale_after.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors are raised, see `api.plain.answering`."""
        if scope["path"] != PATH:
            raise not_found(scope)
        if scope["method"] != "POST":
            raise NotAllowed(scope["method"], "POST")
        asked = question_of(await read_json(scope, receive, MOST_BODY))
        age, catalog = self._memory.age, self._memory.catalog
        if age is None or catalog.book is None:
            raise EngineAway("prices are not in memory yet")
        question = in_our_words(asked, Asker(caller_of(scope), now(), self._channels), catalog)
        lines = quote(catalog.book, catalog.products, question.asked, question.lines, question.explain)
        totals = [line.total for line in lines if line.total is not None]
        told = PriceAnswer(
            customer=question.asked.customer,
            channel=question.asked.channel,
            currency=question.asked.currency,
            at=question.asked.at,
            age_seconds=round(age, 3),
            stale=age > self._stale_after,
            complete=len(totals) == len(lines),
            total=sum(totals, Decimal(0)),
            lines=lines,
        )
        await answer(send, 200, encode(told), [*_HEADERS, (b"age", b"%d" % age)])
