# SPDX-License-Identifier: Apache-2.0
"""Read a whole listing, and ask simulators to act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp

from crossdock.sdk.listing import Listed, ListedPrice, Lister, PriceLister


async def all_pages(lister: Lister, skus: Sequence[str] = ()) -> tuple[list[Listed], int]:
    """Every row of the listing and how many pages it took; a listing without end fails after 50."""
    rows: list[Listed] = []
    after = ""
    for number in range(1, 51):
        page = await lister.stock(skus=skus, after=after)
        rows += page.items
        after = page.next
        if not after:
            return rows, number
    raise AssertionError("more than 50 pages")


async def all_prices(lister: PriceLister, skus: Sequence[str] = ()) -> tuple[list[ListedPrice], int]:
    """Every price of the listing and how many pages it took; a listing without end fails after 50."""
    rows: list[ListedPrice] = []
    after = ""
    for number in range(1, 51):
        page = await lister.prices(skus=skus, after=after)
        rows += page.items
        after = page.next
        if not after:
            return rows, number
    raise AssertionError("more than 50 pages")


async def act(url: str, what: str, body: Any = None) -> Any:
    """POST `body` to the control surface of the simulator at `url`, or GET it without one."""
    async with (
        aiohttp.ClientSession() as session,
        session.request("GET" if body is None else "POST", f"{url}/_sim/{what}", json=body) as reply,
    ):
        assert reply.status == 200, await reply.text()
        return await reply.json()
