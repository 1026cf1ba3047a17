# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the connectors' tests: mappings compiled as the application compiles them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from crossdock.mapping.compile import Parts, Translator, compile_mapping
from crossdock.mapping.step import decode_source
from crossdock.sdk.connector import SystemConfig, load_connector
from crossdock.sdk.listing import Lister, PriceLister
from crossdock.sdk.polling import Poller
from crossdock.sdk.sending import Sender
from crossdock.sdk.words import Mapping

OpenSender = Callable[..., Sender]
OpenLister = Callable[..., Lister]
OpenPoller = Callable[..., Poller]
OpenPriceLister = Callable[..., PriceLister]

pytest.register_assert_rewrite("crossdock.sdk.conformance.inbound", "crossdock.sdk.conformance.outbound")
pytest.register_assert_rewrite("crossdock.sdk.conformance.suite")

_COMPILED: dict[str, Translator] = {}


@pytest.fixture
async def open_sender() -> AsyncIterator[OpenSender]:
    """Open the sender of a connector for a system at `url`, mappings compiled; closed after the test."""
    senders: list[Sender] = []

    def opened(connector: str, **config: Any) -> Sender:
        loaded = load_connector(connector)
        assert loaded.make_sender is not None
        secrets = config.pop("secrets", {})
        given = {"name": connector, "settings": {}, "names": {}, "limits": loaded.manifest.limits, **config}
        compiled = {mapping.name: compile_mapping(mapping) for mapping in loaded.mappings if mapping.direction == "out"}
        sender = loaded.make_sender(SystemConfig(**given, secret=secrets.__getitem__, translate=compiled))
        senders.append(sender)
        return sender

    yield opened
    for sender in senders:
        await sender.close()


@pytest.fixture
async def open_lister() -> AsyncIterator[OpenLister]:
    """Open the lister of a connector for a system at `url`; closed after the test."""
    listers: list[Lister] = []

    def opened(connector: str, **config: Any) -> Lister:
        loaded = load_connector(connector)
        assert loaded.make_lister is not None
        lister = loaded.make_lister(_plain_config(connector, config))
        listers.append(lister)
        return lister

    yield opened
    for lister in listers:
        await lister.close()


@pytest.fixture
async def open_poller() -> AsyncIterator[OpenPoller]:
    """Open the poller of a connector for a system at `url`; closed after the test."""
    pollers: list[Poller] = []

    def opened(connector: str, **config: Any) -> Poller:
        loaded = load_connector(connector)
        assert loaded.make_poller is not None
        secrets = config.pop("secrets", {})
        given = {"name": connector, "settings": {}, "names": {}, "limits": loaded.manifest.limits, **config}
        poller = loaded.make_poller(SystemConfig(**given, secret=secrets.__getitem__, translate={}))
        pollers.append(poller)
        return poller

    yield opened
    for poller in pollers:
        await poller.close()


@pytest.fixture
async def open_price_lister() -> AsyncIterator[OpenPriceLister]:
    """Open the lister of prices of a connector for a system at `url`; closed after the test."""
    listers: list[PriceLister] = []

    def opened(connector: str, **config: Any) -> PriceLister:
        loaded = load_connector(connector)
        assert loaded.make_price_lister is not None
        lister = loaded.make_price_lister(_plain_config(connector, config))
        listers.append(lister)
        return lister

    yield opened
    for lister in listers:
        await lister.close()


def _plain_config(connector: str, config: dict[str, Any]) -> SystemConfig:
    secrets, limits = config.pop("secrets", {}), load_connector(connector).manifest.limits
    given = {"name": connector, "settings": {}, "names": {}, "limits": limits, **config}
    return SystemConfig(**given, secret=secrets.__getitem__, translate={})


@pytest.fixture(scope="session")
def translate() -> Callable[[Mapping, Any, dict[str, str]], Parts]:
    """Run a mapping on a decoded source or a body; every crosswalk knows every value and leaves it as it is."""

    def run(mapping: Mapping, source: Any, context: dict[str, str]) -> Parts:
        translator = _COMPILED.get(mapping.label)
        if translator is None:
            translator = _COMPILED[mapping.label] = compile_mapping(mapping, lambda table, value: value)
        return translator.parts(decode_source(source) if isinstance(source, bytes) else source, context)

    return run
