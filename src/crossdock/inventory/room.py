# SPDX-License-Identifier: Apache-2.0
"""What one order may take where: free goods, what its reservation holds, and what an earlier version of it held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from crossdock.inventory.free import Hold
from crossdock.inventory.level import ZERO, Levels, Pair
from crossdock.inventory.needs import Need, Owed, Took, Wish


class Room:
    """Levels as one order may use them. Nothing is changed before `commit`."""

    def __init__(self, wish: Wish, levels: Levels) -> None:
        self._levels = levels
        self._held = dict(wish.held)
        self._earlier = wish.before
        self._before: dict[Pair, Decimal] = defaultdict(Decimal)
        for hold in wish.before:
            self._before[hold.sku, hold.location] += hold.open
        self._taken: dict[Pair, Decimal] = defaultdict(Decimal)
        self._owed: dict[Pair, Decimal] = defaultdict(Decimal)
        mine = frozenset(wish.locations)
        for owed in wish.owed:
            self._leave(owed, mine)

    def _leave(self, owed: Owed, mine: frozenset[str]) -> None:
        """Leave goods to who waits for them longer, as far as they are where this order may come from."""
        rest = owed.quantity
        for place in owed.places:
            if place in mine:
                pair = (owed.sku, place)
                some = min(rest, max(self._levels.at(*pair).free - self._owed[pair], ZERO))
                self._owed[pair] += some
                rest -= some

    def left(self, sku: str, location: str) -> Decimal:
        """How much is left to take."""
        pair = (sku, location)
        free = self._levels.at(sku, location).free - self._owed.get(pair, ZERO)
        free += self._held.get(pair, ZERO) + self._before.get(pair, ZERO)
        return max(free - self._taken.get(pair, ZERO), ZERO)

    def holds(self, sku: str, location: str) -> bool:
        """Whether the order's reservation holds some of it there."""
        return (sku, location) in self._held

    def seen(self, skus: Iterable[str], locations: Sequence[str]) -> dict[Pair, Decimal]:
        """What is left of these SKUs at these locations, where there is any."""
        there = {(sku, location): self.left(sku, location) for sku in sorted(skus) for location in locations}
        return {pair: quantity for pair, quantity in there.items() if quantity}

    def take(self, need: Need, takes: Iterable[Took]) -> None:
        """Take goods of `need`, for now."""
        for location, quantity in takes:
            for sku, each in need.parts.items():
                self._taken[sku, location] += quantity * each

    def put_back(self) -> None:
        """Put back everything that was taken."""
        self._taken.clear()

    def commit(self) -> tuple[tuple[Hold, Decimal], ...]:
        """Change the levels: the reservation is given up, what was taken is allocated, out of what was held before as
        far as that goes. How much of each earlier hold that took."""
        for (sku, location), quantity in self._held.items():
            self._levels.change(sku, location, reserved=-quantity)
        left = dict(self._taken)
        freed: list[tuple[Hold, Decimal]] = []
        for hold in self._earlier:
            pair = (hold.sku, hold.location)
            quantity = min(hold.open, left.get(pair, ZERO))
            if quantity:
                left[pair] -= quantity
                freed.append((hold, quantity))
        for (sku, location), quantity in left.items():
            if quantity:
                self._levels.change(sku, location, allocated=quantity)
        return tuple(freed)
