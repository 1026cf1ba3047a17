# SPDX-License-Identifier: Apache-2.0
"""Check an estate beyond its shape: references resolve, interfaces are owned, secrets are references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network

from crossdock.canonical.identifiers import is_gln
from crossdock.errors import NeedsConfig
from crossdock.estate.check_api import check_api
from crossdock.estate.check_consumers import check_consumers
from crossdock.estate.check_deprecations import check_deprecations
from crossdock.estate.check_feeds import check_feeds
from crossdock.estate.check_interfaces import check_interfaces
from crossdock.estate.check_inventory import check_inventory
from crossdock.estate.check_orders import check_orders
from crossdock.estate.check_pricing import check_pricing
from crossdock.estate.check_returns import check_returns
from crossdock.estate.check_routing import check_routing
from crossdock.estate.check_systems import check_systems, manifests_of
from crossdock.estate.check_tax import check_tax
from crossdock.estate.durations import duration
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved
from crossdock.estate.seeds import read_table

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_INTERFACE_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9_-]*)+")
_LOCATION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def check(estate: Estate) -> list[Finding]:
    """Everything to mend, in the order of the file; an estate with no finding of severity "error" can be started."""
    manifests, unknown = manifests_of(estate)
    findings = [
        *unknown,
        *_names(estate),
        *_people(estate),
        *check_systems(estate, manifests),
        *_places(estate),
        *check_interfaces(estate, manifests),
        *check_api(estate),
        *check_deprecations(estate),
        *check_routing(estate),
        *check_orders(estate),
        *check_inventory(estate),
        *_networks(estate),
        *check_pricing(estate, manifests),
        *check_tax(estate),
        *check_returns(estate),
        *_tables(estate),
        *check_feeds(estate),
        *check_consumers(estate),
    ]
    return sorted(
        dict.fromkeys(findings), key=lambda finding: (finding.severity, finding.where.partition(":")[0], _line(finding))
    )


def _line(finding: Finding) -> int:
    found = re.search(r":(\d+)", finding.where)
    return int(found[1]) if found else 0


def _names(estate: Estate) -> Iterator[Finding]:
    sections: tuple[tuple[str, re.Pattern[str], str], ...] = (
        ("owners", _NAME, "web-team"),
        ("tiers", _NAME, "gold"),
        ("entities", _NAME, "us"),
        ("systems", _NAME, "shopify-us"),
        ("channels", _NAME, "shopify-us"),
        ("locations", _LOCATION_NAME, "WH-EAST"),
        ("interfaces", _INTERFACE_NAME, "shopify-us.orders"),
    )
    for section, form, example in sections:
        for name in getattr(estate, section):
            if not form.fullmatch(name):
                fix = f"letters, digits and dashes, as in {example}: names stand in keys, subjects and URLs"
                yield at_place(estate, (section, name), f"{name!r} is no good name here", fix)


def _people(estate: Estate) -> Iterator[Finding]:
    for name, owner in estate.owners.items():
        if "@" not in owner.email:
            yield at_place(
                estate, ("owners", name, "email"), f"{owner.email!r} is no mail address", "give an address that is read"
            )
    for name, tier in estate.tiers.items():
        try:
            duration(tier.settle_within)
        except ValueError as error:
            yield at_place(estate, ("tiers", name, "settle_within"), str(error), "write settle_within: 15m")
    for name, entity in estate.entities.items():
        yield from unresolved(estate, ("entities", name, "erp"), "systems", entity.erp, estate.systems)


def _places(estate: Estate) -> Iterator[Finding]:
    for name, channel in estate.channels.items():
        yield from unresolved(estate, ("channels", name, "system"), "systems", channel.system, estate.systems)
        yield from unresolved(estate, ("channels", name, "entity"), "entities", channel.entity, estate.entities)
    for name, location in estate.locations.items():
        if location.system:
            yield from unresolved(estate, ("locations", name, "system"), "systems", location.system, estate.systems)
        for system in location.codes:
            yield from unresolved(estate, ("locations", name, "codes", system), "systems", system, estate.systems)
        if location.gln and not is_gln(location.gln):
            yield at_place(
                estate,
                ("locations", name, "gln"),
                f"{location.gln!r} is no GLN",
                "13 digits, the last one the check digit",
            )


def _networks(estate: Estate) -> Iterator[Finding]:
    for number, network in enumerate(estate.webhooks.networks):
        try:
            ip_network(network)
        except ValueError as error:
            yield at_place(
                estate,
                ("webhooks", "networks", number),
                f"{network!r} is no network: {error}",
                "write the first address and the length of its prefix: 10.20.0.0/16",
            )


def _tables(estate: Estate) -> Iterator[Finding]:
    wanted: list[tuple[tuple[str, ...], str, tuple[str, ...]]] = [
        (("crosswalks", name), table.file, ("system", "theirs", "ours")) for name, table in estate.crosswalks.items()
    ]
    if estate.products is not None:
        wanted.append((("products",), estate.products.file, ("sku",)))
    if estate.customers is not None:
        wanted.append((("customers",), estate.customers.file, ("customer_id",)))
    for at, file, columns in wanted:
        try:
            for row in read_table(estate.beside(file, *at), columns):
                if "system" in columns and row["system"] not in estate.systems:
                    yield at_place(
                        estate,
                        at,
                        f"{file} names the system {row['system']!r}, which is not in the estate",
                        "correct the file",
                    )
                    break
        except NeedsConfig as error:
            yield at_place(estate, at, error.reason, error.fix)
