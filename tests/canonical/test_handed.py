# SPDX-License-Identifier: Apache-2.0
"""Handing objects over by their bytes: the same object as decoding, once, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files

import msgspec
import pytest

from crossdock.canonical.handed import Handed
from crossdock.canonical.objects import decode, encode
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder

SAMPLES = [
    path.read_bytes()
    for path in sorted(files("crossdock.connectors.shopify").joinpath("samples").iterdir(), key=str)
    if path.name.startswith("shopify.order.") and path.name.endswith(".out.json")
]


@dataclass
class Clock:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


def sample(number: int = 0) -> SalesOrder:
    order: SalesOrder = decode("sales_order", SAMPLES[number])
    return order


def known_as(number: int) -> SalesOrder:
    return msgspec.structs.replace(sample(), order_key=f"shop/{number:06d}")


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_what_is_handed_over_is_what_its_bytes_say(number: int) -> None:
    handed, order = Handed(), sample(number)
    body = handed.encode(order)
    assert body == encode(order)
    assert handed.decode("sales_order", bytes(bytearray(body))) is order
    assert len(handed) == 0
    again = handed.decode("sales_order", body)
    assert again == order
    assert again is not order


def test_bytes_that_were_not_made_here_are_decoded() -> None:
    handed, order = Handed(), sample()
    handed.encode(order)
    other = encode(msgspec.structs.replace(order, note="another"))
    assert handed.decode("sales_order", other).note == "another"
    assert len(handed) == 1


def test_bytes_of_another_kind_are_decoded_as_what_they_are_asked_for() -> None:
    handed = Handed()
    body = handed.encode(Quantity(value=Decimal(1)))
    with pytest.raises(msgspec.ValidationError):
        handed.decode("sales_order", body)
    with pytest.raises(KeyError):
        handed.decode("nothing", handed.encode(sample()))


def test_no_more_is_held_than_allowed_and_what_came_first_stays() -> None:
    size = len(encode(known_as(0)))
    handed = Handed(most=3 * size + 1, clock=Clock())
    bodies = [handed.encode(known_as(number)) for number in range(5)]
    assert len(handed) == 3
    assert handed.decode("sales_order", bodies[0]) == known_as(0)
    assert handed.decode("sales_order", bodies[4]) == known_as(4)
    assert len(handed) == 2


def test_what_nobody_came_for_makes_room() -> None:
    clock = Clock()
    size = len(encode(known_as(0)))
    handed = Handed(most=2 * size, patience=60.0, clock=clock)
    handed.encode(known_as(0))
    clock.at = 30.0
    handed.encode(known_as(1))
    clock.at = 61.0
    handed.encode(known_as(2))
    held = [known_as(number) for number in (1, 2)]
    assert len(handed) == 2
    assert [handed.decode("sales_order", encode(order)) for order in held] == held
    assert len(handed) == 0


def test_the_same_bytes_are_held_once() -> None:
    handed = Handed()
    handed.encode(sample())
    handed.encode(sample())
    assert len(handed) == 1
