# SPDX-License-Identifier: Apache-2.0
"""Requests that cannot be: every fault is named with its field and its fix, and nothing is held."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from crossdock.errors import Refused
from crossdock.inventory.request import check
from crossdock.inventory.reservation import MOST_LINES, ReservationLine
from tests.inventory.holding import FACTS, goods, reserved, reserving, rules, stocked, want


def line(sku: str, quantity: str, **how: Any) -> ReservationLine:
    return ReservationLine(sku=sku, quantity=Decimal(quantity), **how)


BAD: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("ttl of zero", {"ttl_seconds": 0}, [("ttl_seconds", "reservation.ttl")]),
    ("ttl below zero", {"ttl_seconds": -5}, [("ttl_seconds", "reservation.ttl")]),
    ("ttl of a year", {"ttl_seconds": 31_536_000}, [("ttl_seconds", "reservation.ttl")]),
    ("ttl without end", {"ttl_seconds": 10**400}, [("ttl_seconds", "reservation.ttl")]),
    ("no lines", {"lines": ()}, [("lines", "reservation.size")]),
    ("too many lines", {"lines": (line("CD-1", "1"),) * (MOST_LINES + 1)}, [("lines", "reservation.size")]),
    ("unknown channel", {"channel": "bazaar"}, [("channel", "reservation.channel")]),
    ("reference with NUL", {"reference": "a\x00b"}, [("reference", "reservation.name")]),
    ("unknown SKU", {"lines": (line("NOPE", "1"),)}, [("lines[0].sku", "reservation.sku")]),
    ("retired SKU", {"lines": (line("OLD", "1"),)}, [("lines[0].sku", "reservation.sku")]),
    ("unknown unit", {"lines": (line("CD-1", "1", unit="PAL"),)}, [("lines[0].unit", "reservation.unit")]),
    (
        "unknown location",
        {"lines": (line("CD-1", "1", locations=("EAST", "MOON")),)},
        [("lines[0].locations[1]", "reservation.location")],
    ),
    ("half a piece", {"lines": (line("CD-1", "0.5"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("half a case", {"lines": (line("CD-1", "0.5", unit="CS"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("half a bundle", {"lines": (line("KIT", "1.5"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("half a service", {"lines": (line("FEE", "1.5"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("nothing", {"lines": (line("CD-1", "0"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("less than nothing", {"lines": (line("CD-1", "-1"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("no number", {"lines": (line("CD-1", "NaN"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("a signalling one", {"lines": (line("CD-1", "sNaN"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("no end", {"lines": (line("CD-1", "Infinity"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("far too many", {"lines": (line("CD-1", "1E+400"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("far too fine", {"lines": (line("ROPE", "1E-400"),)}, [("lines[0].quantity", "reservation.quantity")]),
    ("too fine", {"lines": (line("ROPE", "1.0000000001"),)}, [("lines[0].quantity", "reservation.quantity")]),
    (
        "a line twice",
        {"lines": (line("CD-1", "1", line="a"), line("CD-1", "1", line="a"))},
        [("lines[1].line", "reservation.line")],
    ),
    (
        "everything at once",
        {
            "ttl_seconds": 0,
            "lines": (line("NOPE", "1"), line("CD-1", "1", unit="PAL", locations=("MOON",)), line("CD-2", "-1")),
        },
        [
            ("ttl_seconds", "reservation.ttl"),
            ("lines[0].sku", "reservation.sku"),
            ("lines[1].locations[0]", "reservation.location"),
            ("lines[1].unit", "reservation.unit"),
            ("lines[2].quantity", "reservation.quantity"),
        ],
    ),
]


@pytest.mark.parametrize(("changes", "faults"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_wrong_is_named_all_at_once(changes: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    bad = check(want("bad", ("CD-1", 1), **changes).request, rules(), FACTS)
    assert isinstance(bad, Refused)
    assert bad.status == 422
    told = bad.failures or (bad,)
    assert [(one.field, one.rule) for one in told] == faults
    assert all(one.fix and len(one.reason) < 300 for one in told)


async def test_of_bad_requests_nothing_is_held_and_good_ones_beside_them_are(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 5), ("CD-2", "EAST", 5), ("ROPE", "EAST", 5))
    bad = [want(name, ("CD-1", 1), **changes) for name, changes, _ in BAD]
    *refused, good = await reserving(pool).reserve([*bad, want("good", ("CD-1", 1))])
    assert goods(good) == [("1", "CD-1", "EAST", "1")]
    assert [getattr(one, "status", 0) for one in refused] == [422] * len(BAD)
    assert await reserved(pool) == {("CD-1", "EAST"): 1}
