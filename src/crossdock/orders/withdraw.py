# SPDX-License-Identifier: Apache-2.0
"""Cancel an order of the API: a document that says it is cancelled, which then goes the path of every order."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.objects import encode
from crossdock.canonical.party import Text
from crossdock.errors import Refused
from crossdock.orders.placed import CANCEL_TOPIC, interface_of
from crossdock.orders.standing import Standing
from crossdock.sdk.receiving import Incoming, digest_of

ENDING = ("cancelling", "cancelled")
"""States of an order that is cancelled, or about to be."""


class WithdrawRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `:cancel`, which may be left out. `reason` is kept with the document."""

    reason: Text = ""


def withdrawing(found: Standing, reason: str, at: datetime, channels: Container[str]) -> Incoming | None:
    """The document that cancels an order; None when it is cancelled already, or about to be.

    It says of which version, so that however often it is asked for, it is one document. `channels`: those that take
    orders by the API. Refused 409 when the order cannot be cancelled here.
    """
    order, state = found.order, found.view.state
    if state in ENDING:
        return None
    if order.channel not in channels:
        raise _refused(
            f"the order was placed in channel {order.channel}, which tells of its orders itself",
            "order.channel_api",
            "cancel it where it was placed",
        )
    if state == "rejected":
        raise _refused("the order was given up before it went anywhere", "order.rejected", "nothing needs to be done")
    if found.gone:
        raise _refused("goods of the order have left", "order.shipped", "have them sent back as a return")
    version = max(int(at.timestamp() * 1000), order.version + 1)
    body = encode(replace(order, status="cancelled", version=version, updated_at=at))
    return Incoming(
        interface=interface_of(order.channel),
        topic=CANCEL_TOPIC,
        dedup_key=f":cancel/{order.order_key}/{order.version}",
        key=f"order/{order.order_key}",
        version=version,
        body=body,
        headers=encode({"reason": reason}) if reason else b"",
        items=len(order.lines) or 1,
        digest=digest_of(body),
        overtakes=True,
    )


def cancel_stuck(found: Standing) -> Refused:
    """Its cancellation was asked for before, and is not going on: somebody has it, or has given it up."""
    return _refused(
        f"a cancellation of order {found.order.order_key} was kept before and has come to nothing: a person must look "
        "at it, or has given it up",
        "order.cancel_stuck",
        f"see what is open for key order/{found.order.order_key} at the operator's, and have it retried there",
    )


def _refused(reason: str, rule: str, fix: str) -> Refused:
    return Refused(reason, status=409, rule=rule, fix=fix)
