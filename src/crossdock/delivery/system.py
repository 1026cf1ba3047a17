# SPDX-License-Identifier: Apache-2.0
"""A system as delivery sees it, and an item under way to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from crossdock.catalog.shown import PriceRule
from crossdock.errors import NeedsEdit
from crossdock.inventory.rules import ChannelRule
from crossdock.sdk.manifest import Limits, Sends
from crossdock.sdk.sending import Outcome, Outgoing, Sender


class System(Struct, frozen=True, kw_only=True):
    """A system that we send to. `channel`: the one whose stock it is told; `prices`: which it is told. None: it is told
    none."""

    name: str
    sender: Sender
    operations: Mapping[str, Sends]
    limits: Limits
    channel: ChannelRule | None = None
    prices: PriceRule | None = None

    @property
    def needs_known(self) -> list[str]:
        """Operations for which references given back earlier are read."""
        return [name for name, sends in self.operations.items() if sends.known]


class Item(Struct, frozen=True, kw_only=True):
    """A delivery that we have claimed. `look_first`: an earlier try may have had its effect. `claim_id`: its claim.
    `problem`: why it cannot be sent at all."""

    outgoing: Outgoing
    document_id: int
    interface: str
    object: str
    key: str
    look_first: bool
    claim_id: int
    problem: NeedsEdit | None = None


class Tried(Struct, frozen=True, kw_only=True):
    """How a try of an item ended."""

    item: Item
    outcome: Outcome
    started: datetime
    finished: datetime
