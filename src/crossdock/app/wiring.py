# SPDX-License-Identifier: Apache-2.0
"""Wire an estate to its connectors: what every role needs, compiled once at start."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from msgspec import Struct

from crossdock.app.order_interfaces import FULFILLMENT, back_order_interfaces, is_told, order_interfaces, order_topics
from crossdock.app.order_rules import checks_of, releases_of, tax_of
from crossdock.app.price_rules import price_rules_of
from crossdock.app.return_rules import return_rules_of
from crossdock.app.routing_rules import policy_of
from crossdock.catalog.cache import Catalog
from crossdock.catalog.shown import PriceRule
from crossdock.decide_orders import InterfaceFacts, Rules
from crossdock.delivery.price import OPERATION as PRICES
from crossdock.delivery.stock import OPERATION as STOCK_LEVELS
from crossdock.delivery.system import System
from crossdock.errors import NeedsConfig
from crossdock.estate.check import check
from crossdock.estate.compile import CompiledEstate, compile_estate
from crossdock.estate.durations import duration
from crossdock.estate.findings import EstateError
from crossdock.estate.load import load_estate
from crossdock.estate.shape import Inventory
from crossdock.intake.routes import HookRoute, lifecycle_notices
from crossdock.inventory.mend import TOPIC
from crossdock.inventory.rules import ChannelRule, Held, SkuRule, StockRules
from crossdock.mapping.compile import Translator, compile_mapping
from crossdock.mapping.load import load_mapping
from crossdock.runtime.outward import Reach
from crossdock.runtime.secrets import resolve
from crossdock.sdk.connector import Connector, SystemConfig, load_connector
from crossdock.translate import Topic, Translations

SECRET_AGE = 5.0
# How long a difference may wait for a person.
SETTLE_DIFFERENCES = timedelta(days=1)
WEBHOOK_SECRET = "webhook"  # noqa: S105 - the name of a secret, not one
OVERTAKES = frozenset(
    {"sales_order", "goods_return", "product", "customer", "price_list", "stock_level", "inbound_receipt"}
)


class Wired(Struct, frozen=True, kw_only=True):
    """An estate with the connectors of its systems, by system name."""

    estate: CompiledEstate
    connectors: dict[str, Connector]


def wire(path: Path | str) -> Wired:
    """The estate at `path` and its connectors. EstateError or NeedsConfig name what is wrong and where."""
    declared = load_estate(path)
    wrong = [finding for finding in check(declared) if finding.severity == "error"]
    if wrong:
        raise EstateError(wrong)
    estate = compile_estate(declared)
    connectors = {name: load_connector(system.connector) for name, system in estate.declared.systems.items()}
    return Wired(estate=estate, connectors=connectors)


def reach_of(wired: Wired) -> Reach:
    """Where webhooks may be sent besides public HTTPS addresses."""
    declared = wired.estate.declared.webhooks
    return Reach(tuple(ip_network(one) for one in declared.networks), declared.loopback)


def source_of(wired: Wired) -> str:
    """The `source` of all events."""
    return f"/crossdock/{wired.estate.name}"


def secret_of(wired: Wired, system: str) -> Callable[[str], str]:
    """The secrets of `system` by name, resolved when used and read again after a few seconds, so that a rotated one
    is taken up without a restart. NeedsConfig when one is not declared or cannot be resolved."""
    declared = wired.estate.declared.systems[system].secrets
    base = wired.estate.declared.folder
    kept: dict[str, tuple[float, str]] = {}

    def secret(name: str) -> str:
        clock = time.monotonic()
        at, value = kept.get(name, (0.0, ""))
        if value and clock - at < SECRET_AGE:
            return value
        if name not in declared:
            raise NeedsConfig(
                f"system {system} declares no secret {name!r}",
                field=f"systems.{system}.secrets.{name}",
                fix=f"add {name}: env:NAME or file:PATH to the system's secrets",
            )
        value = resolve(declared[name], base=base, where=f"systems.{system}.secrets.{name}").reveal()
        kept[name] = (clock, value)
        return value

    return secret


def hook_routes(wired: Wired) -> dict[tuple[str, str], HookRoute]:
    """Where webhooks come in, by (system, topic)."""
    routes: dict[tuple[str, str], HookRoute] = {}
    # A topic of a retired interface may have gone over to the one that came after it.
    for (system, topic), face in {**wired.estate.retired, **wired.estate.incoming}.items():
        connector = wired.connectors[system]
        asked = {polls.topic for polls in connector.manifest.polls}
        if connector.receiver is not None and topic not in asked:
            limits = wired.estate.limits(system, connector.manifest.limits)
            routes[system, topic] = HookRoute(
                interface=face.name,
                receiver=connector.receiver,
                secrets=_webhook_secrets(wired, system),
                max_bytes=limits.body_bytes,
                overtakes=face.object in OVERTAKES,
                notices=lifecycle_notices(face.declared.deprecated_on, face.declared.sunset),
                retired=face.declared.state == "retired",
                successor=face.declared.replaced_by,
            )
    return routes


def _webhook_secrets(wired: Wired, system: str) -> Callable[[], Sequence[str]]:
    """The secrets `webhook` and, while one is rotated out, `webhook_…`: any of them may have signed."""
    declared = wired.estate.declared.systems[system].secrets
    names = [name for name in sorted(declared) if name == WEBHOOK_SECRET or name.startswith(f"{WEBHOOK_SECRET}_")]
    secret = secret_of(wired, system)
    return lambda: [secret(name) for name in names]


def rules_of(wired: Wired, catalog: Catalog) -> Rules:
    """What decisions are made with."""
    estate = wired.estate
    sends = {name: {one.operation for one in c.manifest.sends} for name, c in wired.connectors.items()}
    return Rules(
        catalog=catalog,
        policy=policy_of(estate),
        interfaces={
            **{
                one.name: one
                for one in (*own_interfaces(wired), *order_interfaces(estate), *back_order_interfaces(estate))
            },
            **{
                name: InterfaceFacts(name=name, system=face.system, owner=face.owner, settle_within=face.settle_within)
                for name, face in estate.interfaces.items()
            },
        },
        outgoing={key: face.name for key, face in estate.outgoing.items()},
        channel_system={
            name: channel.system
            for name, channel in estate.declared.channels.items()
            if FULFILLMENT in sends.get(channel.system, ()) and is_told(estate, name)
        },
        stock=stock_rules_of(estate),
        checks=checks_of(estate),
        releases=releases_of(estate),
        tax=tax_of(estate),
        returns=return_rules_of(estate),
    )


def own_interface(system: str) -> str:
    """The internal interface by which differences to what `system` has come in."""
    return f"{system}.reconcile"


def own_interfaces(wired: Wired) -> list[InterfaceFacts]:
    """The internal interfaces: one for every system that can be asked for its stock, owned as the system is."""
    if wired.estate.declared.inventory is None:
        return []
    declared = wired.estate.declared.systems
    return [
        InterfaceFacts(
            name=own_interface(name), system=name, owner=declared[name].owner, settle_within=SETTLE_DIFFERENCES
        )
        for name, connector in wired.connectors.items()
        if connector.make_lister is not None
    ]


def stock_rules_of(estate: CompiledEstate) -> StockRules:
    """What each channel may sell of stock, as inventory takes it."""
    declared = estate.declared.inventory
    return StockRules(
        version=estate.rules_version,
        channels={
            name: ChannelRule(
                name=name,
                system=system,
                locations=said.locations,
                held=Held(safety=said.safety, percent=said.percent, cap=said.cap, keep=said.keep),
                priority=said.priority,
                horizon=duration(said.horizon) if said.horizon else None,
                derived_buffer=said.buffer == "derived",
                summed=said.summed,
                publish=said.publish,
            )
            for name, (system, said) in estate.stock_channels.items()
        },
        overrides=tuple(
            SkuRule(
                sku_prefix=rule.sku_prefix,
                channel=rule.channel,
                safety=rule.safety,
                percent=rule.percent,
                cap=rule.cap,
                keep=rule.keep,
            )
            for rule in (declared.rules if declared is not None else ())
        ),
        governed=declared is not None,
        hold_for=duration(declared.hold_for) if declared is not None else timedelta(minutes=15),
        longest_hold=duration(declared.longest_hold) if declared is not None else timedelta(days=1),
        stale_after=duration(declared.stale_after if declared is not None else Inventory().stale_after),
        # A supplier's goods are not ours to promise.
        locations=tuple(
            name for name, where in estate.declared.locations.items() if where.system and where.kind == "own"
        ),
    )


def translations_of(wired: Wired, catalog: Catalog) -> Translations:
    """The mapping of every topic that comes in, compiled with the crosswalks of its system."""
    estate = wired.estate
    files = estate.mapping_files()
    topics: dict[tuple[str, str], Topic] = {
        (one.name, TOPIC): Topic(translator=None, kind="stock_difference") for one in own_interfaces(wired)
    }
    topics.update(order_topics(estate))
    for face in estate.interfaces.values():
        if face.declared.direction != "in":
            continue
        for topic in face.declared.topics:
            translator = _translator(wired, catalog, face.system, topic, files)
            if translator is not None:
                channel = _channel_of(estate, face.system)
                topics[face.name, topic] = Topic(
                    translator=translator,
                    kind=translator.mapping.target,
                    context={"system": face.system, "channel": channel, "interface": face.name, "topic": topic},
                )
    return topics


def _translator(
    wired: Wired, catalog: Catalog, system: str, topic: str, files: dict[tuple[str, str], Path]
) -> Translator | None:
    def look_up(table: str, value: str) -> str | None:
        return catalog.sku(system, value) if table == "sku" else catalog.look_up(system, table, value)

    path = files.get((system, topic))
    if path is not None:
        return compile_mapping(load_mapping(path, functions=True), look_up)
    connector = wired.connectors[system]
    known = connector.manifest.comes_in.get(topic)
    return compile_mapping(connector.mapping(known[1]), look_up) if known is not None else None


def _channel_of(estate: CompiledEstate, system: str) -> str:
    """The channel that lives in `system`; "" when none or several do (then the document itself must say)."""
    names = [name for name, channel in estate.declared.channels.items() if channel.system == system]
    return names[0] if len(names) == 1 else ""


def systems_of(wired: Wired) -> list[System]:
    """Every system that we send to, with its sender; call inside a running event loop."""
    rules = stock_rules_of(wired.estate)
    # The check lets one channel of a system be published at most.
    channels = {channel.system: channel for channel in rules.channels.values() if channel.publish}
    prices = {rule.system: rule for rule in price_rules_of(wired.estate).values()}
    return [
        _system(wired, name, connector, channels, prices)
        for name, connector in wired.connectors.items()
        if connector.make_sender is not None
    ]


def _system(
    wired: Wired,
    name: str,
    connector: Connector,
    channels: Mapping[str, ChannelRule],
    prices: Mapping[str, PriceRule],
) -> System:
    manifest = connector.manifest
    limits = wired.estate.limits(name, manifest.limits)
    outbound = [mapping for mapping in connector.mappings if mapping.direction == "out"]
    config = SystemConfig(
        name=name,
        settings=wired.estate.settings(name, os.environ),
        secret=secret_of(wired, name),
        limits=limits,
        names=wired.estate.names(name),
        translate={mapping.name: compile_mapping(mapping) for mapping in outbound},
    )
    if connector.make_sender is None:
        raise NeedsConfig(f"connector {manifest.name} sends nothing", field=f"systems.{name}")
    operations = {sends.operation: sends for sends in manifest.sends}
    return System(
        name=name,
        sender=connector.make_sender(config),
        operations=operations,
        limits=limits,
        channel=channels.get(name) if STOCK_LEVELS in operations else None,
        prices=prices.get(name) if PRICES in operations else None,
    )
