# SPDX-License-Identifier: Apache-2.0
"""Prices and master data over HTTP, wired: what keeps the catalog up, and who answers from it."""

from __future__ import annotations

import asyncpg

from crossdock.api.master_data import customers_handler, products_handler
from crossdock.api.plain import App
from crossdock.api.price_question import PricedChannel
from crossdock.api.prices import PricesHandler
from crossdock.catalog.memory import CatalogMemory
from crossdock.estate.compile import CompiledEstate
from crossdock.estate.durations import duration


def master_routes(estate: CompiledEstate, memory: CatalogMemory, pool: asyncpg.Pool) -> dict[str, App]:
    """Who answers `/v1/NAME`, by NAME. `memory`: the catalog that is kept up, with a book of prices."""
    channels = {
        name: PricedChannel(channel.system, channel.currency) for name, channel in estate.declared.channels.items()
    }
    return {
        "prices": PricesHandler(memory, channels, duration(estate.declared.pricing.stale_after)),
        "products": products_handler(memory, pool),
        "customers": customers_handler(memory, pool),
    }
