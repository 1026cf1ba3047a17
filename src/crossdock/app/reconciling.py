# SPDX-License-Identifier: Apache-2.0
"""Wire the comparison of stock: which systems are asked, by which rules, how often."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from decimal import Decimal

import asyncpg
import structlog

from crossdock.app.wiring import Wired, own_interface, secret_of
from crossdock.errors import Busy, EngineAway, NeedsConfig
from crossdock.estate.compile import CompiledEstate
from crossdock.estate.durations import duration
from crossdock.inventory.compared import ComparedSystem, ReconcileRules
from crossdock.inventory.reconcile import KIND, Asked, reconcile
from crossdock.journal.comparing import SQL as COMPARE
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away
from crossdock.sdk.connector import SystemConfig

# A listing takes no more than this share of the calls a system allows.
SHARE = 0.2
AGAIN_SECONDS = 30.0
LONGEST_REST = 60.0

log = structlog.get_logger(__name__)


def reconcile_rules(estate: CompiledEstate) -> ReconcileRules:
    """How stock is compared, from the estate. NeedsConfig without an `inventory` section."""
    inventory = estate.declared.inventory
    if inventory is None:
        raise NeedsConfig(
            "the estate has no inventory section, so there is no stock to compare",
            field="inventory",
            fix="add `inventory: {}` to the estate",
        )
    said = inventory.reconcile
    text = str(said.heal_up_to).replace(" ", "")
    percent = text.endswith("%")
    most = Decimal(text.removesuffix("%"))
    return ReconcileRules(
        every=duration(said.every) if said.every else None,
        heal_units=Decimal(0) if percent else most,
        heal_percent=most if percent else Decimal(0),
        tolerance=Decimal(said.tolerance),
        truth=said.truth,
        late_within=duration(said.late_within),
        look_again_after=duration(said.look_again_after),
    )


@asynccontextmanager
async def compared_systems(wired: Wired, only: str = "") -> AsyncIterator[list[ComparedSystem]]:
    """Every system that can be asked for its stock, or the one called `only`; closed at the end.

    NeedsConfig when `only` is none of them.
    """
    names = [name for name, connector in wired.connectors.items() if connector.make_lister is not None]
    if only and only not in names:
        known = ", ".join(names) or "none of this estate"
        raise NeedsConfig(
            f"{only!r} cannot be asked for its stock", field="system", value=only, fix=f"name one of {known}"
        )
    systems = [one for name in names if only in ("", name) for one in [_compared(wired, name)] if one is not None]
    try:
        yield systems
    finally:
        for system in systems:
            await system.lister.close()


def _compared(wired: Wired, name: str) -> ComparedSystem | None:
    estate, connector = wired.estate, wired.connectors[name]
    if connector.make_lister is None:
        return None
    lists = connector.manifest.lists[0]
    locations = _goods_at(estate, name) if lists.what == "on_hand" else _shown_at(estate, name)
    if locations is None:
        return None
    limits = estate.limits(name, connector.manifest.limits)
    config = SystemConfig(
        name=name,
        settings=estate.settings(name, os.environ),
        secret=secret_of(wired, name),
        limits=limits,
        names=estate.names(name),
        translate={},
    )
    return ComparedSystem(
        name=name,
        what=lists.what,
        lister=connector.make_lister(config),
        interface=own_interface(name),
        locations=locations,
        interfaces=[face.name for face in estate.interfaces.values() if face.system == name],
        skus=lists.skus,
        pause=1 / (limits.rate * SHARE) if limits.rate else 0.0,
    )


def _goods_at(estate: CompiledEstate, name: str) -> frozenset[str]:
    inventory = estate.declared.inventory
    truth = inventory.reconcile.truth if inventory is not None else {}
    return frozenset(
        place
        for place, location in estate.declared.locations.items()
        if location.system == name or name in location.codes or truth.get(place) == name
    )


def _shown_at(estate: CompiledEstate, name: str) -> frozenset[str] | None:
    """The locations a channel system is told of; None when it is told nothing."""
    told = [rules for system, rules in estate.stock_channels.values() if system == name and rules.publish]
    return frozenset(place for rules in told for place in rules.locations) if told else None


async def watch_stock(stop: asyncio.Event, pool: asyncpg.Pool, wired: Wired) -> None:
    """Compare stock as often as the estate says, until `stop` is set; survives an absent database."""
    if wired.estate.declared.inventory is None:
        return
    rules = reconcile_rules(wired.estate)
    if rules.every is None:
        return
    while not stop.is_set():
        rest = AGAIN_SECONDS
        try:
            rest = await until_due(pool, KIND, rules.every)
            if rest <= 0:
                async with compared_systems(wired) as systems:
                    await reconcile(pool, systems, rules, Asked(by="schedule"))
                rest = 1.0
        except (EngineAway, Busy) as error:
            log.info("reconcile.later", reason=error.reason)
        except Exception:  # edge: a bug in comparing must not end the scheduler's other tasks
            log.exception("reconcile.failed")
        with suppress(TimeoutError):
            async with asyncio.timeout(min(rest, LONGEST_REST)):
                await stop.wait()


async def until_due(pool: asyncpg.Pool, kind: str, every: timedelta) -> float:
    """Seconds until things of `kind` are to be compared of themselves again; 0 or less = now. Raises EngineAway."""
    with away():
        last = await pool.fetchval(COMPARE.last_reconciliation, kind)
    return 0.0 if last is None else (last + every - now()).total_seconds()
