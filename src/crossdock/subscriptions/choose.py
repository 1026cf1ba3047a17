# SPDX-License-Identifier: Apache-2.0
"""Which events a subscription is told of: by type, and by channel and customer where the event has them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from crossdock.errors import Refused

MOST_TYPES: Final = 50
MOST_NAMES: Final = 1000
_PATTERN = re.compile(r"\*|[a-z][a-z_]*(\.[a-z][a-z_]*)*(\.\*)?")
# Keys that say the channel: order/CHANNEL/NUMBER, return/CHANNEL/ID.
_BY_CHANNEL = ("order/", "return/", "availability/")
# Events about subscriptions themselves are on the bus only: they tell of other consumers.
_INTERNAL = "subscription."


class Wanted(Struct, frozen=True):
    """What a subscription wants. None: of every channel (customer), and events that have none."""

    types: Sequence[str]
    channels: Collection[str] | None = None
    customers: Collection[str] | None = None

    def takes(self, kind: str, channel: str, customer: str) -> bool:
        """Whether an event of type `kind` is told; "" = the event has no channel or customer, and is not told to who
        asked for some."""
        if kind.startswith(_INTERNAL) or not any(fits(one, kind) for one in self.types):
            return False
        if self.channels is not None and channel not in self.channels:
            return False
        return self.customers is None or customer in self.customers


def fits(pattern: str, kind: str) -> bool:
    """Whether event type `kind` is one of `pattern`: itself, everything below it with .*, or * for all."""
    return pattern in ("*", kind) or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))


def likes(patterns: Iterable[str]) -> list[str]:
    """The patterns as SQL's LIKE has them."""
    return sorted({one.replace("_", r"\_").replace("*", "%") for one in patterns})


def check_types(types: Sequence[str], known: Iterable[str]) -> None:
    """Raise Refused naming every pattern that is none, or that fits no event there is."""
    kinds = list(known)
    wrong = [
        Refused(
            f"{one[:100]!r} names no event",
            field=f"types[{place}]",
            rule="subscription.types",
            fix="use an event's name, NAME.* or *; see /asyncapi.json for what there is",
        )
        for place, one in enumerate(types)
        if not _PATTERN.fullmatch(one) or not any(fits(one, kind) for kind in kinds if not kind.startswith(_INTERNAL))
    ]
    if wrong:
        raise Refused.of(wrong)


class _Facts(Struct):
    channel: Any = ""
    customer_id: Any = ""


_FACTS = msgspec.json.Decoder(_Facts)


def facts_of(key: str, data: bytes) -> tuple[str, str]:
    """The channel and the customer that an event says it is of; "" where it says none."""
    try:
        said = _FACTS.decode(data)
    except msgspec.DecodeError:
        said = _Facts()
    channel = said.channel if isinstance(said.channel, str) else ""
    if not channel and key.startswith(_BY_CHANNEL):
        channel = key.split("/", 2)[1]
    return channel, said.customer_id if isinstance(said.customer_id, str) else ""
