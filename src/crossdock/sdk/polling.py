# SPDX-License-Identifier: Apache-2.0
"""What a connector may implement besides: say what changed in its system, page by page (Polling Consumer)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import Struct

from crossdock.errors import RetryLater

# What reading an answer may raise when it is not in the form that was agreed on.
UNREADABLE = (msgspec.DecodeError, ValueError, ArithmeticError)


class Polled(Struct, frozen=True, kw_only=True, gc=False):
    """A document as its system has it now.

    `dedup_key` names this state of it, the same whenever it is read again; `key`: the business key
    ("invoice/netsuite/1001"); `version` grows with every change; `problem`: why it could not be read (it is kept and
    becomes a case).
    """

    dedup_key: str
    key: str
    version: int
    body: bytes
    problem: str = ""


class PolledPage(Struct, frozen=True, kw_only=True):
    """Some of what changed, the longest unchanged first. `reached`: the time of change of the last thing that was
    looked at, one that made no document too; None on an empty page. `next`: what the page after it is asked for with,
    "" = this was the last."""

    items: tuple[Polled, ...]
    reached: datetime | None
    next: str = ""


class Poller(Protocol):
    """A system that can be asked what changed. Keeps no state between pages but its connection."""

    async def page(self, topic: str, since: datetime, after: str = "") -> PolledPage:
        """A page of what of `topic` changed at or after `since`, in order of the time of change.

        What is changed while pages are read comes again with its new time. Raises RetryLater (away, throttled, an
        unreadable answer) or NeedsConfig (credentials, address).
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


def unreadable(whose: str, error: Exception) -> RetryLater:
    """The error for an answer of `whose` that could not be read; asking has no effect, so it is asked again."""
    return RetryLater(f"{whose} answer could not be read: {error}", rule="answer")
