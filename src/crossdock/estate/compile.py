# SPDX-License-Identifier: Apache-2.0
"""Compile an estate into the lookups that the path of a document asks for every time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.master_data import Customer, Product
from crossdock.canonical.price_list import PriceList
from crossdock.errors import NeedsConfig
from crossdock.estate.durations import duration
from crossdock.estate.load import Estate
from crossdock.estate.price_seeds import read_price_lists
from crossdock.estate.references import resolve_setting
from crossdock.estate.routing import Location, Routing
from crossdock.estate.seeds import read_customers, read_products, read_table
from crossdock.estate.shape import Channel, ChannelStock, Interface, Lowered, StockPublication
from crossdock.sdk.manifest import Limits


class Crosswalked(Struct, frozen=True, order=True):
    """One row of a crosswalk: what `system` calls `theirs` is `ours`."""

    name: str
    system: str
    theirs: str
    ours: str


class CompiledInterface(Struct, frozen=True, kw_only=True):
    """An interface with its name, and its tier as a time."""

    name: str
    declared: Interface
    settle_within: timedelta

    @property
    def system(self) -> str:
        """The system at the other end."""
        return self.declared.system

    @property
    def object(self) -> str:
        """The canonical object it carries."""
        return self.declared.object

    @property
    def owner(self) -> str:
        """The team that answers for it."""
        return self.declared.owner

    @property
    def tier(self) -> str:
        """The tier it is promised."""
        return self.declared.tier


class CompiledEstate(Struct, frozen=True, kw_only=True):
    """Quick lookups; immutable, so that every process of one estate decides alike.

    `rules_version`: digest of everything that decides ("routing/3f2a91c04b7d"), recorded with every decision.
    `retired`: topics that nobody takes any more, by (system, topic).
    `crosswalks`: seed rows, the locations' codes among them as table "location".
    """

    declared: Estate
    interfaces: dict[str, CompiledInterface]
    crosswalks: tuple[Crosswalked, ...]
    rules_version: str
    incoming: dict[tuple[str, str], CompiledInterface]
    outgoing: dict[tuple[str, str], CompiledInterface]
    retired: dict[tuple[str, str], CompiledInterface] = {}

    @property
    def name(self) -> str:
        """The estate's name."""
        return self.declared.name

    @property
    def routing(self) -> Routing:
        """The routing rules."""
        return self.declared.routing

    @property
    def stock_channels(self) -> dict[str, tuple[str, ChannelStock]]:
        """What each channel may sell, as channel → (its system, rules); a system with `stock_publication` only is a
        channel under the name of its own channel, or under its own name."""
        declared = self.declared
        by_system = {channel.system: name for name, channel in declared.channels.items()}
        found = {
            by_system.get(system, system): (
                system,
                ChannelStock(locations=publication.locations, safety=publication.safety),
            )
            for system, publication in declared.stock_publication.items()
        }
        if declared.inventory is not None:
            for name, rules in declared.inventory.channels.items():
                found[name] = (declared.channels[name].system, rules)
        return found

    @property
    def publications(self) -> Mapping[str, StockPublication]:
        """What each channel system is told of stock."""
        return self.declared.stock_publication

    def interface_for(self, system: str, topic: str) -> CompiledInterface | None:
        """The interface that `topic` of `system` comes in by; None when there is none (or it is retired)."""
        return self.incoming.get((system, topic))

    def interface_out(self, system: str, operation: str) -> CompiledInterface | None:
        """The interface that `operation` goes out to `system` by; None when there is none (or it is retired)."""
        return self.outgoing.get((system, operation))

    def channel(self, name: str) -> Channel | None:
        """The channel called `name`."""
        return self.declared.channels.get(name)

    def location(self, name: str) -> Location | None:
        """The stock location called `name`."""
        return self.declared.locations.get(name)

    def erp_of(self, entity: str) -> str | None:
        """The system that keeps the books of `entity`."""
        found = self.declared.entities.get(entity)
        return found.erp if found else None

    def names(self, system: str) -> dict[str, dict[str, str]]:
        """Seed crosswalks of `system` as table → ours → theirs; of several names for one thing the first row counts."""
        tables: dict[str, dict[str, str]] = {}
        for row in self.crosswalks:
            if row.system == system:
                tables.setdefault(row.name, {}).setdefault(row.ours, row.theirs)
        return tables

    def lookup(self, system: str) -> dict[tuple[str, str], str]:
        """Seed crosswalks of `system` as (table, theirs) → ours."""
        return {(row.name, row.theirs): row.ours for row in self.crosswalks if row.system == system}

    def mapping_files(self) -> dict[tuple[str, str], Path]:
        """The mapping file of every topic of a file feed, by (system, topic)."""
        found: dict[tuple[str, str], Path] = {}
        for name, feed in self.declared.files.items():
            system = self.declared.interfaces[name].system
            for number, topic in enumerate(feed.topics):
                if topic.mapping:
                    path = self.declared.beside(topic.mapping, "files", name, "topics", number)
                    found.setdefault((system, topic.topic), path)
        return found

    def products(self) -> list[Product]:
        """Seed products. NeedsConfig when the file cannot be used."""
        table = self.declared.products
        return list(read_products(self.declared.beside(table.file, "products"))) if table else []

    def customers(self) -> list[Customer]:
        """Seed customers. NeedsConfig when the file cannot be used."""
        table = self.declared.customers
        return list(read_customers(self.declared.beside(table.file, "customers"))) if table else []

    def price_lists(self) -> list[PriceList]:
        """Seed price lists. NeedsConfig when the file cannot be used."""
        table = self.declared.price_lists
        return list(read_price_lists(self.declared.beside(table.file, "price_lists"))) if table else []

    def settings(self, system: str, environ: Mapping[str, str]) -> dict[str, Any]:
        """The settings of `system` with `env:NAME` replaced. NeedsConfig when a variable is not set."""
        given = self.declared.systems[system].settings
        return {key: resolve_setting(value, environ, where=f"{system}.{key}") for key, value in given.items()}

    def limits(self, system: str, allowed: Limits) -> Limits:
        """What its connector's manifest allows, lowered by the estate, or raised as far as the manifest says."""
        return _lower(allowed, self.declared.systems[system].limits)


