# SPDX-License-Identifier: Apache-2.0
"""Asking a simulated market what it shows to buyers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import aiohttp

from crossdock.sandbox.market.simulator import MarketConfig, MarketSim
from tests.connectors.listing import act, all_pages


async def test_what_is_shown_is_listed_and_what_was_never_told_is_not(open_lister: Any) -> None:
    async with MarketSim(MarketConfig()) as market:
        lister = open_lister("channel_rest", settings={"url": market.url}, secrets={"token": market.config.token})
        assert (await all_pages(lister))[0] == []
        items = [
            {"sku": sku, "available": number, "sequence": 1, "as_of": "2026-11-23T12:00:00Z"}
            for sku, number in (("CD-00001", 30), ("CD-00002", 0))
        ]
        headers = {"Authorization": f"Bearer {market.config.token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{market.url}/api/v1/availability", json={"items": items}, headers=headers) as reply,
        ):
            assert reply.status == 207
        await act(market.url, "show", {"sku": "CD-00001", "available": 41})
        rows, _ = await all_pages(lister)
        assert [(row.sku, row.location, row.quantity) for row in rows] == [
            ("CD-00001", "", Decimal(41)),
            ("CD-00002", "", Decimal(0)),
        ]
        only, _ = await all_pages(lister, ["CD-00002", "CD-00003"])
        assert [(row.sku, row.quantity) for row in only] == [("CD-00002", Decimal(0))]
