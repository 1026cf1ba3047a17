# SPDX-License-Identifier: Apache-2.0
"""Wire the comparison of prices: which systems are asked, how often."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import asyncpg
import structlog

from crossdock.app.price_rules import price_rules_of
from crossdock.app.reconciling import AGAIN_SECONDS, LONGEST_REST, SHARE, until_due
from crossdock.app.wiring import Wired, secret_of
from crossdock.catalog.price_compared import ComparedPrices
from crossdock.catalog.price_drift import KIND, AskedPrices, reconcile_prices
from crossdock.errors import Busy, EngineAway, NeedsConfig
from crossdock.estate.durations import duration
from crossdock.sdk.connector import SystemConfig

log = structlog.get_logger(__name__)


def look_again_after(wired: Wired) -> timedelta:
    """The pause before the second look."""
    return duration(wired.estate.declared.pricing.reconcile.look_again_after)


@asynccontextmanager
async def compared_prices(wired: Wired, only: str = "") -> AsyncIterator[list[ComparedPrices]]:
    """Every system that can be asked for its prices, or the one called `only`: those that are told prices, and ERPs;
    closed at the end. NeedsConfig when `only` is none of them."""
    names = [name for name, one in wired.connectors.items() if one.make_price_lister is not None]
    systems = [made for name in names if only in ("", name) for made in [_compared(wired, name)] if made is not None]
    if only and not systems:
        raise NeedsConfig(
            f"{only!r} shows no prices that could be compared",
            field="system",
            value=only,
            fix="name a system of a channel under price_publication, or an ERP that can be asked for its prices",
        )
    try:
        yield systems
    finally:
        for system in systems:
            await system.lister.close()


def _compared(wired: Wired, name: str) -> ComparedPrices | None:
    estate, connector = wired.estate, wired.connectors[name]
    if connector.make_price_lister is None:
        return None
    lists = connector.manifest.prices[0]
    channel, currency = "", ""
    if lists.what == "shown":
        rules = [rule for rule in price_rules_of(estate).values() if rule.system == name]
        if not rules:
            return None
        channel, currency = rules[0].channel, rules[0].currency
    else:
        books = [entity.currency for entity in estate.declared.entities.values() if entity.erp == name]
        if not books:
            return None
        currency = books[0]
    limits = estate.limits(name, connector.manifest.limits)
    config = SystemConfig(
        name=name,
        settings=estate.settings(name, os.environ),
        secret=secret_of(wired, name),
        limits=limits,
        names=estate.names(name),
        translate={},
    )
    return ComparedPrices(
        name=name,
        channel=channel,
        currency=currency,
        lister=connector.make_price_lister(config),
        skus=lists.skus,
        pause=1 / (limits.rate * SHARE) if limits.rate else 0.0,
    )


async def watch_prices(stop: asyncio.Event, pool: asyncpg.Pool, wired: Wired) -> None:
    """Compare prices as often as the estate says, until `stop` is set; survives an absent database."""
    said = wired.estate.declared.pricing.reconcile
    if not said.every:
        return
    every = duration(said.every)
    asked = AskedPrices(by="schedule", look_again_after=look_again_after(wired))
    while not stop.is_set():
        rest = AGAIN_SECONDS
        try:
            rest = await until_due(pool, KIND, every)
            if rest <= 0:
                async with compared_prices(wired) as systems:
                    await reconcile_prices(pool, systems, asked)
                rest = 1.0
        except (EngineAway, Busy) as error:
            log.info("prices.compared_later", reason=error.reason)
        except Exception:  # edge: a bug in comparing must not end the scheduler's other tasks
            log.exception("prices.compare_failed")
        with suppress(TimeoutError):
            async with asyncio.timeout(min(rest, LONGEST_REST)):
                await stop.wait()