def compile_estate(estate: Estate) -> CompiledEstate:
    """Compile a checked estate. NeedsConfig when a tier's time or a crosswalk file cannot be used."""
    interfaces = {
        name: CompiledInterface(name=name, declared=face, settle_within=_settle_within(estate, face))
        for name, face in estate.interfaces.items()
    }
    live = [face for face in interfaces.values() if face.declared.state != "retired"]
    return CompiledEstate(
        declared=estate,
        interfaces=interfaces,
        crosswalks=tuple(_crosswalks(estate)),
        rules_version=_rules_version(estate),
        incoming={
            (face.system, topic): face
            for face in live
            if face.declared.direction == "in"
            for topic in face.declared.topics
        },
        outgoing={
            (face.system, operation): face
            for face in live
            if face.declared.direction == "out"
            for operation in face.declared.operations
        },
        retired={
            (face.system, topic): face
            for face in interfaces.values()
            if face.declared.state == "retired" and face.declared.direction == "in"
            for topic in face.declared.topics
        },
    )


def _settle_within(estate: Estate, face: Interface) -> timedelta:
    tier = estate.tiers.get(face.tier)
    if tier is None:
        raise NeedsConfig(f"there is no tier named {face.tier!r}", field="tier", fix="run `crossdock check`")
    try:
        return duration(tier.settle_within)
    except ValueError as error:
        raise NeedsConfig(str(error), field="settle_within", fix="run `crossdock check`") from error


def _crosswalks(estate: Estate) -> list[Crosswalked]:
    rows = [
        Crosswalked("location", system, code, name)
        for name, location in estate.locations.items()
        for system, code in location.codes.items()
    ]
    for name, table in estate.crosswalks.items():
        seen: dict[tuple[str, str], str] = {}
        for row in read_table(estate.beside(table.file, "crosswalks", name), ("system", "theirs", "ours")):
            before = seen.setdefault((row["system"], row["theirs"]), row["ours"])
            if before != row["ours"] or row.get("name", name) not in ("", name):
                raise NeedsConfig(
                    f"{table.file}: {row['theirs']!r} of {row['system']} is both {before!r} and {row['ours']!r}"
                    if before != row["ours"]
                    else f"{table.file}: a row of table {row['name']!r} stands in the file of table {name!r}",
                    fix="keep one row",
                )
            rows.append(Crosswalked(name, row["system"], row["theirs"], row["ours"]))
    return rows


def _rules_version(estate: Estate) -> str:
    deciding = (
        estate.routing,
        estate.inventory,
        estate.stock_publication,
        # Which way orders come in decides nothing about them.
        {name: replace(channel, api=False) for name, channel in estate.channels.items()},
        estate.entities,
        estate.locations,
        estate.pricing,
        estate.checks,
        *([estate.tax] if estate.tax.rules else ()),
        *([estate.orders.release] if estate.orders.release else ()),
        # An estate without returns decides as it did before there were any.
        *([estate.returns] if estate.returns is not None else ()),
    )
    body = msgspec.json.encode(deciding, order="sorted")
    return f"routing/{blake2b(body, digest_size=6).hexdigest()}"


def _lower(allowed: Limits, asked: Lowered) -> Limits:
    lowered: dict[str, Any] = {}
    for name in asked.__struct_fields__:
        value, most = getattr(asked, name), allowed.most(name)
        if value is not None:
            lowered[name] = value if most is None else min(value, most)
    return msgspec.structs.replace(allowed, **lowered)
