# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

EstateFile = Annotated[
    Path,
    typer.Option("--estate", "-e", envvar="CROSSDOCK_ESTATE", help="The estate file.", exists=True, dir_okay=False),
]
DataFolder = Annotated[
    Path | None, typer.Option("--data", envvar="CROSSDOCK_DATA", help="The data folder of the embedded engines.")
]
Host = Annotated[str | None, typer.Option(envvar="CROSSDOCK_HOST", help="Address to listen on (default: loopback).")]
Port = Annotated[
    int | None, typer.Option(envvar="CROSSDOCK_PORT", help="Port to listen on; a busy one is stepped over by `up`.")
]
By = Annotated[str, typer.Option(help="Who does it, for the audit.", show_default="the account you are logged in as")]
DEFAULT_ESTATE = Path("estate.yaml")


def account(by: str = "") -> str:
    """`by`, or the account that the command runs under."""
    try:
        return by or getpass.getuser()
    except (OSError, KeyError):
        return "command line"
