# SPDX-License-Identifier: Apache-2.0
"""Change a sales order call by call, each matched with an etag, until it says what it should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from crossdock.connectors.business_central.changes import Change
from crossdock.connectors.business_central.client import CallFailed, RestClient
from crossdock.connectors.business_central.errors import CHANGEABLE, CHANGED, RELEASED
from crossdock.connectors.business_central.stored import StoredOrder, find_order
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.sdk.http_status import error_for
from crossdock.sdk.sending import Exchange

# Every round does at least one call that the round before could not do.
_MOST_ROUNDS: Final = 20

Plan = Callable[[StoredOrder], Sequence[Change]]


async def settle(client: RestClient, reference: str, stored: StoredOrder, plans: Sequence[Plan]) -> Exchange | None:
    """Make the calls of each of `plans` until it has none; what travelled last, None when there were none.

    `reference` is ours of the order `stored`. Raises CallFailed, also with RetryLater when somebody else changes the
    order all the while.

    A call moves the etags of what hangs together with it: the order is read again and the rest planned anew. A plan
    that comes back as it was is done: Business Central writes a value in its own way.
    """
    exchange: Exchange | None = None
    for plan in plans:
        before: list[Any] = []
        for _ in range(_MOST_ROUNDS):
            planned = plan(stored)
            said = [change.said for change in planned]
            if not planned or said == before:
                break
            try:
                travelled, whole = await _carry_out(client, planned)
            except CallFailed as failed:
                raise _refusal(stored, failed) from failed
            exchange, before = travelled or exchange, said if whole else []
            again = await find_order(client, reference)
            if again is None:
                return exchange
            stored = again
        else:
            keeps = RetryLater("the sales order keeps changing while it is changed", rule="business_central.settle")
            raise CallFailed(keeps, exchange)
    return exchange


async def _carry_out(client: RestClient, planned: Sequence[Change]) -> tuple[Exchange | None, bool]:
    """What travelled last, and whether all of `planned` was done: it ends early where an earlier call moved an etag.

    Raises CallFailed, also when the very first call finds the order changed by somebody else.
    """
    exchange: Exchange | None = None
    for place, change in enumerate(planned):
        try:
            headers = {"If-Match": change.etag} if change.etag else {}
            reply = await client.record(change.method, change.path, body=change.body, headers=headers)
        except CallFailed as failed:
            if place and _moved(failed):
                return exchange, False
            raise
        if reply is not None:
            exchange = reply.exchange
    return exchange, True


def _refusal(stored: StoredOrder, failed: CallFailed) -> CallFailed:
    """`failed`, or that the order is released where that is why: no call of the API reopens one."""
    status = str(stored.header.get("status") or "")
    if status in CHANGEABLE or not isinstance(failed.error, NeedsEdit):
        return failed
    error = error_for(RELEASED, detail=failed.error.reason, field="status", rule=failed.code, value=status)
    return CallFailed(error, failed.exchange, failed.code)


def _moved(failed: CallFailed) -> bool:
    status = failed.exchange.status if failed.exchange is not None else 0
    return failed.code == CHANGED or status in (404, 409, 412)
