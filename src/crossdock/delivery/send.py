# SPDX-License-Identifier: Apache-2.0
"""Send a batch through a connector: look first where an earlier outcome is unknown, and never let an error escape."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from crossdock.delivery.system import Item, System, Tried
from crossdock.errors import CrossdockError, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.sdk.sending import Delivered, Failed, Outcome

log = structlog.get_logger(__name__)


async def send(system: System, operation: str, items: Sequence[Item]) -> list[Tried]:
    """Try every item of one operation once; outcomes in the same order. Raises nothing but cancellation."""
    started = now()
    outcomes: dict[int, Outcome] = {}
    unclear = [item for item in items if item.look_first]
    try:
        if unclear:
            outcomes.update(await _look(system, operation, unclear))
        rest = [item for item in items if item.outgoing.delivery_id not in outcomes]
        if rest:
            sent = await system.sender.send(operation, [item.outgoing for item in rest])
            if len(sent) != len(rest):
                raise RuntimeError(f"sender of {system.name} returned {len(sent)} outcomes for {len(rest)} items")
            outcomes.update(zip([item.outgoing.delivery_id for item in rest], sent, strict=True))
    except (
        Exception
    ) as error:  # edge: a connector's bug must not stop its system; the item is looked for, then tried again
        log.exception("delivery.sender_failed", system=system.name, operation=operation)
        unknown = Failed(error=OutcomeUnknown(f"the connector failed: {type(error).__name__}: {error}"))
        for item in items:
            outcomes.setdefault(item.outgoing.delivery_id, unknown)
    finished = now()
    return [
        Tried(item=item, outcome=outcomes[item.outgoing.delivery_id], started=started, finished=finished)
        for item in items
    ]


async def _look(system: System, operation: str, items: Sequence[Item]) -> dict[int, Outcome]:
    """What the system already has of `items`; when it cannot tell, they are tried again later and nothing is sent."""
    try:
        found = await system.sender.find(operation, [item.outgoing for item in items])
    except CrossdockError as error:
        later = RetryLater(f"could not look whether it arrived: {error.reason}", rule="look_failed")
        return {item.outgoing.delivery_id: Failed(error=later) for item in items}
    return {
        item.outgoing.delivery_id: Delivered(reference=one.reference, exchange=one.exchange)
        for item, one in zip(items, found, strict=True)
        if one is not None
    }
