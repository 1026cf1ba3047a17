# SPDX-License-Identifier: Apache-2.0
"""A feed as the connector works with it: what the estate declares, made ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from crossdock.errors import NeedsConfig
from crossdock.estate.compile import CompiledEstate
from crossdock.estate.feeds import Feed
from crossdock.estate.references import resolve_setting


class DropFeed(Struct, frozen=True, kw_only=True):
    """Files of `interface`, dropped into `folder`."""

    interface: str
    folder: Path
    declared: Feed


def feed_of(estate: CompiledEstate, interface: str, environ: Mapping[str, str]) -> DropFeed:
    """The feed of `interface`.

    Raises NeedsConfig when the interface takes no files, or its folder is kept in a variable that is not set.
    """
    declared = estate.declared.files.get(interface)
    if declared is None:
        known = ", ".join(sorted(estate.declared.files)) or "none"
        raise NeedsConfig(f"interface {interface!r} takes no files", field="files", fix=f"interfaces that do: {known}")
    folder = resolve_setting(declared.folder, environ, where=f"files.{interface}.folder")
    return DropFeed(
        interface=interface,
        folder=estate.declared.beside(folder, "files", interface),
        declared=declared,
    )
