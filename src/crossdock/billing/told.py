# SPDX-License-Identifier: Apache-2.0
"""Who is told of an invoice or a payment: the order's store, its ERP, and systems that serve all (a CRM)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from crossdock.billing.known import BilledOrder
from crossdock.journal.decided import NewDelivery


class Listeners(Struct, frozen=True, kw_only=True):
    """Who can be told of what. `outgoing`: (system, operation) → interface; `channel_system`: channel → its system;
    `erps`: the systems that keep an entity's books."""

    outgoing: Mapping[tuple[str, str], str]
    channel_system: Mapping[str, str]
    erps: frozenset[str]

    def told(self, operation: str, order: BilledOrder, reference: str, source: str) -> tuple[NewDelivery, ...]:
        """What is owed of a document of `order` that came from `source`: to each system that the estate lets be told
        of it by `operation`, except other channels' and other entities', and the one that said it."""
        mine = {self.channel_system.get(order.channel, ""), order.erp}
        others = {*self.channel_system.values(), *self.erps} - mine
        return tuple(
            NewDelivery(system=system, operation=operation, object=operation, reference=reference)
            for system, can in sorted(self.outgoing)
            if can == operation and system not in others and system != source
        )
