# SPDX-License-Identifier: Apache-2.0
"""Everything in one place: engines, then the three roles as processes of their own, supervised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from msgspec import Struct

from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.errors import EngineAway, RetryLater
from crossdock.runtime.embedded import Endpoints, Engines
from crossdock.runtime.http import call, open_session
from crossdock.runtime.processes import Role, run_roles, step_port
from crossdock.settings import Settings

READY_SECONDS = 30.0


class Running(Struct, frozen=True):
    """What is up: where, with which engines, which processes. `supervision` ends when a role or engine is given up."""

    url: str
    endpoints: Endpoints
    roles: dict[str, Role]
    supervision: asyncio.Task[None]


@asynccontextmanager
async def running(
    estate: Path, settings: Settings, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Crossdock on `estate`, as long as the block: embedded engines unless the settings name others, schema migrated,
    gateway, worker and scheduler answering. `environment`: variables the roles get beside ours.

    Raises NeedsConfig or EngineAway when something cannot start; then nothing is left running.
    """
    wired = wire(estate)
    async with Engines.start(settings) as engines:
        await prepare(engines.database_url, wired)
        port = step_port(settings.host, settings.port)
        given = {
            "DATABASE_URL": engines.database_url,
            "NATS_URL": engines.nats_url,
            "CROSSDOCK_DATA": str(settings.data),
            "CROSSDOCK_LOG_LEVEL": settings.log_level,
            "CROSSDOCK_LOG_FORMAT": settings.log_format,
            **(environment or {}),
        }
        place = ("--estate", str(estate))
        roles = {
            "gateway": Role(
                "gateway", (*place, "--host", settings.host, "--port", str(port)), environment=given, stop_within=10.0
            ),
            "worker": Role("worker", place, environment=given),
            "scheduler": Role("scheduler", place, environment=given, stop_within=10.0),
        }
        supervision = asyncio.create_task(_supervise(engines, list(roles.values())))
        url = f"http://{settings.host}:{port}"
        try:
            await _ready(url, supervision)
            yield Running(url, engines.endpoints, roles, supervision)
        finally:
            supervision.cancel()
            with suppress(asyncio.CancelledError):
                await supervision


async def _supervise(engines: Engines, roles: list[Role]) -> None:
    """Keep the roles running until cancelled; raises what a role or an engine was given up for."""
    running = asyncio.create_task(run_roles(roles))
    failure = asyncio.create_task(engines.failure())
    try:
        await asyncio.wait({running, failure}, return_when=asyncio.FIRST_COMPLETED)
        if failure.done():
            raise failure.result()
        await running
    finally:
        failure.cancel()
        running.cancel()
        await asyncio.wait({running})


async def _ready(url: str, supervision: asyncio.Task[None]) -> None:
    """Return when the gateway answers; EngineAway after a while, or what a role died of."""
    loop = asyncio.get_running_loop()
    until = loop.time() + READY_SECONDS
    async with open_session(total=2) as session:
        while loop.time() < until:
            if supervision.done():
                await supervision
            with suppress(RetryLater):
                if (await call(session, "GET", f"{url}/healthz")).ok:
                    return
            await asyncio.sleep(0.05)
    raise EngineAway(f"the gateway did not answer at {url} within {READY_SECONDS:g} s", fix="see the log lines above")
