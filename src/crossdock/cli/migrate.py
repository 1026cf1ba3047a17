# SPDX-License-Identifier: Apache-2.0
"""`crossdock migrate`: database schema up to date, and what the estate declares written into it."""

from __future__ import annotations

import asyncio

from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.cli.connect import database_url
from crossdock.cli.options import DEFAULT_ESTATE, DataFolder, EstateFile
from crossdock.cli.output import console, fail
from crossdock.errors import CrossdockError
from crossdock.settings import Settings


def migrate(estate: EstateFile = DEFAULT_ESTATE, data: DataFolder = None) -> None:
    """Bring the database schema up to date and seed it from the estate. Forward only; safe to repeat."""
    try:
        ran = asyncio.run(prepare(database_url(Settings.load(data=data)), wire(estate)))
    except CrossdockError as error:
        raise fail(error) from error
    console().print(f"schema up to date; ran {', '.join(ran) or 'nothing'}")
