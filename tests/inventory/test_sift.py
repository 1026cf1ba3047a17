# SPDX-License-Identifier: Apache-2.0
"""Sifting looks names up among those seen; it never goes through them, which would make a long replay quadratic."""

from __future__ import annotations

from collections.abc import Iterator, Set

import asyncpg

from crossdock.catalog.cache import Catalog
from crossdock.inventory.sift import Name, names_of, sift
from crossdock.journal.decided import Translated
from tests.inventory.deciding import counted, moved, movements
from tests.orders.making import translated


class Seen(Set[Name]):
    """A set that fails when it is gone through."""

    def __init__(self, *names: Name) -> None:
        self._names = frozenset(names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[Name]:
        raise AssertionError("gone through")

    def __len__(self) -> int:
        return len(self._names)


def documents() -> list[Translated]:
    """Two counts and two documents of movements, with an element that is in both of a kind."""
    return [
        translated(counted("c1", 5, ("CD-1", "1"), ("CD-2", "2")), "stock_count", 1),
        translated(counted("c1", 5, ("CD-2", "2"), ("OIL", "3 LTR")), "stock_count", 2),
        translated(movements(moved("m1"), moved("m2")), "stock_movements", 3),
        translated(movements(moved("m2"), moved("m3")), "stock_movements", 4),
    ]


async def test_what_was_seen_is_known_without_going_through_it(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        sifted = await sift(conn, documents(), Catalog(), Seen(("wms", "c1/CD-1"), ("wms", "m1")))
    assert sifted.names == [("wms", "m2"), ("wms", "m3"), ("wms", "c1/CD-2"), ("wms", "c1/OIL")]
    assert sifted.known == 4
    assert [(one.claimed.id, sorted(names_of(one))) for one in sifted.missing] == [
        (1, [("wms", "c1/CD-2")]),
        (2, [("wms", "c1/OIL")]),
        (3, [("wms", "m2")]),
        (4, [("wms", "m3")]),
    ]
