# SPDX-License-Identifier: Apache-2.0
"""Webhook notifications: what changed, without its data, gathered for 30 seconds and sent once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp
import msgspec

from crossdock.sandbox.business_central.entities import BLANK_ID
from crossdock.sandbox.business_central.records import Change, Record, Store
from crossdock.sandbox.business_central.subscribe import Subscriptions, set_of
from crossdock.sandbox.faults import EVENT_KINDS, FaultBook

MOST_SINGLE = 1_000
"""Published: more changes than that in one gathering are told as one `collection`."""
RETRIES = tuple(129_600 / (2**12 - 1) * 2**attempt for attempt in range(12))
"""Microsoft: retried over 36 hours; the steps are not published. Here twelve, each twice as long as the one before."""
TRIED_AGAIN = frozenset({408, 429, *range(500, 600)})
"""Any other failure deletes the subscription."""
CHANGES, SENT = "changes", "deliveries"


class Waits(msgspec.Struct, frozen=True):
    """How long changes are gathered; `scale` shortens that and the waits before retries."""

    gather_seconds: float = 30.0
    scale: float = 1.0


class Notifier:
    """Gathers changes by subscription, and sends them by address."""

    def __init__(self, store: Store, subscriptions: Subscriptions, faults: FaultBook, waits: Waits) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._faults = faults
        self._gather_seconds = waits.gather_seconds
        self._scale = waits.scale
        self._gathering: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False

    def start(self) -> None:
        """Begin, first with what an earlier process of this simulator left unsent."""
        self._running = True
        for row in self._store.all(SENT).values():
            if row["state"] == "pending":
                self._spawn(self._deliver(row, _encoded(row), 0.0))
        for row in list(self._store.all(CHANGES).values()):
            self._gather(row["url"])

    def clear(self) -> None:
        """Send nothing of what is gathered or under way."""
        for handle in self._gathering.values():
            handle.cancel()
        self._gathering.clear()
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        self._running = False
        self.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def told(self, changes: list[Change]) -> None:
        """Records changed: remember it for each subscription that is about them."""
        for subscription in self._subscriptions.live():
            for change in changes:
                if change.collection == set_of(subscription["resource"]):
                    self._remember(subscription, change)

    def _remember(self, subscription: Record, change: Change) -> None:
        key = f"{subscription['id']}|{change.ident}"
        before = self._store.all(CHANGES).get(key)
        kind = change.kind
        if before is not None and before["kind"] == "created" and kind == "updated":
            kind = "created"
        row = {
            "subscription": subscription["id"],
            "url": subscription["notificationUrl"],
            "ident": change.ident,
            "kind": kind,
            "at": change.at,
            "first": before["first"] if before else change.at,
        }
        self._store.books.put(CHANGES, key, row)
        self._gather(subscription["notificationUrl"])

    def _gather(self, url: str) -> None:
        if self._running and url not in self._gathering:
            wait = self._gather_seconds * self._scale
            self._gathering[url] = asyncio.get_running_loop().call_later(wait, self._release, url)

    def release(self) -> int:
        """Send now what is gathered; to how many addresses that is."""
        urls = list(self._gathering)
        for url in urls:
            self._gathering[url].cancel()
            self._release(url)
        return len(urls)

    def _release(self, url: str) -> None:
        self._gathering.pop(url, None)
        live = {row["id"]: row for row in self._subscriptions.live()}
        gathered: dict[str, list[Record]] = {}
        for key, row in list(self._store.all(CHANGES).items()):
            if row["url"] == url:
                self._store.books.drop(CHANGES, key)
                gathered.setdefault(row["subscription"], []).append(row)
        value = [
            told for ident, rows in gathered.items() if ident in live for told in _notifications(live[ident], rows)
        ]
        if value:
            self._send(url, value, [row for ident, row in live.items() if ident in gathered])

    def _send(self, url: str, value: list[dict[str, Any]], subscriptions: list[Record]) -> None:
        drawn = self._faults.draw(EVENT_KINDS, " ".join(set_of(row["resource"]) for row in subscriptions))
        if "bad_signature" in drawn:
            value = [{**entry, "clientState": "forged"} for entry in value]
        wait = drawn["late"].seconds if "late" in drawn else 0.0
        if "reorder" in drawn:
            wait += self._faults.rng.uniform(0, drawn["reorder"].seconds)
        number = str(self._store.books.bump("notifications"))
        row: Record = {"id": number, "url": url, "value": value, "state": "pending"}
        row |= {"subscriptions": [one["id"] for one in subscriptions], "attempts": 0, "statuses": [], "acknowledged": 0}
        self._store.books.put(SENT, number, row)
        for _ in range(1 + ("duplicates" in drawn)):
            self._spawn(self._deliver(row, _encoded(row), wait))

    async def _deliver(self, row: Record, body: bytes, wait: float) -> None:
        for pause in (wait, *(seconds * self._scale for seconds in RETRIES)):
            await asyncio.sleep(pause)
            status = await self._attempt(row["url"], body)
            row["attempts"] += 1
            row["statuses"] = [*row["statuses"][-11:], status]
            if status is not None and 200 <= status < 300:
                row["acknowledged"] += 1
                self._end(row, "acknowledged")
                return
            if status is not None and status not in TRIED_AGAIN:
                for ident in row["subscriptions"]:
                    self._subscriptions.drop(ident)
                self._end(row, "refused")
                return
            self._store.books.put(SENT, row["id"], row)
        self._end(row, "given_up")

    def _end(self, row: Record, state: str) -> None:
        if row["state"] == "pending":
            row |= {"state": state, "value": []}
        self._store.books.put(SENT, row["id"], row)

    async def _attempt(self, url: str, body: bytes) -> int | None:
        session = self._subscriptions.session
        if session is None:
            raise RuntimeError("the simulator is not started")
        headers = {"Content-Type": "application/json"}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status
        return None

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def counts(self) -> dict[str, int]:
        """How the notifications stand, and how many changes are gathered and not sent yet."""
        states = {"pending": 0, "acknowledged": 0, "refused": 0, "given_up": 0}
        for row in self._store.all(SENT).values():
            states[row["state"]] += 1
        return {**states, "gathered": len(self._store.all(CHANGES))}


def _encoded(row: Record) -> bytes:
    return msgspec.json.encode({"value": row["value"]})


def _notifications(subscription: Record, rows: list[Record]) -> list[dict[str, Any]]:
    same = {
        "subscriptionId": subscription["subscriptionId"],
        "clientState": subscription["clientState"],
        "expirationDateTime": subscription["expirationDateTime"],
    }
    resource = subscription["resource"]
    if len(rows) > MOST_SINGLE:
        first, last = min(row["first"] for row in rows), max(row["at"] for row in rows)
        where = f"{resource}?$filter=lastModifiedDateTime%20gt%20{first}"
        return [{**same, "resource": where, "changeType": "collection", "lastModifiedDateTime": last}]
    relative = resource.removeprefix("/")
    return [
        {
            **same,
            "resource": f"{relative}({row['ident'] or BLANK_ID})",
            "changeType": row["kind"],
            "lastModifiedDateTime": row["at"],
        }
        for row in rows
    ]
