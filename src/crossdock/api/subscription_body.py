# SPDX-License-Identifier: Apache-2.0
"""What is asked and answered about subscriptions, and what is checked before one is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from crossdock.api.event_table import EVENTS
from crossdock.errors import Refused, RetryLater
from crossdock.runtime.outward import MOST_URL, Reach, address_of, target_of
from crossdock.subscriptions.choose import MOST_NAMES, MOST_TYPES, check_types, fits
from crossdock.subscriptions.subscription import Subscription

_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_SCOPES: Mapping[str, str] = {
    "availability": "availability:read",
    "cancellation": "orders:read",
    "customer": "customers:read",
    "price": "prices:read",
    "product": "products:read",
    "reservation": "reservations:read",
    "return": "returns:read",
    "sales_order": "orders:read",
    "shipment": "shipments:read",
}
_OTHERWISE = "ops"


class Outward(Struct, frozen=True):
    """Where webhooks may be sent, and what events say they are from."""

    reach: Reach = Reach()
    source: str = "/crossdock"


ANYWHERE_PUBLIC = Outward()


class NewSubscription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`types`: events by name, NAME.* or *. `channels`, `customers`: only events of these; none given: all you see."""

    url: Annotated[str, Meta(min_length=1, max_length=MOST_URL, description="public, https")]
    types: Annotated[list[_Name], Meta(min_length=1, max_length=MOST_TYPES)]
    channels: Annotated[list[_Name], Meta(min_length=1, max_length=MOST_NAMES)] | None = None
    customers: Annotated[list[_Name], Meta(min_length=1, max_length=MOST_NAMES)] | None = None
    note: Annotated[str, Meta(max_length=500)] = ""


class SubscriptionAction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`since`: of a replay, which needs it. `overlap_seconds`: how long the old secret signs too after a rotation."""

    since: datetime | None = None
    overlap_seconds: Annotated[int, Meta(ge=0, le=7 * 86_400)] = 86_400
    reason: Annotated[str, Meta(max_length=1000)] = ""


class SubscriptionMade(Struct, frozen=True, kw_only=True):
    """A subscription with its secret, which is shown this once."""

    subscription: Subscription
    secret: str


class Subscriptions(Struct, frozen=True, kw_only=True):
    """A page of subscriptions. `next`: what to give as `after` for the next; None = these are the last."""

    items: list[Subscription]
    next: str | None


class Trial(Struct, frozen=True, kw_only=True):
    """What the endpoint did with a test event. `status` 0: it gave no answer; `answer`: how its body begins."""

    delivered: bool
    status: int
    milliseconds: int
    error: str
    answer: str
    event_id: str


class ActionDone(Struct, frozen=True, kw_only=True):
    """What an action came to. `secret` is shown this once; `trial`: of the test button."""

    subscription: Subscription
    secret: str | None = None
    trial: Trial | None = None


def check_wanted(types: Sequence[str], scopes: Collection[str]) -> None:
    """Raise Refused naming types that are none (422), or that the caller's scopes do not let it read (403)."""
    check_types(types, EVENTS)
    for place, one in enumerate(types):
        needed = {_SCOPES.get(kind.partition(".")[0], _OTHERWISE) for kind in EVENTS if fits(one, kind)}
        missing = sorted(needed - set(scopes))
        if missing:
            raise Refused(
                f"events {one} need the scope {missing[0]}",
                status=403,
                field=f"types[{place}]",
                rule="scope",
                fix="leave them out, or ask for a key with that scope",
            )


def narrowed(field: str, asked: Sequence[str] | None, allowed: Collection[str] | None) -> list[str] | None:
    """The names that a subscription is for: those asked for, at most those that the caller may see. Refused 403."""
    if asked is None:
        return None if allowed is None else sorted(allowed)
    for place, one in enumerate(asked):
        if allowed is not None and one not in allowed:
            raise Refused(
                f"{one} is not yours to see", status=403, field=f"{field}[{place}]", rule="scope", fix="leave it out"
            )
    return list(asked)


async def check_url(url: str, reach: Reach) -> str:
    """`url` as it will be called. Raises Refused when it is none, is out of reach, or has a name without an address."""
    target = target_of(url, reach)
    try:
        await address_of(target, reach)
    except RetryLater as error:
        raise Refused(
            error.reason, field="url", rule="webhook.dns", fix="let the name resolve first, then create it again"
        ) from error
    return target.url
