# SPDX-License-Identifier: Apache-2.0
"""What the machine tells a process: where data lies, where the engines are, where to listen; read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from platformdirs import user_data_path

from crossdock.errors import NeedsConfig

_VARIABLES = {
    "data": "CROSSDOCK_DATA",
    "database_url": "DATABASE_URL",
    "nats_url": "NATS_URL",
    "host": "CROSSDOCK_HOST",
    "port": "CROSSDOCK_PORT",
    "nats_port": "CROSSDOCK_NATS_PORT",
    "postgres_bin": "CROSSDOCK_POSTGRES_BIN",
    "log_level": "CROSSDOCK_LOG_LEVEL",
    "log_format": "CROSSDOCK_LOG_FORMAT",
}
_LOG_LEVELS = ("debug", "info", "warning", "error")
_LOG_FORMATS = ("auto", "console", "json")
_SCHEMES = {"database_url": ("postgres", "postgresql"), "nats_url": ("nats", "tls", "ws", "wss")}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one process.

    `database_url`, `nats_url`: None means the embedded engine in `data` is used. `nats_port`: 0 means any free port.
    `log_format`: auto is console on a terminal and JSON elsewhere. The two URLs may hold passwords: `repr` hides them.
    """

    data: Path
    database_url: str | None = None
    nats_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8480
    nats_port: int = 0
    postgres_bin: Path | None = None
    log_level: str = "info"
    log_format: str = "auto"

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Settings from the environment; `overrides` that are not None win. NeedsConfig names the variable at fault."""
        return cls.from_environment(os.environ, **overrides)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **overrides: Any) -> Self:
        """As `load`, from the given variables; empty ones count as unset."""
        unknown = sorted(set(overrides) - set(_VARIABLES))
        if unknown:
            raise TypeError(f"Settings has no field {', '.join(unknown)}")
        values: dict[str, Any] = {
            field: environment[variable] for field, variable in _VARIABLES.items() if environment.get(variable)
        }
        values.update({field: value for field, value in overrides.items() if value is not None})
        return cls(**_checked(values))

    def __repr__(self) -> str:
        shown = {field: getattr(self, field) for field in self.__struct_fields__}
        for field in _SCHEMES:
            shown[field] = "(set)" if shown[field] else None
        return f"Settings({', '.join(f'{field}={value!r}' for field, value in shown.items())})"


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    checked["data"] = _folder(values["data"]) if "data" in values else _default_data()
    if "postgres_bin" in values:
        checked["postgres_bin"] = _folder(values["postgres_bin"])
    for field, lowest in (("port", 1), ("nats_port", 0)):
        if field in values:
            checked[field] = _port(field, values[field], lowest)
    for field, allowed in (("log_level", _LOG_LEVELS), ("log_format", _LOG_FORMATS)):
        if field in values:
            checked[field] = str(values[field]).lower()
            if checked[field] not in allowed:
                raise _wrong(field, values[field], f"use one of {', '.join(allowed)}")
    for field, schemes in _SCHEMES.items():
        if field in values:
            _check_url(field, str(values[field]), schemes)
    return checked


def _folder(value: object) -> Path:
    return Path(str(value)).expanduser().absolute()


def _default_data() -> Path:
    # A `.crossdock` folder where the command is run keeps a project's data beside its estate.
    beside = Path.cwd() / ".crossdock"
    return beside if beside.is_dir() else user_data_path("crossdock")


def _port(field: str, value: object, lowest: int) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = -1
    if not lowest <= port <= 65535:
        raise _wrong(field, value, f"use a number from {lowest} to 65535")
    return port


def _check_url(field: str, value: str, schemes: tuple[str, ...]) -> None:
    # The value may hold a password, so the message never repeats it.
    try:
        scheme = urlsplit(value).scheme
    except ValueError:
        scheme = ""
    if scheme not in schemes:
        raise NeedsConfig(
            f"{_VARIABLES[field]} is not a URL that begins with {schemes[0]}://",
            field=_VARIABLES[field],
            fix=f"write it as {schemes[0]}://user:password@host:port/..., or unset it to use the embedded engine",
        )


def _wrong(field: str, value: object, fix: str) -> NeedsConfig:
    variable = _VARIABLES[field]
    return NeedsConfig(f"{variable} is {value!r}", field=variable, value=value, fix=fix)
