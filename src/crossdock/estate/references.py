# SPDX-License-Identifier: Apache-2.0
"""References in an estate: secrets are always `env:NAME` or `file:PATH`; a setting may be `env:NAME`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crossdock.errors import NeedsConfig

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")


def is_reference(text: str) -> bool:
    """Whether `text` names where a value is kept instead of being the value."""
    return _REFERENCE.fullmatch(text) is not None


def resolve_setting(value: Any, environ: Mapping[str, str], *, where: str) -> Any:
    """`value`, or what the environment variable holds that it names. NeedsConfig when that is not set."""
    if not (isinstance(value, str) and value.startswith("env:")):
        return value
    name = value.removeprefix("env:")
    if name not in environ:
        raise NeedsConfig(
            f"{where} is kept in the environment variable {name}, which is not set",
            field=where,
            fix=f"set {name}, or write the value into the estate",
        )
    return environ[name]
