# SPDX-License-Identifier: Apache-2.0
"""`crossdock openapi`, `crossdock asyncapi`: the contracts for machines, without a running gateway."""

from __future__ import annotations

from litestar import Litestar

from crossdock.api.asyncapi import asyncapi
from crossdock.api.contract import openapi, with_hot_paths
from crossdock.api.routes import routes
from crossdock.cli.output import print_json


def show_openapi() -> None:
    """Print the contract of the HTTP interface (OpenAPI 3.1), as `GET /openapi.json` gives it."""
    print_json(with_hot_paths(Litestar(routes(), openapi_config=openapi()).openapi_schema.to_schema()))


def show_asyncapi() -> None:
    """Print the contract of the event stream (AsyncAPI 3.0), as `GET /asyncapi.json` gives it."""
    print_json(asyncapi())
