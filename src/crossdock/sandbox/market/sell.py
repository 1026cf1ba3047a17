# SPDX-License-Identifier: Apache-2.0
"""Streams buyers through the market: as a marketplace that sells what it shows, or as a portal that reserves first."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from crossdock.sandbox.catalog import Catalog
from crossdock.sandbox.host import ControlError
from crossdock.sandbox.market.orders import Naming, make_order
from crossdock.sandbox.market.records import Market, Wanted
from crossdock.sandbox.market.reserve import Reservations, Reserving, Unreachable, reserving
from crossdock.sandbox.pacing import Pace, Run

LATER_CARTS = 20
"""A cancellation follows so many carts later."""
HOT_WEIGHT = 0.8
"""So often a line is of a hot SKU."""
LINES = (1, 1, 2, 3)

Fate = Literal["buy", "cancel", "release", "leave"]


class SellRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`count` carts in all, `rate` a second, `concurrency` at once (reserving takes time). `skus`: which are sold, a
    list or the first so many of the catalog; `hot` ones are drawn most of the time. `most` units a line.

    `mode` shown: sell while the number shown allows it. reserve: ask `crossdock` (its base address) as `channel` to
    hold the goods for `ttl_seconds`, with bearer `token` if it wants one, each call for up to `patience` seconds.
    `abandon`: share of carts that nobody pays for (of reservations half are released, half left to expire);
    `cancels`: share of carts whose order is cancelled later."""

    count: int = 10
    seed: int = 1
    rate: float | None = None
    concurrency: int = 8
    skus: list[str] | int | None = None
    hot: list[str] = msgspec.field(default_factory=list)
    most: int = 3
    mode: Literal["shown", "reserve"] = "shown"
    crossdock: str = ""
    channel: str = ""
    ttl_seconds: int = 900
    token: str = ""
    patience: float = 60.0
    abandon: float = 0.0
    cancels: float = 0.0

    def __repr__(self) -> str:
        return f"SellRequest(count={self.count}, mode={self.mode!r})"


class Plan(msgspec.Struct):
    """What is sold, and which of the carts, by position, meet which fate; the others are bought."""

    skus: list[str]
    hot: list[str]
    fates: dict[int, Fate]


def make_plan(wanted: SellRequest, catalog: Catalog) -> Plan:
    """Spread the fates over the carts by the seed. Raises ControlError when the request cannot be done."""
    if not 1 <= wanted.count <= 10_000_000 or not 1 <= wanted.most <= 1_000 or not 1 <= wanted.concurrency <= 1_000:
        raise ControlError("count is 1 to 10000000, most 1 to 1000, concurrency 1 to 1000")
    if min(wanted.abandon, wanted.cancels) < 0 or wanted.abandon + wanted.cancels > 1:
        raise ControlError("abandon and cancels are shares of the carts: 0 to 1, together at most 1")
    if wanted.mode == "reserve" and not (wanted.crossdock.startswith(("http://", "https://")) and wanted.channel):
        raise ControlError("mode reserve needs crossdock (its base address) and channel (our name there)")
    skus = _skus(wanted, catalog)
    abandoned, cancelled = round(wanted.count * wanted.abandon), round(wanted.count * wanted.cancels)
    rng = random.Random(wanted.seed)
    drawn = rng.sample(range(wanted.count), min(wanted.count, abandoned + cancelled))
    fates: dict[int, Fate] = dict.fromkeys(drawn[abandoned:], "cancel")
    for number, place in enumerate(drawn[:abandoned]):
        fates[place] = "leave" if number % 2 else "release"
    return Plan(skus, [sku for sku in wanted.hot if sku in skus], fates)


def _skus(wanted: SellRequest, catalog: Catalog) -> list[str]:
    known = [product.sku for product in catalog.products]
    if isinstance(wanted.skus, int) and not 1 <= wanted.skus <= len(known):
        raise ControlError(f"skus is 1 to {len(known)} or a list of SKUs")
    named = wanted.skus if isinstance(wanted.skus, list) else []
    unknown = [sku for sku in (*named, *wanted.hot) if sku not in set(known)]
    if unknown:
        raise ControlError(f"SKU {unknown[0]!r} is not in the catalog")
    if isinstance(wanted.skus, list):
        return list(dict.fromkeys([*named, *wanted.hot]))
    return list(dict.fromkeys([*known[: wanted.skus], *wanted.hot]))


