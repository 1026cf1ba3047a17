# SPDX-License-Identifier: Apache-2.0
"""Contracts as commands name them: a file, or `current` for what this version of Crossdock serves."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import msgspec
from litestar import Litestar
from msgspec import Struct

from crossdock import connectors
from crossdock.api.asyncapi import asyncapi
from crossdock.api.contract import openapi, with_hot_paths
from crossdock.api.routes import routes
from crossdock.canonical.objects import OBJECTS, json_schema
from crossdock.errors import NeedsConfig, Refused
from crossdock.estate.source import read_source
from crossdock.governance.contract_documents import Kind, kind_of
from crossdock.mapping.load import load_mapping
from crossdock.sdk.connector import load_connector
from crossdock.sdk.words import Mapping

CURRENT = "current"
_LARGEST = 20_000_000
_DEEPEST = 100
_LARGEST_SAMPLE = 10_000_000
_MOST_SAMPLES = 1000


class Given(Struct, frozen=True, kw_only=True):
    """A contract that was read. `folder`: where its samples are looked for."""

    kind: Kind
    document: dict[str, Any]
    mapping: Mapping | None = None
    folder: Path | None = None


def given(name: str, other: Given | None) -> Given:
    """The contract called `name`; `current` is the one that answers to `other`. CrossdockError when it cannot be."""
    if name == CURRENT:
        if other is None:
            raise Refused("there is nothing to compare with", rule="current", fix="name a file beside `current`")
        return _current(other)
    path = Path(name)
    document = _read(path)
    kind = kind_of(document)
    if kind == "mapping":
        mapping = load_mapping(path)
        return Given(kind=kind, document=document, mapping=mapping, folder=path.parent / "samples")
    return Given(kind=kind, document=document)


def _read(path: Path) -> dict[str, Any]:
    if path.suffix == ".json":
        found = _read_json(path)
    else:
        found = read_source(path, largest=_LARGEST, deepest=_DEEPEST, json_numbers=True).data
    if not isinstance(found, dict):
        raise Refused(f"{path} holds no document", rule="file", fix="name a JSON Schema, OpenAPI, AsyncAPI or mapping")
    return found


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST:
            raise Refused(f"{path} is larger than {_LARGEST:,} bytes", rule="size", fix="compare a smaller document")
        found = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", rule="file", fix="name a file, or `current`") from error
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise Refused(f"{path}: {str(error)[:300]}", rule="file", fix="correct the file") from error
    except RecursionError as error:
        raise _too_deep(path) from error
    level = [found]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    if any(isinstance(one, dict | list) for one in level):
        raise _too_deep(path)
    return found


def _too_deep(path: Path) -> Refused:
    return Refused(f"{path}: nested deeper than {_DEEPEST} levels", rule="size", fix="compare a flatter document")


def _current(other: Given) -> Given:
    if other.mapping is not None:
        return _current_mapping(other.mapping.name)
    document: Any
    if other.kind == "openapi":
        document = with_hot_paths(Litestar(routes(), openapi_config=openapi()).openapi_schema.to_schema())
    elif other.kind == "asyncapi":
        document = asyncapi()
    else:
        document = _current_schema(other.document)
    return Given(kind=other.kind, document=msgspec.json.decode(msgspec.json.encode(document)))


def _current_schema(document: dict[str, Any]) -> dict[str, Any]:
    title = str(document.get("title", ""))
    identity = str(document.get("$id", "")).rpartition("/schemas/")[2].partition("/")[0]
    name = next((one for one in (identity, title) if one in OBJECTS), "")
    if not name:
        raise Refused(
            f"which schema to compare with is not known: title {title[:100]!r}",
            rule="current",
            fix="give the document the title or $id of a canonical object, as `GET /schemas` lists them",
        )
    return json_schema(name, OBJECTS[name][0])


def _current_mapping(name: str) -> Given:
    for module in iter_modules(connectors.__path__):
        try:
            connector = load_connector(module.name)
        except NeedsConfig:
            continue
        for mapping in connector.mappings:
            if mapping.name == name:
                package = import_module(f"crossdock.connectors.{module.name}")
                folder = Path(next(iter(package.__path__))) / "samples"
                return Given(kind="mapping", document={}, mapping=mapping, folder=folder)
    raise Refused(f"no connector has a mapping called {name[:100]!r}", rule="current", fix="name a file instead")


def samples_for(old: Given, new: Given, folder: Path | None) -> dict[str, Any]:
    """Decoded sources by file name: every JSON file of `folder`, else those of the mapping's name beside it."""
    if folder is not None:
        paths = [path for path in sorted(folder.glob("*.json")) if not path.name.endswith(".out.json")]
    else:
        names = {one.mapping.name for one in (old, new) if one.mapping is not None}
        folders = dict.fromkeys(one.folder for one in (old, new) if one.folder is not None)
        paths = [path for one in folders for name in sorted(names) for path in sorted(one.glob(f"{name}.*.in.json"))]
    found: dict[str, Any] = {}
    for path in paths[:_MOST_SAMPLES]:
        try:
            if path.stat().st_size <= _LARGEST_SAMPLE:
                found[path.name] = msgspec.json.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise Refused(f"{path}: {str(error)[:300]}", rule="file", fix="correct or remove the sample") from error
    return found
