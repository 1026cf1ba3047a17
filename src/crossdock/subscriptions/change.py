# SPDX-License-Identifier: Apache-2.0
"""Create, read and change subscriptions. Every change by hand leaves an entry of the audit, in its transaction.

`owner`: only subscriptions of this consumer; None = of every one. Somebody else's is told as one that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.journal.audit import Act, Author, write_audit
from crossdock.runtime.clock import now
from crossdock.subscriptions.place import place_since
from crossdock.subscriptions.subscription import SQL, Subscription, new_id, new_secret, no_such, subscription_of

MOST_OF_ONE: Final = 100
MOST: Final = 1000
MOST_LISTED: Final = 500
LONGEST_OVERLAP: Final = timedelta(days=7)


class Wish(Struct, frozen=True, kw_only=True):
    """A subscription that somebody wants. `channels`, `customers`: None = all."""

    consumer: str
    url: str
    types: Sequence[str]
    channels: Sequence[str] | None = None
    customers: Sequence[str] | None = None
    note: str = ""


async def create(conn: asyncpg.Connection, wish: Wish, who: Author) -> tuple[str, str]:
    """Make a subscription to what happens from now on; its id and its secret, which is not shown again.

    The URL and types were checked. Runs in the caller's transaction. Refused (409) when there are too many.
    """
    await conn.execute(SQL.lock_creating)
    one, secret = new_id(), new_secret()
    channels = None if wish.channels is None else sorted(set(wish.channels))
    customers = None if wish.customers is None else sorted(set(wish.customers))
    types = sorted(set(wish.types))
    made = await conn.fetchval(
        SQL.create,
        one,
        wish.consumer,
        wish.url,
        types,
        channels,
        customers,
        wish.note,
        secret,
        now(),
        MOST_OF_ONE,
        MOST,
    )
    if made is None:
        raise Refused(
            f"there are {MOST_OF_ONE} subscriptions of this consumer already, or {MOST} of all",
            status=409,
            rule="subscription.too_many",
            fix="delete one that nobody needs",
        )
    after = {"url": wish.url, "types": types, "channels": channels, "customers": customers}
    await _audit(conn, "create", one, who, after=after)
    return one, secret


async def subscriptions(
    conn: asyncpg.Connection, owner: str | None, *, after: str | None = None, limit: int = 100
) -> list[Subscription]:
    """Subscriptions in the order of their ids, from behind `after`, at most `limit` (500 at most)."""
    return await _read(conn, owner, after, None, min(max(limit, 1), MOST_LISTED))


async def subscription(conn: asyncpg.Connection, owner: str | None, one: str) -> Subscription:
    """The subscription of that id. Raises Refused 404."""
    found = await _read(conn, owner, None, one, 1)
    if not found:
        raise no_such(one)
    return found[0]


async def secret_of(conn: asyncpg.Connection, owner: str | None, one: str) -> tuple[str, list[str]]:
    """URL and secrets, the current one first, to send something with. Raises Refused 404."""
    row = await _row(conn, owner, one)
    return row["url"], [
        row["secret"],
        *([row["previous_secret"]] if row["previous_until"] is not None and row["previous_until"] > now() else []),
    ]


async def delete(conn: asyncpg.Connection, owner: str | None, one: str, who: Author) -> None:
    """End a subscription: what waits for it is dropped. Runs in the caller's transaction. Raises Refused 404."""
    row = await _row(conn, owner, one)
    await conn.execute(SQL.delete_webhooks, one)
    await conn.execute(SQL.delete_subscription, one)
    await _audit(conn, "delete", one, who, before={"url": row["url"], "types": row["types"]})


async def rotate(
    conn: asyncpg.Connection, owner: str | None, one: str, overlap: timedelta, who: Author
) -> tuple[str, datetime]:
    """Give a subscription a new secret; the secret, and until when the old one signs too. Raises Refused 404."""
    await _row(conn, owner, one)
    secret, until = new_secret(), now() + min(overlap, LONGEST_OVERLAP)
    await conn.execute(SQL.rotate, one, secret, until)
    await _audit(conn, "rotate", one, who, after={"two_secrets_until": until})
    return secret, until


async def enable(conn: asyncpg.Connection, owner: str | None, one: str, who: Author) -> None:
    """Deliver again, all that waits first. Raises Refused 404."""
    row = await _row(conn, owner, one)
    at = now()
    await conn.execute(SQL.enable, one, at, f"enabled by {who.by}")
    await conn.execute(SQL.due_at_once, [one], at)
    await _audit(conn, "enable", one, who, before={"state": row["state"]}, after={"state": "active"})


async def disable(conn: asyncpg.Connection, owner: str | None, one: str, who: Author) -> None:
    """Deliver no more; events wait. Raises Refused 404."""
    row = await _row(conn, owner, one)
    await conn.execute(SQL.disable, one, now(), f"disabled by {who.by}")
    await _audit(conn, "disable", one, who, before={"state": row["state"]}, after={"state": "disabled"})


async def replay(conn: asyncpg.Connection, owner: str | None, one: str, since: datetime, who: Author) -> None:
    """Tell everything again that became true at `since` or later, in order and under the ids it had.

    Raises Refused 404. The subscription goes back to its place then: what happens meanwhile comes behind, so that the
    order per key holds.
    """
    row = await _row(conn, owner, one)
    place = min(await place_since(conn, since), (row["place"], row["event_id"]))
    await conn.execute(SQL.forget_behind, one, *place)
    await conn.execute(SQL.move_places, [one], *place)
    await _audit(conn, "replay", one, who, after={"since": since})


async def _row(conn: asyncpg.Connection, owner: str | None, one: str) -> asyncpg.Record:
    row: asyncpg.Record | None = await conn.fetchrow(SQL.lock_one, one, owner)
    if row is None:
        raise no_such(one)
    return row


async def _read(
    conn: asyncpg.Connection, owner: str | None, after: str | None, one: str | None, limit: int
) -> list[Subscription]:
    rows = await conn.fetch(SQL.list_subscriptions, owner, after, one, limit)
    waits = await conn.fetch(SQL.waiting, [row["id"] for row in rows])
    waiting = {row["subscription_id"]: row for row in waits}
    at = now()
    return [subscription_of(row, waiting.get(row["id"]), at) for row in rows]


async def _audit(
    conn: asyncpg.Connection, verb: str, one: str, who: Author, *, before: Any = None, after: Any = None
) -> None:
    act = Act(
        action=f"subscription.{verb}",
        kind="subscription",
        id=one,
        key=f"subscription/{one}",
        before=before,
        after=after,
    )
    await write_audit(conn, [act], by=who.by, origin=who.origin, reason=who.reason)
