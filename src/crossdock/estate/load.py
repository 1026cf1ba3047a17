# SPDX-License-Identifier: Apache-2.0
"""Load an estate: one YAML file and what it includes, into structs; every slip is named with its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from crossdock.estate.consumers import Consumer, Plan, TokenIssuer
from crossdock.estate.feeds import Feed
from crossdock.estate.findings import EstateError, Finding
from crossdock.estate.order_shape import OrderChecks, Orders, Tax
from crossdock.estate.routing import Location, Routing
from crossdock.estate.shape import (
    Channel,
    Deprecation,
    Entity,
    Interface,
    Inventory,
    Owner,
    Planning,
    PricePublication,
    Pricing,
    Returns,
    StockPublication,
    System,
    Table,
    Tier,
    Webhooks,
)
from crossdock.estate.source import At, Place, read_source

MAX_FILES = 100
# Sections that are tables of named entries, and those that are one entry.
ENTRIES: dict[str, type[Struct]] = {
    "owners": Owner,
    "tiers": Tier,
    "entities": Entity,
    "systems": System,
    "channels": Channel,
    "locations": Location,
    "interfaces": Interface,
    "deprecations": Deprecation,
    "stock_publication": StockPublication,
    "price_publication": PricePublication,
    "checks": OrderChecks,
    "crosswalks": Table,
    "files": Feed,
    "consumers": Consumer,
    "plans": Plan,
    "token_issuers": TokenIssuer,
}
SINGLES: dict[str, type[Struct]] = {
    "routing": Routing,
    "inventory": Inventory,
    "planning": Planning,
    "orders": Orders,
    "webhooks": Webhooks,
    "pricing": Pricing,
    "tax": Tax,
    "returns": Returns,
    "products": Table,
    "customers": Table,
    "price_lists": Table,
}
_PATH_PART = re.compile(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]")


class Estate(Struct, frozen=True, kw_only=True):
    """An estate as declared. `places`: file and line of every key, by its path."""

    name: str
    folder: Path
    owners: dict[str, Owner]
    tiers: dict[str, Tier]
    entities: dict[str, Entity]
    systems: dict[str, System]
    channels: dict[str, Channel]
    locations: dict[str, Location]
    interfaces: dict[str, Interface]
    deprecations: dict[str, Deprecation]
    stock_publication: dict[str, StockPublication]
    price_publication: dict[str, PricePublication]
    checks: dict[str, OrderChecks]
    crosswalks: dict[str, Table]
    files: dict[str, Feed]
    consumers: dict[str, Consumer]
    plans: dict[str, Plan]
    token_issuers: dict[str, TokenIssuer]
    routing: Routing = Routing()
    inventory: Inventory | None = None
    planning: Planning | None = None
    orders: Orders = Orders()
    webhooks: Webhooks = Webhooks()
    pricing: Pricing = Pricing()
    tax: Tax = Tax()
    returns: Returns | None = None
    products: Table | None = None
    customers: Table | None = None
    price_lists: Table | None = None
    places: dict[At, Place]

    def place(self, *at: str | int) -> Place:
        """Where the entry at path `at` stands, or the nearest thing around it."""
        return nearest(self.places, at)

    def beside(self, name: str, *at: str | int) -> Path:
        """The file called `name` beside the estate file that holds the entry at path `at`."""
        return (self.place(*at).file.parent / name).resolve()


def nearest(places: dict[At, Place], at: At) -> Place:
    """The place of `at`, or of the nearest thing around it."""
    while at not in places:
        at = at[:-1]
    return places[at]


def load_estate(path: Path | str) -> Estate:
    """The estate in the file at `path`. EstateError lists everything that is wrong with its shape."""
    root = Path(path).resolve()
    data, places = _merge(root)
    findings: list[Finding] = []
    known = {"estate", *ENTRIES, *SINGLES}
    for key in data:
        if key not in known:
            fix = f"use one of: include, {', '.join(sorted(known))}"
            findings.append(Finding(f"{nearest(places, (key,))} {key}", f"unknown section {key!r}", fix))
    name = data.get("estate")
    if not isinstance(name, str) or not name:
        findings.append(
            Finding(f"{places[()]} estate", "the estate has no name", "begin the file with `estate: my-name`")
        )
    sections: dict[str, Any] = {}
    for section, cls in ENTRIES.items():
        sections[section] = dict(_entries(section, cls, data.get(section), places, findings))
    for section, cls in SINGLES.items():
        if data.get(section) is not None:
            value = _convert(data[section], cls, (section,), places, findings)
            if value is not None:
                sections[section] = value
    if findings:
        raise EstateError(findings)
    return Estate(name=str(name), folder=root.parent, places=places, **sections)


def _merge(root: Path) -> tuple[dict[str, Any], dict[At, Place]]:
    merged: dict[str, Any] = {}
    places: dict[At, Place] = {(): Place(root, 1)}
    waiting, seen = [root], {root}
    while waiting:
        source = read_source(file := waiting.pop(0))
        if not isinstance(source.data, dict):
            raise EstateError(
                [Finding(f"{file.name}:1", "the file is no table of sections", "begin it with `estate: my-name`")]
            )
        for include in _includes(source.data.pop("include", []), source.places):
            target = (file.parent / include).resolve()
            if target in seen:
                where = str(nearest(source.places, ("include",)))
                raise EstateError([Finding(where, f"{include} is included twice", "include each file once")])
            if len(seen) >= MAX_FILES:
                raise EstateError([Finding(str(places[()]), f"more than {MAX_FILES} files", "join some of them")])
            seen.add(target)
            waiting.append(target)
        _join(merged, source.data, places, source.places)
    return merged, places


def _includes(value: Any, places: dict[At, Place]) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        where = str(nearest(places, ("include",)))
        raise EstateError([Finding(where, "include is no list of file names", "write `include: [systems.yaml]`")])
    return names


def _join(merged: dict[str, Any], data: dict[str, Any], places: dict[At, Place], added: dict[At, Place]) -> None:
    for section, value in data.items():
        if section not in merged:
            merged[section] = value
            continue
        before = merged[section]
        both = isinstance(value, dict) and isinstance(before, dict) and section in ENTRIES
        clash = next((key for key in value if key in before), None) if both else None
        if not both or clash is not None:
            at: At = (section,) if clash is None else (section, clash)
            what = f"{'.'.join(map(str, at))} is there twice, first at {nearest(places, at)}"
            raise EstateError([Finding(str(nearest(added, at)), what, "keep one of them")])
        merged[section] = {**before, **value}
    for at, place in added.items():
        places.setdefault(at, place)


def _entries(
    section: str, cls: type[Struct], value: Any, places: dict[At, Place], findings: list[Finding]
) -> Iterator[tuple[str, Struct]]:
    if value is None:
        return
    if not isinstance(value, dict):
        where = f"{nearest(places, (section,))} {section}"
        findings.append(
            Finding(where, f"{section} is no table of names", f"write `{section}:` and one entry per name under it")
        )
        return
    for name, entry in value.items():
        converted = _convert(entry, cls, (section, name), places, findings)
        if converted is not None:
            yield name, converted


def _convert(value: Any, cls: type[Struct], at: At, places: dict[At, Place], findings: list[Finding]) -> Struct | None:
    try:
        return msgspec.convert(value, cls)
    except msgspec.ValidationError as error:
        text, _, tail = str(error).partition(" - at `$")
        inner: At = tuple(_parts(tail.rstrip("`")))
        slip = re.search(r"unknown field `([^`]+)`", text)
        if slip:
            inner = (*inner, slip[1])
        where = f"{nearest(places, (*at, *inner))} {'.'.join(map(str, (*at, *inner)))}"
        fields = ", ".join(sorted(cls.__struct_fields__))
        fix = f"known fields here: {fields}" if not inner[1:] else "see docs/reference/estate.md for its form"
        findings.append(Finding(where, text, fix))
        return None


def _parts(tail: str) -> Iterator[str | int]:
    for match in _PATH_PART.finditer(tail):
        if match[1] is not None:
            yield match[1]
        elif match[2] != "...":
            yield int(match[2])
