# SPDX-License-Identifier: Apache-2.0
"""Serves any set of simulators in one process: `python -m crossdock.sandbox.serve --json '{"shopify": {}, "netsuite":
{}}'`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossdock.sandbox.business_central import BusinessCentralConfig, BusinessCentralSim
from crossdock.sandbox.host import Simulator
from crossdock.sandbox.market import MarketConfig, MarketSim
from crossdock.sandbox.netsuite import NetSuiteConfig, NetSuiteSim
from crossdock.sandbox.shopify import ShopifyConfig, ShopifySim
from crossdock.sandbox.warehouse import WarehouseConfig, WarehouseSim

try:
    import uvloop
except ImportError:  # not made for Windows; the standard loop does the same, slower
    new_loop = asyncio.new_event_loop
else:
    new_loop = uvloop.new_event_loop


class ServeConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Which simulators to serve, each with its settings; markets under names of their own."""

    shopify: ShopifyConfig | None = None
    netsuite: NetSuiteConfig | None = None
    business_central: BusinessCentralConfig | None = None
    warehouse: WarehouseConfig | None = None
    markets: dict[str, MarketConfig] = msgspec.field(default_factory=dict)


def make_simulators(config: ServeConfig) -> list[Simulator]:
    """The simulators of a configuration, not started yet. Raises ValueError when there are none or a name is twice."""
    made: list[Simulator] = []
    if config.shopify is not None:
        made.append(ShopifySim(config.shopify))
    if config.netsuite is not None:
        made.append(NetSuiteSim(config.netsuite))
    if config.business_central is not None:
        made.append(BusinessCentralSim(config.business_central))
    if config.warehouse is not None:
        made.append(WarehouseSim(config.warehouse))
    made += [MarketSim(settings, name) for name, settings in config.markets.items()]
    if not made:
        raise ValueError("nothing to serve: name shopify, netsuite, business_central, warehouse or markets")
    names = [simulator.name for simulator in made]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two simulators are named {twice}; give the market another name")
    return made


async def serve(config: ServeConfig) -> None:
    """Start, print one JSON line with the addresses, and run until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        urls = {
            simulator.name: simulator.url
            for simulator in [await stack.enter_async_context(s) for s in make_simulators(config)]
        }
        sys.stdout.write(msgspec.json.encode({"ready": True, "urls": urls}).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m crossdock.sandbox.serve", description=__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--config", type=Path, metavar="FILE", help="JSON file with the settings")
    group.add_argument("--json", metavar="TEXT", help="the settings themselves")
    options = parser.parse_args(arguments)
    try:
        text = options.json if options.config is None else options.config.read_text(encoding="utf-8")
        config = msgspec.json.decode(text, type=ServeConfig)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(serve(config))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
