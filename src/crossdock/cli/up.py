# SPDX-License-Identifier: Apache-2.0
"""`crossdock up`: everything in one place."""

from __future__ import annotations

import asyncio

from crossdock.app.stopping import run_until_stopped
from crossdock.app.up import running
from crossdock.cli.options import DEFAULT_ESTATE, DataFolder, EstateFile, Host, Port
from crossdock.cli.output import console, fail
from crossdock.errors import CrossdockError
from crossdock.runtime.telemetry import configure_logs
from crossdock.settings import Settings


def up(estate: EstateFile = DEFAULT_ESTATE, data: DataFolder = None, host: Host = None, port: Port = None) -> None:
    """Run Crossdock: embedded PostgreSQL and NATS unless DATABASE_URL and NATS_URL are set, and every role."""
    settings = Settings.load(data=data, host=host, port=port)
    configure_logs(settings.log_level, settings.log_format, role="up")

    async def run(stop: asyncio.Event) -> None:
        async with running(estate.resolve(), settings) as crossdock:
            console().print(f"Crossdock runs: console at {crossdock.url}/console (Ctrl-C stops it)")
            await asyncio.wait(
                {crossdock.supervision, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED
            )

    try:
        run_until_stopped(run)
    except CrossdockError as error:
        raise fail(error) from error
