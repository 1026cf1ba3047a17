# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import aiohttp
import pytest

from crossdock.sandbox.faults import REQUEST_KINDS, Fault, FaultBook
from crossdock.sandbox.warehouse import WarehouseConfig, WarehouseSim


def test_a_count_is_used_up_by_matching_paths_only() -> None:
    book = FaultBook(1)
    book.add(Fault("error_before", count=2, match="/orders"))
    hits = [bool(book.draw(REQUEST_KINDS, path)) for path in ("/orders/1", "/stock", "/orders/2", "/orders/3")]
    assert hits == [True, False, True, False]


def test_probability_is_drawn_with_the_seed() -> None:
    def run() -> list[bool]:
        book = FaultBook(42)
        book.add(Fault("slow", probability=0.5))
        return [bool(book.draw(REQUEST_KINDS, "/")) for _ in range(200)]

    assert run() == run()
    assert 60 < sum(run()) < 140


def test_a_fault_ends_by_itself() -> None:
    now = [0.0]
    book = FaultBook(1, clock=lambda: now[0])
    book.add(Fault("down", for_seconds=5))
    assert book.draw(REQUEST_KINDS, "/")
    now[0] = 6.0
    assert not book.draw(REQUEST_KINDS, "/")


@pytest.mark.parametrize("fault", [Fault("slow", probability=2), Fault("slow", count=0), Fault("slow", seconds=-1)])
def test_senseless_faults_are_refused(fault: Fault) -> None:
    with pytest.raises(ValueError, match="give"):
        FaultBook(1).add(fault)


ORDER = {
    "reference": "FO-1",
    "order_reference": "#1",
    "location": "DC-EAST",
    "ship_to": {"name": "A", "address1": "1", "city": "B", "postal_code": "1", "country": "US"},
    "lines": [{"line": 1, "sku": "CD-00001", "quantity": "1", "unit": "EA"}],
}


@pytest.mark.parametrize(
    ("kind", "done", "status"),
    [
        ("error_after", 1, 500),
        ("cut_after", 1, None),
        ("error_before", 0, 503),
        ("down", 0, None),
        ("throttled", 0, 429),
    ],
)
async def test_each_fault_around_a_real_call(
    http: aiohttp.ClientSession, kind: str, done: int, status: int | None
) -> None:
    async with WarehouseSim(WarehouseConfig()) as warehouse:
        async with http.post(f"{warehouse.url}/_sim/faults", json={"kind": kind, "count": 1}) as answer:
            assert answer.status == 200
        got: int | None
        try:
            async with http.post(
                f"{warehouse.url}/api/v1/fulfillment-orders:batch",
                json={"fulfillment_orders": [ORDER]},
                headers={"Authorization": "Bearer warehouse-token"},
            ) as answer:
                got = answer.status
        except aiohttp.ClientError:
            got = None
        assert got == status
        async with http.get(f"{warehouse.url}/_sim/counts") as answer:
            assert (await answer.json())["fulfillment_orders"] == done


async def test_an_unknown_fault_is_explained(http: aiohttp.ClientSession) -> None:
    async with WarehouseSim() as warehouse:
        async with http.post(f"{warehouse.url}/_sim/faults", json={"kind": "flood"}) as answer:
            assert answer.status == 400
            assert "flood" in (await answer.json())["error"]
        async with http.get(f"{warehouse.url}/_sim/nothing") as answer:
            assert answer.status == 404