def draw_cart(rng: random.Random, plan: Plan, most: int) -> list[tuple[str, int]]:
    """One to three lines of different SKUs."""
    cart: dict[str, int] = {}
    for _ in range(min(rng.choice(LINES), len(plan.skus))):
        pool = plan.hot if plan.hot and rng.random() < HOT_WEIGHT else plan.skus
        cart.setdefault(rng.choice(pool), rng.randint(1, most))
    return list(cart.items())


class Selling(msgspec.Struct):
    """A run under way."""

    run: Run
    wanted: SellRequest
    plan: Plan
    pace: Pace
    held: Reservations | None
    places: Iterator[int]
    later: deque[tuple[int, str]]
    """Orders to cancel, with the cart after which that is done."""


class Seller:
    """Serves carts and emits the orders that come of them."""

    def __init__(self, market: Market, name: str) -> None:
        self._market = market
        self._name = name
        self._books = market.books

    async def stream(self, run: Run, wanted: SellRequest, plan: Plan) -> None:
        """Serve every cart. Raises Unwanted when Crossdock refuses the calls themselves."""
        async with contextlib.AsyncExitStack() as stack:
            held = None
            if wanted.mode == "reserve":
                how = Reserving(wanted.crossdock, wanted.channel, wanted.ttl_seconds, wanted.patience, wanted.token)
                held = await stack.enter_async_context(reserving(how))
            selling = Selling(run, wanted, plan, Pace(wanted.rate), held, iter(range(wanted.count)), deque())
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(wanted.count, wanted.concurrency if held is not None else 1)):
                        group.create_task(self._serve(selling))
            except BaseExceptionGroup as failed:
                raise failed.exceptions[0] from failed
            finally:
                if held is not None:
                    self._books.bump("reservations.retries", held.retries)
            self._follow_up(selling, None)

    async def _serve(self, selling: Selling) -> None:
        for place in selling.places:
            await self._market.emitter.room()
            await selling.pace.wait()
            await self._cart(selling, place)
            selling.run.made += 1
            self._follow_up(selling, place)

    async def _cart(self, selling: Selling, place: int) -> None:
        rng = random.Random(f"{selling.wanted.seed}/{place}")
        cart = draw_cart(rng, selling.plan, selling.wanted.most)
        fate = selling.plan.fates.get(place, "buy")
        self._books.bump("carts")
        reservation: str | None = None
        if selling.held is not None:
            reservation = await self._reserve(selling.held, cart, fate)
            if reservation is None:
                return
        elif fate in ("release", "leave"):
            self._books.bump("carts.abandoned")
            return
        elif any(self._market.available(sku) < units for sku, units in cart):
            self._refuse(cart)
            return
        naming = Naming(self._name, self._books.bump("orders.placed"), reservation)
        order = make_order(rng, self._market.catalog, cart, naming, datetime.now(UTC))
        self._market.place(order, cart)
        if fate == "cancel":
            selling.later.append((place + LATER_CARTS, order["id"]))

    async def _reserve(self, held: Reservations, cart: Wanted, fate: Fate) -> str | None:
        """The reservation to order under; None when there is to be no order."""
        number = self._books.bump("carts.reserving")
        key, reference = str(uuid.uuid4()), f"{self._name}-cart-{number}"
        try:
            made = await held.reserve(key, reference, cart)
        except Unreachable:
            self._keep(reference, "unreached", None, cart)
            return None
        if made is None:
            self._refuse(cart)
            return None
        if fate not in ("release", "leave"):
            return made.id
        self._books.bump("carts.abandoned")
        state = "left"
        if fate == "release":
            # A release that finds nobody leaves the goods to the reservation's end.
            with contextlib.suppress(Unreachable):
                await held.release(made.id)
                state = "released"
        self._keep(reference, state, made, cart)
        return None

    def _refuse(self, cart: Wanted) -> None:
        self._books.bump("carts.refused")
        self._market.count_sale(cart, "refused")

    def _keep(self, reference: str, state: str, made: Any, cart: Wanted) -> None:
        """Note a cart that came to no order though goods were, or may be, held for it."""
        row = {
            "reference": reference,
            "state": state,
            "reservation": made.id if made is not None else None,
            "expires_at": made.expires_at if made is not None else None,
            "lines": [{"sku": sku, "quantity": units} for sku, units in cart],
        }
        self._books.put("carts", reference, row)
        self._books.bump(f"carts.{state}")

    def _follow_up(self, selling: Selling, place: int | None) -> None:
        """Cancel the orders whose time has come, all of them when the run is over."""
        while selling.later and (place is None or selling.later[0][0] <= place):
            self._market.cancel(selling.later.popleft()[1])
