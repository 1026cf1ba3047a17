# SPDX-License-Identifier: Apache-2.0
"""`crossdock gateway`, `worker`, `scheduler`: one role each, for production; any number of each may run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

import typer

from crossdock.app.stopping import run_until_stopped
from crossdock.app.wiring import Wired, wire
from crossdock.cli.options import DEFAULT_ESTATE, DataFolder, EstateFile, Host, Port
from crossdock.cli.output import fail
from crossdock.errors import CrossdockError, NeedsConfig
from crossdock.runtime.embedded.state import Endpoints, discover
from crossdock.runtime.processes import EXIT_CONFIGURATION
from crossdock.runtime.telemetry import configure_logs
from crossdock.settings import Settings

# A role's module is imported when the role is asked for: a worker needs no web server, a gateway no connector clients.
RUN = {
    "gateway": ("crossdock.app.gateway", "run_gateway"),
    "worker": ("crossdock.app.worker", "run_worker"),
    "scheduler": ("crossdock.app.scheduler", "run_scheduler"),
}


def gateway(estate: EstateFile = DEFAULT_ESTATE, data: DataFolder = None, host: Host = None, port: Port = None) -> None:
    """Take webhooks and serve API and console."""
    settings = Settings.load(data=data, host=host, port=port)

    def arguments(stop: asyncio.Event, wired: Wired, endpoints: Endpoints) -> tuple[object, ...]:
        return (stop, wired, endpoints, settings.host, settings.port)

    _run("gateway", estate, settings, arguments)


def worker(estate: EstateFile = DEFAULT_ESTATE, data: DataFolder = None) -> None:
    """Translate, decide and deliver."""
    _run("worker", estate, Settings.load(data=data), lambda *given: given)


def scheduler(estate: EstateFile = DEFAULT_ESTATE, data: DataFolder = None) -> None:
    """Relay events to the bus and take files in."""
    _run("scheduler", estate, Settings.load(data=data), lambda *given: given)


def _run(
    name: str,
    estate: Path,
    settings: Settings,
    arguments: Callable[[asyncio.Event, Wired, Endpoints], tuple[object, ...]],
) -> None:
    configure_logs(settings.log_level, settings.log_format, role=name)
    module, function = RUN[name]
    role: Callable[..., Awaitable[None]] = getattr(import_module(module), function)

    async def run(stop: asyncio.Event) -> None:
        await role(*arguments(stop, wire(estate), _endpoints(settings)))

    try:
        run_until_stopped(run)
    except NeedsConfig as error:
        fail(error)
        raise typer.Exit(EXIT_CONFIGURATION) from error
    except CrossdockError as error:
        raise fail(error) from error


def _endpoints(settings: Settings) -> Endpoints:
    found = discover(settings)
    if found is None:
        raise NeedsConfig(
            f"no engines are running for the data folder {settings.data}",
            field="DATABASE_URL",
            fix="start `crossdock up` with the same --data, or set DATABASE_URL and NATS_URL",
        )
    return found
