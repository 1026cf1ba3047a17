# SPDX-License-Identifier: Apache-2.0
"""Send a batch through a connector: look first where an earlier outcome is unknown, and never let an error escape."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from crossdock.delivery.judge import LOOK_FAILED
from crossdock.delivery.system import Item, System, Tried
from crossdock.errors import CrossdockError, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing

log = structlog.get_logger(__name__)


async def send(system: System, operation: str, items: Sequence[Item]) -> list[Tried]:
    """Try every item of one operation once; outcomes in the same order. Raises nothing but cancellation."""
    started = now()
    outcomes: dict[int, Outcome] = {}
    unclear = [item for item in items if item.look_first]
    if unclear:
        outcomes.update(await _look(system, operation, unclear))
    rest = [item for item in items if item.outgoing.delivery_id not in outcomes]
    if rest:
        sent = await ask(system, operation, [item.outgoing for item in rest])
        outcomes.update(zip([item.outgoing.delivery_id for item in rest], sent, strict=True))
    finished = now()
    return [
        Tried(item=item, outcome=outcomes[item.outgoing.delivery_id], started=started, finished=finished)
        for item in items
    ]


async def ask(system: System, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
    """The sender's outcomes for `batch`. Should the connector itself fail, all are unknown: it may have sent."""
    try:
        outcomes = await system.sender.send(operation, batch)
        if len(outcomes) != len(batch):
            raise RuntimeError(f"it returned {len(outcomes)} outcomes for {len(batch)} items")
    except Exception as error:  # edge: a connector's bug must not stop its system
        log.exception("delivery.sender_failed", system=system.name, operation=operation)
        unknown = Failed(error=OutcomeUnknown(f"the connector failed: {type(error).__name__}: {error}"))
        return [unknown] * len(batch)
    return outcomes


async def _look(system: System, operation: str, items: Sequence[Item]) -> dict[int, Outcome]:
    """What the system already has of `items`; when it cannot tell, they are tried again later and nothing is sent."""
    try:
        found = await system.sender.find(operation, [item.outgoing for item in items])
    except Exception as error:  # edge: whatever keeps us from looking, nothing is sent without having looked
        why = error.reason if isinstance(error, CrossdockError) else f"{type(error).__name__}: {error}"
        log.warning("delivery.look_failed", system=system.name, operation=operation, reason=why)
        after, throttled = (error.after, error.throttled) if isinstance(error, RetryLater) else (None, False)
        later = RetryLater(
            f"could not look whether it arrived: {why}", after=after, throttled=throttled, rule=LOOK_FAILED
        )
        return {item.outgoing.delivery_id: Failed(error=later) for item in items}
    return {
        item.outgoing.delivery_id: Delivered(reference=one.reference, exchange=one.exchange)
        for item, one in zip(items, found, strict=True)
        if one is not None
    }
