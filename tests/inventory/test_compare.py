# SPDX-License-Identifier: Apache-2.0
"""Comparisons with systems that list anything: many differences, several names, parts of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest

from crossdock.canonical.master_data import Component, Product
from crossdock.catalog.accept import accept_products
from crossdock.errors import EngineAway
from crossdock.inventory.compared import ComparedSystem, ReconcileRules
from crossdock.inventory.mend import MOST_CASES
from crossdock.inventory.reconcile import ACCURACY
from crossdock.inventory.reconciled import newest
from crossdock.runtime.postgres import connect
from crossdock.sdk.listing import StockPage
from tests.inventory.comparing import Shelf, compared, crosswalk, fill, found, system

MODULE = "crossdock.inventory.reconcile"


async def _kept(pool: asyncpg.Pool, run: int) -> set[str]:
    """Keys of the documents that a comparison made."""
    return {row["key"] for row in await pool.fetch("SELECT key FROM document WHERE version = $1", run)}


async def _accuracy(pool: asyncpg.Pool) -> dict[str, float]:
    async with pool.acquire() as conn:
        return {point.dimension: point.value for point in await newest(conn, ACCURACY)}


async def test_what_they_do_not_list_waits_for_a_person_once(pool: asyncpg.Pool) -> None:
    await fill(pool, ("A", "EAST", 3))
    now = timedelta(0)
    rules = ReconcileRules(heal_units=Decimal(5), truth={"EAST": "wms"}, late_within=now, look_again_after=now)
    actions = []
    for _ in range(2):
        report = await compared(pool, system(Shelf()), rules=rules)
        actions += [(one.theirs, one.action) for one in found(report)]
    assert actions == [(None, "case"), (None, "case_open")]
    assert await pool.fetchval("SELECT count(*) FROM document") == 1


async def test_what_they_keep_under_several_names_and_at_several_places_is_added_up(pool: asyncpg.Pool) -> None:
    await fill(pool, ("A", "EAST", 6), ("B", "EAST", 9))
    for name, theirs, ours in (("sku", "A-OLD", "A"), ("location", "HALL-1", "EAST"), ("location", "HALL-2", "EAST")):
        await crosswalk(pool, name, theirs, ours)
    rows = [("A", "HALL-1", "1"), ("A", "HALL-2", "2"), ("A-OLD", "HALL-2", "3"), ("B", "HALL-1", "4")]
    shelf = Shelf(*rows, ("B", "HALL-2", "7"), ("B", "HALL-2", "4"))
    (one,) = found(await compared(pool, system(shelf)))
    assert (one.sku, one.ours, one.theirs, one.names) == ("B", 9, 8, ["B"]), "of a row that came twice the later counts"
    assert shelf.asked == [[], ["B"]]
    shelf.rows[0] = ("A", "HALL-1", "0")
    (one,) = found(await compared(pool, system(shelf), skus=["A"]))
    assert (one.sku, one.ours, one.theirs, one.names) == ("A", 6, 5, ["A", "A-OLD"])
    assert shelf.asked[2:] == [["A", "A-OLD"]] * 2


async def test_a_name_of_ours_that_means_another_sku_is_not_asked_for(pool: asyncpg.Pool) -> None:
    await fill(pool, ("A", "EAST", 6), ("B", "EAST", 9))
    await crosswalk(pool, "sku", "A", "B")
    await crosswalk(pool, "sku", "A-NEW", "A")
    shelf = Shelf(("A", "EAST", "4"), ("B", "EAST", "5"), ("A-NEW", "EAST", "6"))
    assert list(found(await compared(pool, system(shelf), skus=["A"]))) == []
    assert list(found(await compared(pool, system(shelf), skus=["B"]))) == []
    assert shelf.asked == [["A-NEW"], ["A", "B"]]


@pytest.mark.parametrize(("looked", "known"), [(3, 5), (3, 100), (100, 100)])
async def test_accuracy_counts_every_difference_however_many_are_looked_at(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, looked: int, known: int
) -> None:
    monkeypatch.setattr(f"{MODULE}.MOST_LOOKED_AT", looked)
    monkeypatch.setattr(f"{MODULE}.MOST_DIFFERENCES", known)
    await fill(pool, *((f"A-{number}", "EAST", 7) for number in range(10)))
    shelf = Shelf(*((f"A-{number}", "EAST", "7" if number > 7 else "1") for number in range(10)))
    report = await compared(pool, system(shelf))
    assert (report.compared, report.equal) == (10, 2)
    left = 8 - looked
    told = [f"{left} other differences are left to the next comparison"] if left > 0 else []
    assert report.systems[0].problems == told
    assert await _accuracy(pool) == dict.fromkeys(("", "wms", "wms/EAST"), 0.2)


async def test_each_of_too_many_differences_gets_its_turn(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.MOST_LOOKED_AT", 2)
    names = [f"A-{number}" for number in range(6)]
    await fill(pool, *((name, "EAST", 7) for name in names))
    seen = [{one.sku for one in found(await compared(pool, system(Shelf())))} for _ in range(12)]
    assert {len(some) for some in seen} == {2}
    assert set.union(*seen) == set(names)


async def test_no_more_cases_than_a_person_can_look_at(pool: asyncpg.Pool) -> None:
    await fill(pool, *((f"A-{number}", "EAST", 7) for number in range(MOST_CASES + 5)))
    for acted in ({"case": MOST_CASES, "left": 5}, {"case_open": MOST_CASES, "left": 5}):
        report = await compared(pool, system(Shelf()))
        assert {action: report.acted(action) for action in acted} == acted
        assert report.systems[0].problems == ["5 differences became no case, because there are so many"]


@pytest.mark.parametrize(("known", "closed"), [(100, {"difference/wms/A@EAST"}), (2, set())])
async def test_a_case_is_closed_only_when_it_is_known_that_the_figures_are_equal(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, known: int, closed: set[str]
) -> None:
    await fill(pool, *((name, "EAST", 7) for name in "ABCD"))
    shelf = Shelf()
    first = await compared(pool, system(shelf))
    assert len(await _kept(pool, first.id)) == 4
    shelf.rows = [("A", "EAST", "7")]
    monkeypatch.setattr(f"{MODULE}.MOST_LOOKED_AT", 1)
    monkeypatch.setattr(f"{MODULE}.MOST_DIFFERENCES", known)
    second = await compared(pool, system(shelf))
    assert [one.action for one in found(second)] == ["case_open"]
    assert await _kept(pool, second.id) == closed


class _Away(Shelf):
    """A system whose lister breaks the rule about its errors."""

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        raise ConnectionResetError("no route")


async def test_a_part_says_nothing_of_the_whole(pool: asyncpg.Pool) -> None:
    await fill(pool, ("A", "EAST", 1))
    good, bad = system(Shelf(("A", "EAST", "1"))), system(Shelf(("A", "EAST", "2")), "erp")
    await compared(pool, good, bad)
    assert (await _accuracy(pool))[""] == 0.5
    await compared(pool, good, system="wms")
    assert await _accuracy(pool) == {"": 0.5, "erp": 0.0, "erp/EAST": 0.0, "wms": 1.0, "wms/EAST": 1.0}
    report = await compared(pool, good, system(_Away(), "erp"))
    assert report.systems[1].problems == ["could not be asked: erp cannot be reached: ConnectionResetError: no route"]
    assert (await _accuracy(pool))[""] == 0.5
    await compared(pool, good)
    assert (await _accuracy(pool))[""] == 1.0


async def test_the_newest_figure_of_each_dimension(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO kpi (name, dimension, at, value) SELECT n, d, now() - h * interval '1 hour', h"
        " FROM unnest(ARRAY['inventory_accuracy', 'other']) n, unnest(ARRAY['', 'a', 'b/c']) d, generate_series(1, 3) h"
        " WHERE d <> 'a' OR h > 1"
    )
    assert await _accuracy(pool) == {"": 1.0, "a": 2.0, "b/c": 1.0}
    await pool.execute("DELETE FROM kpi WHERE name = 'inventory_accuracy'")
    assert await _accuracy(pool) == {}


async def _shown(pool: asyncpg.Pool) -> ComparedSystem:
    """A shop that was told 10 of A an hour ago, and shows 8."""
    await pool.execute(
        "INSERT INTO channel_stock (system, sku, location, told, told_at)"
        " VALUES ('shop', 'A', '', 10, now() - interval '1 hour')"
    )
    return system(Shelf(("A", "", "8")), "shop", what="available", locations=frozenset())


@pytest.mark.parametrize("summed", [False, True])
async def test_what_a_channel_shows_of_goods_it_is_about_to_be_told_of_is_for_nobody(
    pool: asyncpg.Pool, summed: bool
) -> None:
    await fill(pool, ("A", "EAST", 1), ("B", "EAST", 1), ("C", "WEST", 1), ("NONE", "EAST", 1))
    async with pool.acquire() as conn:
        kit = Product(sku="KIT", components=(Component(sku="A", quantity=Decimal(1)),))
        await accept_products(conn, [(None, kit)])
    await pool.execute("UPDATE stock_level SET sequence = 0 WHERE sku = 'NONE'")
    place = "" if summed else "EAST"
    await pool.execute(
        "INSERT INTO channel_stock (system, sku, location, problem) VALUES ('shop', 'B', $1, 'not listed')", place
    )
    shelf = Shelf(*((sku, place, "8") for sku in ("A", "B", "C", "KIT", "NONE")))
    places = frozenset({"EAST"})
    shop = system(shelf, "shop", what="available", locations=places)
    kinds = {one.sku: (one.kind, one.action) for one in found(await compared(pool, shop))}
    assert kinds == {
        "A": ("in_flight", ""),
        "B": ("phantom", "case"),
        "C": ("phantom", "case"),
        "KIT": ("in_flight", ""),
        "NONE": ("phantom", "case"),
    }


async def test_comparing_others_in_between_does_not_have_a_channel_told_for_ever(pool: asyncpg.Pool) -> None:
    await fill(pool, ("A", "EAST", 1), ("B", "EAST", 1))
    shop, wms = await _shown(pool), system(Shelf(("A", "EAST", "1"), ("B", "EAST", "1")))

    async def actions(*systems: ComparedSystem, **asked: object) -> list[str]:
        report = await compared(pool, *systems, **asked)
        await pool.execute("UPDATE channel_stock SET told = 10")
        return [one.action for one in found(report)]

    assert await actions(shop, wms) == ["told_again"]
    assert await actions(wms, system="wms") == []
    assert await actions(shop, system="shop", skus=["B"]) == []
    assert await actions(shop, wms) == ["case"]


async def test_a_channel_that_has_shown_the_number_since_is_told_again(pool: asyncpg.Pool) -> None:
    await fill(pool, ("A", "EAST", 1))
    shop = await _shown(pool)
    told: list[list[str]] = []
    for shows in ("8", "10", "8"):
        shop.lister.rows = [("A", "", shows)]  # type: ignore[attr-defined]
        told.append([one.action for one in found(await compared(pool, shop))])
        await pool.execute("UPDATE channel_stock SET told = 10")
    assert told == [["told_again"], [], ["told_again"]]


class _Killer(Shelf):
    """A system that is asked at the moment PostgreSQL ends every connection."""

    def __init__(self, database: str) -> None:
        super().__init__()
        self._database = database

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        conn = await connect(self._database)
        await conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await conn.close()
        return await super().stock(skus=skus, after=after)


async def test_a_database_that_goes_away_meanwhile_is_said_to_be_away(pool: asyncpg.Pool, database: str) -> None:
    with pytest.raises(EngineAway):
        await compared(pool, system(_Killer(database)))
