# SPDX-License-Identifier: Apache-2.0
"""`crossdock openapi`, `crossdock asyncapi`: the contracts for machines, without a running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from litestar import Litestar

from crossdock.api.asyncapi import asyncapi
from crossdock.api.contract import openapi, with_hot_paths
from crossdock.api.route_life import endings_of
from crossdock.api.routes import routes
from crossdock.cli.output import fail, print_json
from crossdock.errors import CrossdockError
from crossdock.estate.load import load_estate


def show_openapi(
    estate: Annotated[
        Path | None, typer.Option("-e", "--estate", help="Mark the routes that this estate ends as deprecated.")
    ] = None,
) -> None:
    """Print the contract of the HTTP interface (OpenAPI 3.1), as `GET /openapi.json` gives it."""
    try:
        endings = endings_of(load_estate(estate)) if estate is not None else {}
    except CrossdockError as error:
        raise fail(error) from error
    print_json(with_hot_paths(Litestar(routes(), openapi_config=openapi()).openapi_schema.to_schema(), endings))


def show_asyncapi() -> None:
    """Print the contract of the event stream (AsyncAPI 3.0), as `GET /asyncapi.json` gives it."""
    print_json(asyncapi())
