# SPDX-License-Identifier: Apache-2.0
"""Streams orders into the store and tells of them by webhook: good ones, broken ones, later changes and
cancellations."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from crossdock.sandbox.catalog import Catalog
from crossdock.sandbox.emitting import Emitter, Event
from crossdock.sandbox.pacing import Pace, Run
from crossdock.sandbox.shopify.breaking import BREAKERS, HUGE_LINES
from crossdock.sandbox.shopify.orders import Shelf, make_order
from crossdock.sandbox.shopify.signing import API_VERSION
from crossdock.sandbox.shopify.store import Store, stamp

LATER_ORDERS = 20
"""A change or cancellation follows so many orders later."""


class OrdersRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`count` orders in all, of `lines` lines each; `rate`: orders a second, `concurrency`: webhooks in flight.

    `broken`: how many of them are broken, by kind; `duplicates`: how many webhooks are sent twice under the same id;
    `updates`, `cancels`: how many orders change or are cancelled afterwards; `reorder`: how many webhooks are held back
    so that later ones overtake them. Every second buyer comes for one of `scarce`, and of these SKUs nobody can buy
    more than is on show.
    """

    count: int = 10
    seed: int = 1
    rate: float | None = None
    concurrency: int | None = None
    lines: int | None = None
    broken: dict[str, int] = msgspec.field(default_factory=dict)
    duplicates: int = 0
    reorder: int = 0
    updates: int = 0
    cancels: int = 0
    scarce: list[str] = msgspec.field(default_factory=list)


class Plan(msgspec.Struct):
    """Which of the orders, by position, meet which fate."""

    broken: dict[int, str]
    duplicated: frozenset[int]
    delayed: frozenset[int]
    updated: frozenset[int]
    cancelled: frozenset[int]


def make_plan(wanted: OrdersRequest) -> Plan:
    """Spread the fates over the orders by the seed. Raises ValueError when there are more fates than orders."""
    unknown = set(wanted.broken) - set(BREAKERS)
    if unknown:
        raise ValueError(f"broken kind {sorted(unknown)[0]!r} is unknown; use {', '.join(sorted(BREAKERS))}")
    if not 1 <= wanted.count <= 10_000_000 or min(wanted.broken.values(), default=0) < 0:
        raise ValueError("count is 1 to 10000000 and no number of broken orders is negative")
    rng = random.Random(wanted.seed)
    kinds = [kind for kind in sorted(wanted.broken) for _ in range(wanted.broken[kind])]
    good_wanted = max(wanted.duplicates, wanted.reorder, wanted.updates + wanted.cancels)
    if len(kinds) + good_wanted > wanted.count:
        raise ValueError(f"{len(kinds)} broken and {good_wanted} changed orders do not fit into count {wanted.count}")
    broken = dict(zip(rng.sample(range(wanted.count), len(kinds)), kinds, strict=True))
    good = [place for place in range(wanted.count) if place not in broken]
    changed = rng.sample(good, wanted.updates + wanted.cancels)
    return Plan(
        broken,
        frozenset(rng.sample(good, wanted.duplicates)),
        frozenset(rng.sample(good, wanted.reorder)),
        frozenset(changed[: wanted.updates]),
        frozenset(changed[wanted.updates :]),
    )


class OrderStream:
    """Places orders and emits their webhooks."""

    def __init__(self, store: Store, catalog: Catalog, emitter: Emitter) -> None:
        self._store = store
        self._catalog = catalog
        self._emitter = emitter

    async def stream(self, run: Run, wanted: OrdersRequest, plan: Plan) -> None:
        if wanted.concurrency is not None:
            self._emitter.concurrency = max(1, wanted.concurrency)
        pace = Pace(wanted.rate)
        late: list[tuple[int, int, dict[str, Any]]] = []
        for place in range(wanted.count):
            await self._emitter.room()
            payload = self._place(wanted, plan, place)
            if place in plan.updated or place in plan.cancelled:
                late.append((place + LATER_ORDERS, place, payload))
            while late and late[0][0] <= place:
                self._follow_up(plan, *late.pop(0)[1:])
            run.made += 1
            await pace.wait()
        for _, place, payload in late:
            self._follow_up(plan, place, payload)

    def _place(self, wanted: OrdersRequest, plan: Plan, place: int) -> dict[str, Any]:
        number = self._store.books.bump("orders.placed")
        broken = plan.broken.get(place)
        rng = random.Random(f"{wanted.seed}/{place}")
        lines = HUGE_LINES if broken == "huge" else wanted.lines
        payload = make_order(
            rng,
            self._catalog,
            number=number,
            lines=lines,
            at=datetime.now(UTC),
            shelf=Shelf({sku: self._store.on_show(sku) for sku in wanted.scarce}, place % 2 == 1),
        )
        self._store.place(payload, broken)
        body = msgspec.json.encode(payload) if broken is None else BREAKERS[broken](payload)
        delay = rng.uniform(0.05, 0.5) if place in plan.delayed else 0.0
        self.tell("orders/create", payload["id"], body, copies=2 if place in plan.duplicated else 1, delay=delay)
        return payload

    def _follow_up(self, plan: Plan, place: int, payload: dict[str, Any]) -> None:
        order = self._store.orders[str(payload["id"])]
        if place in plan.cancelled:
            self._store.cancel(order, "customer")
            changed = {
                **payload,
                "cancelled_at": order["cancelled_at"],
                "cancel_reason": "customer",
                "updated_at": order["updated_at"],
            }
            self.tell("orders/cancelled", payload["id"], msgspec.json.encode(changed))
            self._store.books.bump("orders.cancelled")
            return
        order["updated_at"] = stamp()
        order["note"] = "Please leave at the back door"
        self._store.keep(order)
        changed = {**payload, "note": order["note"], "updated_at": order["updated_at"]}
        self.tell("orders/updated", payload["id"], msgspec.json.encode(changed))
        self._store.books.bump("orders.updated")

    def tell(self, topic: str, order_id: int, body: bytes, *, copies: int = 1, delay: float = 0.0) -> None:
        """Emit a webhook: one webhook id per subscription, one event id for all of them."""
        event_id = str(uuid.uuid4())
        fixed = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": self._store.domain,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Event-Id": event_id,
            "X-Shopify-Triggered-At": stamp(),
        }

        def identify(_place: int) -> tuple[str, dict[str, str]]:
            webhook_id = str(uuid.uuid4())
            return webhook_id, {**fixed, "X-Shopify-Webhook-Id": webhook_id}

        self._emitter.emit(Event(topic, body, str(order_id), identify), copies=copies, delay=delay)
