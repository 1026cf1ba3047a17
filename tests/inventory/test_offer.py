# SPDX-License-Identifier: Apache-2.0
"""A channel is told of the places it sells from, where there is or was something, and of nothing else."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from crossdock.inventory.level import Level
from crossdock.inventory.offer import offer
from crossdock.inventory.rules import Held
from tests.inventory.test_view import SHOP, view

SUMMED = replace(SHOP, summed=True)
CAREFUL = replace(SHOP, held=Held(safety=4, cap=9))


def test_numbers_are_what_the_rules_leave_at_every_place_with_a_level() -> None:
    here = view(channel=CAREFUL)
    here.apply([Level("CD-1", "EAST", Decimal(12), allocated=Decimal(1), sequence=1)])
    assert offer(here, CAREFUL, "CD-1", ()) == {"EAST": 7}
    here.apply([Level("CD-1", "WEST", Decimal(3), sequence=1)])
    assert offer(here, CAREFUL, "CD-1", ()) == {"EAST": 7, "WEST": 0}


def test_a_level_that_never_moved_is_told_to_nobody() -> None:
    here = view()
    here.apply([Level("CD-1", "EAST", sequence=0)])
    assert offer(here, SHOP, "CD-1", ()) == {}
    assert offer(here, SUMMED, "CD-1", ()) == {}


def test_a_place_the_channel_sells_from_no_more_is_told_zero() -> None:
    here = view()
    here.apply([Level("CD-1", "NORTH", Decimal(5), sequence=1)])
    assert offer(here, SHOP, "CD-1", {"NORTH"}) == {"NORTH": 0}
    assert offer(here, SHOP, "GONE", {"EAST"}) == {"EAST": 0}


def test_a_summed_channel_is_told_one_number() -> None:
    here = view(channel=SUMMED)
    here.apply([Level("CD-1", "EAST", Decimal(2), sequence=1), Level("CD-1", "WEST", Decimal(3), sequence=1)])
    assert offer(here, SUMMED, "CD-1", ()) == {"": 5}
    assert offer(here, SUMMED, "CD-2", {""}) == {"": 0}


def test_a_bundle_is_told_where_its_components_are() -> None:
    here = view(kit=True)
    assert offer(here, SHOP, "KIT", ()) == {}
    here.apply([Level("CD-1", "WEST", Decimal(1), sequence=1)])
    assert offer(here, SHOP, "KIT", ()) == {"WEST": 0}
    here.apply([Level("CD-1", "WEST", Decimal(5), sequence=2)])
    assert offer(here, SHOP, "KIT", ()) == {"WEST": 2}
