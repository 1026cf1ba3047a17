# SPDX-License-Identifier: Apache-2.0
"""A connector as the rest of Crossdock sees it: every folder in `connectors/` has a `connector.py` with `CONNECTOR`."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table
from importlib import import_module
from typing import Any

from msgspec import Struct

from crossdock.errors import NeedsConfig
from crossdock.sdk.listing import Lister, PriceLister
from crossdock.sdk.manifest import Limits, Manifest
from crossdock.sdk.polling import Poller
from crossdock.sdk.receiving import Receiver
from crossdock.sdk.sending import Sender
from crossdock.sdk.words import Mapping


class SystemConfig(Struct, frozen=True, kw_only=True):
    """One system of the estate as its connector gets it.

    `settings`: plain values. `secret(name)` resolves a secret reference at the moment of use, so that a rotated
    credential is taken up without a restart; NeedsConfig when it cannot be resolved. `limits`: the manifest's, lowered
    by the estate. `names`: crosswalks of this system by name, canonical → theirs (locations, carriers, …). `translate`:
    the connector's outbound mappings by name, compiled; each takes {"document", "known", "reference", "names"} and
    returns what the system is sent.
    """

    name: str
    settings: Table[str, Any]
    secret: Callable[[str], str]
    limits: Limits
    names: Table[str, Table[str, str]]
    translate: Table[str, Callable[[Any], Any]]


MakeSender = Callable[[SystemConfig], Sender]
MakeLister = Callable[[SystemConfig], Lister]
MakePriceLister = Callable[[SystemConfig], PriceLister]
MakePoller = Callable[[SystemConfig], Poller]


class Connector(Struct, frozen=True, kw_only=True):
    """What a connector folder offers. `receiver`: for systems that call us. `make_sender`: for systems we call.
    `make_lister`, `make_price_lister`: for those that can be asked for their stock, or their prices. `make_poller`: for
    those that are asked what changed."""

    manifest: Manifest
    mappings: tuple[Mapping, ...] = ()
    receiver: Receiver | None = None
    make_sender: MakeSender | None = None
    make_lister: MakeLister | None = None
    make_price_lister: MakePriceLister | None = None
    make_poller: MakePoller | None = None

    def mapping(self, name: str) -> Mapping:
        """The mapping called `name`. KeyError when the connector has none."""
        for mapping in self.mappings:
            if mapping.name == name:
                return mapping
        raise KeyError(name)


def load_connector(name: str) -> Connector:
    """The connector in folder `name`. NeedsConfig when there is none of that name."""
    try:
        module = import_module(f"crossdock.connectors.{name}.connector")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith(f"crossdock.connectors.{name}"):
            raise NeedsConfig(
                f"there is no connector named {name!r}",
                field="connector",
                value=name,
                fix="use the name of a folder in crossdock/connectors, as listed by `crossdock connectors`",
            ) from error
        raise
    connector: Connector = module.CONNECTOR
    return connector
