# SPDX-License-Identifier: Apache-2.0
"""What is on hand per item and location, page by page."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from crossdock.errors import RetryLater
from tests.connectors.business_central.answers import EXTENSION, Script, rows
from tests.connectors.listing import all_pages

PAGE = "x:locationStock"


def _row(item: str, location: str, quantity: float, **changed: Any) -> dict[str, Any]:
    return {
        "@odata.etag": 'W/"1"',
        "id": "fca5738a-44e3-ea11-bb43-000d3a2feca1",
        "itemNumber": item,
        "locationCode": location,
        "quantityOnHand": quantity,
        "quantityReserved": 1,
        "lastModifiedDateTime": "2026-11-23T11:24:19.347Z",
        **changed,
    }


async def test_pages_follow_the_links(company: Script, lister: Any) -> None:
    """Only the query of a link is followed: whatever host it names, our token stays where it belongs."""
    link = f"https://elsewhere.example{EXTENSION}/locationStock?aid=FIN&$skiptoken=%27CD-1%27"
    company.says(f"GET {PAGE}", rows(_row("CD-1", "EAST", 12.5), _row("CD-1", "", 0.1), next_link=link))
    company.says(f"GET {PAGE}", rows(_row("CD-2", "WEST", -3)))
    found, pages = await all_pages(lister)
    assert [(row.sku, row.location, row.quantity) for row in found] == [
        ("CD-1", "EAST", Decimal("12.5")),
        ("CD-1", "", Decimal("0.1")),
        ("CD-2", "WEST", Decimal(-3)),
    ]
    assert pages == 2
    assert found[0].changed_at == datetime(2026, 11, 23, 11, 24, 19, 347000, tzinfo=UTC)
    assert company.told[0].headers["Prefer"] == "odata.maxpagesize=10000"
    assert [told.query for told in company.told] == [{}, {"aid": "FIN", "$skiptoken": "'CD-1'"}]


async def test_skus_are_asked_for_by_number(company: Script, lister: Any) -> None:
    company.says(f"GET {PAGE}", rows(_row("CD-1", "EAST", 1), _row("O'HARA", "EAST", 2)))
    found, _ = await all_pages(lister, ["cd-1", "O'HARA", "X" * 21])
    assert company.told[0].query == {"$filter": "itemNumber eq 'cd-1' or itemNumber eq 'O''HARA'"}
    assert [row.sku for row in found] == ["cd-1", "O'HARA"]


async def test_numbers_that_cannot_be_there_are_not_asked_for(company: Script, lister: Any) -> None:
    assert await all_pages(lister, ["X" * 21]) == ([], 1)
    assert company.told == []


@pytest.mark.parametrize(
    "answer",
    [
        rows(_row("CD-1", "EAST", 1, quantityOnHand="many")),
        rows(_row("CD-1", "EAST", 1, lastModifiedDateTime="2026-11-23T11:24:19")),
        rows(_row("CD-1", "EAST", 1e30)),
        rows(next_link="https://elsewhere.example/without-a-query"),
        {"value": None},
    ],
)
async def test_answer_that_cannot_be_read_is_asked_for_again(company: Script, lister: Any, answer: Any) -> None:
    company.says(f"GET {PAGE}", answer)
    with pytest.raises(RetryLater):
        await lister.stock()
