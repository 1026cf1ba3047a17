# SPDX-License-Identifier: Apache-2.0
"""Run the demo from the first engine to the audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.app.demo.audit import Verdict, audit
from crossdock.app.demo.control import Control
from crossdock.app.demo.figures import Figures, publishers, publishing, read_figures
from crossdock.app.demo.play import SCARCE, Script, open_doors, play
from crossdock.app.demo.returning import ask_back, come_back
from crossdock.app.demo.stage import staged
from crossdock.app.up import Running, running
from crossdock.runtime.postgres import open_pool
from crossdock.settings import Settings

LOOK_SECONDS = 0.5
REST_SECONDS = 180.0
# At rest means: nothing has moved in so many looks in a row (webhooks of the simulators may still be retried).
CALM_LOOKS = 4
PRODUCTS = 200

Show = Callable[[str, Figures], None]


class Scene(Struct, frozen=True):
    """A running demo: Crossdock, the simulators' control, a pool to read figures with, and what everybody wants."""

    crossdock: Running
    control: Control
    pool: asyncpg.Pool
    estate: Path
    scarce: tuple[str, ...]


@asynccontextmanager
async def scene(settings: Settings, seed: int) -> AsyncIterator[Scene]:
    """Everything running on `settings.data`, doors open, as long as the block."""
    folder: Path = settings.data / "estate"
    async with (
        staged(folder, seed=seed, products=PRODUCTS, governed=True) as stage,
        running(stage.estate, settings, stage.environment) as crossdock,
    ):
        control = Control(stage.urls)
        pool = await open_pool(crossdock.endpoints.database_url, min_size=1, max_size=2, name="crossdock-demo")
        try:
            scarce = tuple(product.sku for product in stage.catalog.products[:SCARCE])
            await open_doors(control, crossdock.url, scarce)
            yield Scene(crossdock, control, pool, stage.estate, scarce)
        finally:
            await pool.close()
            await control.close()


async def perform(stage: Scene, script: Script, show: Show) -> Verdict:
    """Play `script`, wait until all is at rest (or for three minutes), and audit."""
    await _opened(stage, show)
    script = replace(script, gateway=stage.crossdock.url, scarce=stage.scarce)
    playing = asyncio.create_task(play(stage.control, script))
    while not playing.done():
        show("playing", await read_figures(stage.pool))
        await asyncio.wait({playing}, timeout=LOOK_SECONDS)
    await playing
    await _settle(stage, show)
    await stage.control.post("warehouse", "ship", {"max": 100_000})
    await _settle(stage, show)
    await ask_back(stage.crossdock.url)
    await _settle(stage, show)
    await come_back(stage.control)
    await _settle(stage, show)
    return await audit(stage.pool, stage.control, stage.estate)


async def _opened(stage: Scene, show: Show) -> None:
    """Wait until every channel knows the opening stock: nobody can sell what it was not told of."""
    loop = asyncio.get_running_loop()
    until = loop.time() + REST_SECONDS
    told = publishers(stage.estate)
    while loop.time() < until:
        figures = await read_figures(stage.pool)
        show("opening", figures)
        if figures.stock_told and figures.at_rest and await publishing(stage.pool, told):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _settle(stage: Scene, show: Show) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + REST_SECONDS
    calm, before = 0, None
    while calm < CALM_LOOKS and loop.time() < until:
        figures = await read_figures(stage.pool)
        show("settling", figures)
        still = figures.at_rest and before is not None and figures.settled == before.settled
        calm = calm + 1 if still else 0
        before = figures
        await asyncio.sleep(LOOK_SECONDS)
