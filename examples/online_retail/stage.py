# SPDX-License-Identifier: Apache-2.0
"""The example running: a work folder, a simulated NetSuite in a process of its own, and Crossdock."""

from __future__ import annotations

import asyncio
import csv
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.app.demo.control import Control
from crossdock.app.demo.figures import Figures, read_figures
from crossdock.app.demo.simulators import simulators, write_key
from crossdock.app.up import Running, running
from crossdock.errors import EngineAway
from crossdock.runtime.embedded import erase
from crossdock.runtime.postgres import open_pool
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.netsuite import NetSuiteConfig
from crossdock.sandbox.serve import ServeConfig
from crossdock.settings import Settings
from examples.online_retail.counts import Comparison, compare
from examples.online_retail.prepare import prepare
from examples.online_retail.totals import totals_of

INTERFACE = "online-retail.invoices"
CHARGE_ITEMS = ("CHARGE-SHIPPING", "CHARGE-FEE", "CHARGE-DISCOUNT", "CHARGE-TAX", "CHARGE-ADJUSTMENT")
ACCOUNT, CLIENT, CERTIFICATE = "TSTDRV9506000", "crossdock-client", "crossdock-certificate"
CONCURRENCY = 15
PORT = 8480
LOOK_SECONDS = 0.5
# At rest means: nothing has moved in so many looks in a row.
CALM_LOOKS = 3
REST_SECONDS = 900.0

Show = Callable[[Figures], None]


class Stage(Struct, frozen=True):
    """The example running in the folder `work`."""

    work: Path
    crossdock: Running
    control: Control
    pool: asyncpg.Pool


@asynccontextmanager
async def staged(export: Path, work: Path, port: int = PORT) -> AsyncIterator[Stage]:
    """The example prepared from `export` in `work` (a new or empty folder) and running as long as the block.

    `port`: where the console listens, or the next free one. The engines' data is erased at the end. Raises
    FileExistsError when `work` holds something already.
    """
    await asyncio.to_thread(_prepare, export, work)
    settings = Settings.from_environment({}, data=work / "data", port=port, log_level="warning")
    config = await asyncio.to_thread(_account, work)
    try:
        async with (
            simulators(work, ServeConfig(netsuite=config)) as urls,
            running(work / "estate.yaml", settings, _environment(urls["netsuite"])) as crossdock,
        ):
            control = Control(urls)
            pool = await open_pool(crossdock.endpoints.database_url, min_size=1, max_size=2, name="example")
            try:
                yield Stage(work, crossdock, control, pool)
            finally:
                pool.terminate()
                await control.close()
    finally:
        await asyncio.to_thread(erase, work / "data")


def _prepare(export: Path, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    if any(work.iterdir()):
        raise FileExistsError(f"{work} is not empty; name a new folder")
    prepare(export, work)


def _account(work: Path) -> NetSuiteConfig:
    """A NetSuite account that knows the export's products and customers, and an item for every kind of charge."""
    with (work / "products.csv").open(encoding="utf-8", newline="") as file:
        products = tuple(row["sku"] for row in csv.DictReader(file))
    with (work / "customers.csv").open(encoding="utf-8", newline="") as file:
        customers = tuple(row["customer_id"] for row in csv.DictReader(file))
    return NetSuiteConfig(
        account=ACCOUNT,
        concurrency=CONCURRENCY,
        client_id=CLIENT,
        certificate_id=CERTIFICATE,
        certificate=write_key(work / "netsuite-key.pem"),
        catalog=CatalogConfig(products=1, customers=1),
        extra_items=products + CHARGE_ITEMS,
        extra_customers=customers,
    )


def _environment(url: str) -> dict[str, str]:
    return {
        "NETSUITE_URL": url,
        "NETSUITE_ACCOUNT": ACCOUNT,
        "NETSUITE_CLIENT_ID": CLIENT,
        "NETSUITE_CERTIFICATE_ID": CERTIFICATE,
    }


async def sending(stage: Stage, *files: Path, captured: bool = True, as_json: bool = True) -> Process:
    """`crossdock send` of `files`, just started; its output is `captured` or goes to the terminal."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crossdock", "send", "-e", str(stage.work / "estate.yaml"), INTERFACE),
        *(("--json",) if as_json else ()),
        *(str(file) for file in files),
        stdout=PIPE if captured else None,
        stderr=PIPE if captured else None,
        env={**os.environ, "DATABASE_URL": stage.crossdock.endpoints.database_url},
    )


async def settle(stage: Stage, show: Show | None = None) -> Figures:
    """Return when nothing moves any more. EngineAway when that takes longer than a quarter of an hour."""
    loop = asyncio.get_running_loop()
    until = loop.time() + REST_SECONDS
    calm = 0
    while True:
        figures = await read_figures(stage.pool)
        if show is not None:
            show(figures)
        calm = calm + 1 if figures.at_rest else 0
        if calm >= CALM_LOOKS:
            return figures
        if loop.time() > until:
            raise EngineAway("documents are still under way", fix=f"see the console at {stage.crossdock.url}/console")
        await asyncio.sleep(LOOK_SECONDS)


async def compared(stage: Stage, file: Path) -> Comparison:
    """What arrived of `file`, by all three counts."""
    counted = await asyncio.to_thread(totals_of, file)
    return await compare(counted, stage.pool, await erp_records(stage))


async def erp_records(stage: Stage) -> dict[str, Any]:
    """The ERP's own records and counts."""
    return {
        **await stage.control.get("netsuite", "sales_orders"),
        "counts": await stage.control.get("netsuite", "counts"),
    }
