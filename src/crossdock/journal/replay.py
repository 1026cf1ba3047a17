# SPDX-License-Identifier: Apache-2.0
"""Read events of the stream again: from a time or a number in it on, of one kind or one SKU."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from msgspec import Struct

from crossdock.errors import EngineAway, Refused
from crossdock.journal.outbox import STREAM, SUBJECTS, subject_of
from crossdock.runtime.bus_messages import Received
from crossdock.runtime.nats import Bus

PAGE = 500
POLL_SECONDS = 0.25
AWAY_SECONDS = 0.5
_KIND = re.compile(r"[a-z_]+(\.[a-z_]+){0,3}")
_LEVELS = "inventory.level.changed"
# Kinds of events that are about one SKU.
_OF_SKUS = (_LEVELS, "availability.changed")


class Wanted(Struct, frozen=True, kw_only=True):
    """Which events: behind number `after`, or stored `since`; of a `kind` ("sales_order", "sales_order.accepted") and
    about a `sku`, "" = all. `follow`: go on with what comes."""

    after: int = 0
    since: datetime | None = None
    kind: str = ""
    sku: str = ""
    follow: bool = False


class _Data(Struct):
    sku: str = ""


class _Event(Struct):
    data: _Data


_EVENT = msgspec.json.Decoder(_Event)


async def replay(bus: Bus, wanted: Wanted) -> AsyncIterator[Received]:
    """The events, in their order; ends with the newest, or never when it is to follow. Then an absent NATS is waited
    for, and nothing is left out; otherwise EngineAway. Refused for a kind that is no name."""
    subjects = subjects_of(wanted)
    after, since = wanted.after, wanted.since
    while True:
        try:
            reading = await bus.read(STREAM, subjects, after=after, since=since)
            try:
                while True:
                    messages = await reading.fetch(PAGE)
                    for message in messages:
                        after, since = message.sequence, None
                        if not wanted.sku or _sku(message) == wanted.sku:
                            yield message
                    if len(messages) < PAGE:
                        if not wanted.follow:
                            return
                        await asyncio.sleep(POLL_SECONDS)
            finally:
                await reading.close()
        except EngineAway:
            if not wanted.follow:
                raise
            await asyncio.sleep(AWAY_SECONDS)


def subjects_of(wanted: Wanted) -> list[str]:
    """The subjects on the bus under which what is wanted is published, and perhaps a little more."""
    if wanted.kind and not _KIND.fullmatch(wanted.kind):
        raise Refused(
            f"{wanted.kind[:100]!r} is no kind of event",
            field="--type",
            rule="event.kind",
            fix="see crossdock asyncapi",
        )
    if not wanted.sku:
        return [f"crossdock.events.{wanted.kind}.>"] if wanted.kind else list(SUBJECTS)
    kinds = [kind for kind in _OF_SKUS if f"{kind}.".startswith(f"{wanted.kind}." if wanted.kind else "")]
    if not kinds:
        reason = f"events of kind {wanted.kind} are about no single SKU"
        raise Refused(reason, field="--sku", rule="event.sku", fix=f"those are: {', '.join(_OF_SKUS)}")
    # A level's subject says its SKU and, in a token of its own, its location.
    exact = subject_of(_LEVELS, f"stock/{wanted.sku}@x").removesuffix("x") + "*"
    return [exact if kind == _LEVELS else f"crossdock.events.{kind}.>" for kind in kinds]


def _sku(message: Received) -> str:
    try:
        return _EVENT.decode(message.payload).data.sku
    except msgspec.DecodeError:
        return ""
