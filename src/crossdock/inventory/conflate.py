# SPDX-License-Identifier: Apache-2.0
"""What a channel must be told (Conflating Queue): per SKU and location only the newest number, and only while it
differs from the one the channel was told last.

A call is worth making at once for a stock-out, for a full batch of numbers that have come to rest, and for fewer of
them when no call was made just now. It takes stock-outs first, then those that are close to one, then the oldest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice

from msgspec import Struct

from crossdock.inventory.level import ZERO, Pair

# A number that has not changed for so long is at rest; one that never rests travels after the longest wait.
QUIET_SECONDS = 0.5
LONGEST_WAIT = 3.0
# A call that is only partly filled is made so long after the one before it.
GATHER_SECONDS = 1.0
NEAR_ZERO = Decimal(3)
HOT_PART = 4
INFINITE = float("inf")


class Number(Struct, kw_only=True, gc=False):
    """A number to tell. `changed_at`: when the oldest change was made that it tells of; `since`, `moved`: when it began
    to wait and when it changed last, `until`: not before then (seconds of the caller's clock); `failures` in a row, and
    how many calls had been answered before the first of them; `refusals`: how often the channel would not take it,
    `refused`: when it was told last."""

    sku: str
    location: str
    quantity: Decimal
    changed_at: datetime
    since: float
    moved: float
    until: float = 0.0
    failures: int = 0
    answered_before: int = 0
    refusals: int = 0
    refused: bool = False

    @property
    def key(self) -> Pair:
        """(SKU, location)."""
        return self.sku, self.location


class _Flight(Struct, gc=False):
    """A number under way, and the newer one that came up meanwhile."""

    number: Number
    later: Number | None = None


class Conflation:
    """The queue of one channel. `size`: numbers a call takes. Times are seconds of a monotonic clock passed in."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._told: dict[str, dict[str, Decimal | None]] = {}
        # In the order in which they began to wait; `_outs` and `_hot` are the keys among them that go first.
        self._waiting: dict[Pair, Number] = {}
        self._outs: dict[Pair, None] = {}
        self._hot: dict[Pair, None] = {}
        self._held: dict[Pair, Number] = {}
        self._ends: list[tuple[float, Pair]] = []
        self._flying: dict[Pair, _Flight] = {}
        # What an earlier worker left us to wait for, and whether the channel had refused it; each counts once.
        self._until: dict[Pair, tuple[float, bool]] = {}
        self._last_call = -INFINITE

    @property
    def waiting(self) -> int:
        """Numbers the channel has not acknowledged, those under way and those it refused among them."""
        return len(self._waiting) + len(self._held) + len(self._flying)

    @property
    def problems(self) -> int:
        """Numbers that the channel refused and is told again later."""
        return sum(1 for number in self._held.values() if number.refused)

    @property
    def oldest(self) -> datetime | None:
        """When the oldest change was made that the channel does not know of; what it refused is a problem of its own
        and does not count."""
        flying = (flight.number for flight in self._flying.values())
        groups = (self._waiting.values(), self._held.values(), flying)
        return min((one.changed_at for group in groups for one in group if not one.refusals), default=None)

    @property
    def skus(self) -> Iterable[str]:
        """Every SKU the channel was ever told of."""
        return self._told.keys()

    def told(self, sku: str) -> Mapping[str, Decimal | None]:
        """What the channel was told of `sku` by location; None: it is not known whether it heard."""
        return self._told.get(sku, {})

    def restore(
        self, sku: str, location: str, told: Decimal | None, until: float = 0.0, *, refused: bool = False
    ) -> None:
        """The channel was told this before we began, or refused it; it is told nothing new of it before `until`."""
        self._told.setdefault(sku, {})[location] = told
        if until:
            self._until[sku, location] = (until, refused)

    def doubt(self, sku: str, location: str) -> bool:
        """The channel may show another number than it was told, or takes what it refused: it is told again without
        delay. Whether its number has to be offered for that; not when it is on its way already."""
        key = (sku, location)
        number = self._held.get(key)
        # One that is held after a take-over keeps its time: a call that was cut off may still be having its effect.
        if number is not None and number.refused:
            del self._held[key]
            number.refused = False
            self._enqueue(number)
        told = self._told.get(sku, {})
        if key in self._waiting or key in self._held or key in self._flying or told.get(location) is None:
            return False
        told[location] = None
        return True

    def offer(self, sku: str, numbers: Mapping[str, Decimal], changed_at: datetime, clock: float) -> None:
        """These are the numbers of `sku` now, by location; `changed_at`: when the change was made that led to them."""
        told = self._told.get(sku, {})
        for location, quantity in numbers.items():
            key = (sku, location)
            flight = self._flying.get(key)
            if flight is not None:
                if quantity == flight.number.quantity:
                    flight.later = None
                elif flight.later is None:
                    flight.later = _number(key, quantity, changed_at, clock)
                else:
                    flight.later.quantity, flight.later.moved = quantity, clock
                continue
            number = self._held.get(key) or self._waiting.get(key)
            if number is None:
                if location not in told or told[location] != quantity:
                    self._enqueue(_number(key, quantity, changed_at, clock))
            elif key not in self._held and told.get(location) == quantity:
                self._drop(key)
            elif number.quantity != quantity:
                number.quantity, number.moved = quantity, clock
                if key in self._waiting:
                    self._rank(number)

    def due(self, clock: float) -> float:
        """Seconds for which no call is worth making: 0 = one is now, infinite = nothing waits. Ask again then."""
        self._release(clock)
        if self._outs:
            return 0.0
        soonest = self._ends[0][0] if self._ends else INFINITE
        ripe = 0
        for number in self._waiting.values():
            if number.since + QUIET_SECONDS > clock:
                # Those that follow began to wait later still.
                soonest = min(soonest, number.since + QUIET_SECONDS)
                break
            at = _ripe_at(number)
            if at > clock:
                soonest = min(soonest, at)
                continue
            ripe += 1
            if ripe >= self._size:
                return 0.0
        if ripe:
            soonest = min(soonest, self._last_call + GATHER_SECONDS)
        return max(0.0, soonest - clock)

    def take(self, clock: float, most: int) -> list[Number]:
        """At most `most` numbers for a call now: stock-outs; of the room they leave up to a quarter for those near one,
        so that no other waits much longer for them; then the oldest at rest; where room is left, what else waits."""
        self._release(clock)
        self._last_call = clock
        picked = list(islice(self._outs, most))
        picked += list(islice(self._hot, (most - len(picked)) // HOT_PART))
        taken = [self._pop(key) for key in picked]
        room = most - len(taken)
        ripe: list[Pair] = []
        spare: list[Pair] = []
        for key, number in self._waiting.items():
            if len(ripe) >= room or len(ripe) + len(spare) >= 4 * most:
                break
            (ripe if _ripe_at(number) <= clock else spare).append(key)
        taken += [self._pop(key) for key in [*ripe, *spare][: max(room, 0)]]
        for number in taken:
            self._flying[number.key] = _Flight(number)
        return taken

    def delivered(self, numbers: Iterable[Number]) -> None:
        """The channel acknowledged these."""
        for number in numbers:
            self._told.setdefault(number.sku, {})[number.location] = number.quantity
            later = self._flying.pop(number.key).later
            if later is not None and later.quantity != number.quantity:
                self._enqueue(later)

    def failed(self, numbers: Iterable[Number], clock: float, *, unknown: bool) -> None:
        """These were not told; `unknown`: or perhaps they were. They wait again, with the newest number."""
        for number in numbers:
            self._land(number, clock, unknown=unknown)
            if self._told.get(number.sku, {}).get(number.location) != number.quantity:
                self._enqueue(number)

    def refused(self, number: Number, clock: float, wait: float) -> None:
        """The channel will not take this one: it waits `wait` seconds and stands in nobody's way."""
        self._land(number, clock, unknown=True)
        number.refused = True
        number.refusals += 1
        self._hold(number, clock + wait)

    def _land(self, number: Number, clock: float, *, unknown: bool) -> None:
        later = self._flying.pop(number.key).later
        if later is not None:
            number.quantity = later.quantity
        number.since = number.moved = clock
        number.failures += 1
        number.refused = False
        if unknown:
            self._told.setdefault(number.sku, {})[number.location] = None

    def _enqueue(self, number: Number) -> None:
        if self._until:
            until, number.refused = self._until.pop(number.key, (0.0, False))
            number.refusals += number.refused
            if until > number.since:
                self._hold(number, until)
                return
        self._waiting[number.key] = number
        self._rank(number)

    def _rank(self, number: Number) -> None:
        key = number.key
        told = self._told.get(number.sku, {}).get(number.location, ZERO)
        self._outs.pop(key, None)
        self._hot.pop(key, None)
        if number.quantity == 0:
            if told != 0:
                self._outs[key] = None
        elif told is not None and number.quantity < told and number.quantity <= max(NEAR_ZERO, told - number.quantity):
            # Few are left, or no more than were sold since the channel heard last.
            self._hot[key] = None

    def _hold(self, number: Number, until: float) -> None:
        number.until = until
        self._held[number.key] = number
        heapq.heappush(self._ends, (until, number.key))

    def _release(self, clock: float) -> None:
        while self._ends and self._ends[0][0] <= clock:
            until, key = heapq.heappop(self._ends)
            number = self._held.get(key)
            if number is not None and number.until == until:
                del self._held[key]
                number.since = number.moved = clock
                self._enqueue(number)

    def _pop(self, key: Pair) -> Number:
        number = self._waiting[key]
        self._drop(key)
        return number

    def _drop(self, key: Pair) -> None:
        del self._waiting[key]
        self._outs.pop(key, None)
        self._hot.pop(key, None)


def _number(key: Pair, quantity: Decimal, changed_at: datetime, clock: float) -> Number:
    return Number(sku=key[0], location=key[1], quantity=quantity, changed_at=changed_at, since=clock, moved=clock)


def _ripe_at(number: Number) -> float:
    return min(number.moved + QUIET_SECONDS, number.since + LONGEST_WAIT)
