# SPDX-License-Identifier: Apache-2.0
"""`/v1/subscriptions`: who is told of which events where; test, replay, rotate, enable and disable."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from crossdock.api.ops.books import Limit
from crossdock.api.ops.cases import from_a_program
from crossdock.api.reading import connection
from crossdock.api.subscription_body import (
    ANYWHERE_PUBLIC,
    ActionDone,
    NewSubscription,
    Outward,
    SubscriptionAction,
    SubscriptionMade,
    Subscriptions,
    Trial,
    check_url,
    check_wanted,
    narrowed,
)
from crossdock.errors import Busy, Refused, RetryLater
from crossdock.governance.caller import Caller, caller_of
from crossdock.journal.audit import Author
from crossdock.subscriptions import change
from crossdock.subscriptions.change import Wish
from crossdock.subscriptions.endpoint import pinned
from crossdock.subscriptions.subscription import Subscription
from crossdock.subscriptions.webhook import send, trial_event

PATH = "/v1/subscriptions"
_ACTIONS = ("test", "replay", "rotate", "enable", "disable")
_MOST_TRIALS = 8


def _owner(who: Caller) -> str | None:
    """Whose subscriptions a caller may see; None = everybody's."""
    return None if "ops" in who.scopes else who.consumer


def _author(who: Caller, reason: str = "") -> Author:
    return Author(by=who.consumer, origin="api", reason=reason)


@asynccontextmanager
async def _transaction(state: State) -> AsyncIterator[Any]:
    async with connection(state) as conn, conn.transaction():
        yield conn


def _outward(state: State) -> Outward:
    found: Outward = state.get("outward", ANYWHERE_PUBLIC)
    return found


@post(PATH, summary="Subscribe to events", tags=["subscriptions"], guards=[from_a_program])
async def post_subscription(
    request: Request[Any, Any, Any], state: State, data: JSONBody[NewSubscription]
) -> Response[SubscriptionMade]:
    """Have events sent to an endpoint from now on. The answer holds the secret they are signed with, this once."""
    who = caller_of(request.scope)
    check_wanted(data.types, who.scopes)
    wish = Wish(
        consumer=who.consumer,
        url=await check_url(data.url, _outward(state).reach),
        types=data.types,
        channels=narrowed("channels", data.channels, who.channels),
        customers=narrowed("customers", data.customers, who.customers),
        note=data.note,
    )
    async with _transaction(state) as conn:
        one, secret = await change.create(conn, wish, _author(who))
        made = SubscriptionMade(subscription=await change.subscription(conn, None, one), secret=secret)
    return Response(made, status_code=201, headers={"location": f"{PATH}/{one}", "cache-control": "no-store"})


@get(PATH, summary="List subscriptions", tags=["subscriptions"])
async def get_subscriptions(
    request: Request[Any, Any, Any], state: State, limit: Limit = 100, after: FromQuery[str | None] = None
) -> Subscriptions:
    """Your subscriptions with how their endpoints do, in the order of their ids; `after` goes on behind one."""
    async with connection(state) as conn:
        found = await change.subscriptions(conn, _owner(caller_of(request.scope)), after=after, limit=limit)
    return Subscriptions(items=found, next=found[-1].id if len(found) == limit else None)


@get("/v1/subscriptions/{one:str}", summary="One subscription", tags=["subscriptions"])
async def get_subscription(request: Request[Any, Any, Any], state: State, one: FromPath[str]) -> Subscription:
    """A subscription with how its endpoint does: last success, failing since, what waits, the median answer."""
    async with connection(state) as conn:
        return await change.subscription(conn, _owner(caller_of(request.scope)), one)


@delete("/v1/subscriptions/{one:str}", summary="End a subscription", tags=["subscriptions"], status_code=204)
async def delete_subscription(request: Request[Any, Any, Any], state: State, one: FromPath[str]) -> None:
    """Nothing more is sent; what waits is dropped."""
    who = caller_of(request.scope)
    async with _transaction(state) as conn:
        await change.delete(conn, _owner(who), one, _author(who))


def handlers() -> list[ControllerRouterHandler]:
    """The route handlers; so many tests run at a time."""
    trials = asyncio.Semaphore(_MOST_TRIALS)

    @post(
        "/v1/subscriptions/{one:str}",
        summary="Test, replay, rotate, enable or disable a subscription",
        description="The path is the id followed by `:test`, `:replay` (with `since`), `:rotate`, `:enable` or "
        "`:disable`, as /v1/subscriptions/sub_1:test.",
        tags=["subscriptions"],
        status_code=200,
        guards=[from_a_program],
    )
    async def post_action(
        request: Request[Any, Any, Any], state: State, one: FromPath[str], data: JSONBody[SubscriptionAction]
    ) -> Response[ActionDone]:
        """Do one thing with a subscription; what it is then, a new secret or what a test came to."""
        who = caller_of(request.scope)
        one, _, verb = one.partition(":")
        if verb not in _ACTIONS:
            raise Refused(
                "there is no such action",
                status=404,
                rule="not_found",
                fix=f"POST {PATH}/{{id}}: with {', '.join(_ACTIONS)}",
            )
        secret = trial = None
        if verb == "test":
            if trials.locked():
                raise Busy("too many endpoints are tested at this moment", rule="subscription.trials")
            async with trials:
                trial = await _trial(state, who, one)
        else:
            async with _transaction(state) as conn:
                secret = await _act(conn, who, one, verb, data)
        async with connection(state) as conn:
            found = await change.subscription(conn, _owner(who), one)
        done = ActionDone(subscription=found, secret=secret, trial=trial)
        return Response(done, headers={"cache-control": "no-store"})

    return [post_subscription, get_subscriptions, get_subscription, delete_subscription, post_action]


async def _act(conn: Any, who: Caller, one: str, verb: str, data: SubscriptionAction) -> str | None:
    author = _author(who, data.reason)
    if verb == "rotate":
        secret, _ = await change.rotate(conn, _owner(who), one, timedelta(seconds=data.overlap_seconds), author)
        return secret
    if verb == "replay":
        if data.since is None or data.since.tzinfo is None:
            raise Refused(
                "a replay needs a moment to begin at",
                field="since",
                rule="subscription.since",
                fix="give a time with its offset: 2026-11-27T08:00:00Z",
            )
        await change.replay(conn, _owner(who), one, data.since, author)
    else:
        await (change.enable if verb == "enable" else change.disable)(conn, _owner(who), one, author)
    return None


async def _trial(state: State, who: Caller, one: str) -> Trial:
    """Send a test event now, signed as every other; it leaves no trace in the subscription's figures."""
    async with _transaction(state) as conn:
        url, signing = await change.secret_of(conn, _owner(who), one)
    outward = _outward(state)
    event_id, body = trial_event(one, outward.source, secrets.token_hex(8))
    try:
        session, _ = await pinned(url, outward.reach)
    except (Refused, RetryLater) as error:
        return Trial(delivered=False, status=0, milliseconds=0, error=error.reason, answer="", event_id=event_id)
    async with session:
        outcome, answered = await send(session, url, event_id, body, signing)
    return Trial(
        delivered=outcome.kind == "delivered",
        status=outcome.status,
        milliseconds=outcome.milliseconds,
        error=outcome.error,
        answer=answered.decode("utf-8", "replace"),
        event_id=event_id,
    )
