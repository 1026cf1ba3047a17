# SPDX-License-Identifier: Apache-2.0
"""What a connector says of itself in `manifest.toml`; read by the catalog, the limiter and the conformance suite."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Direction = Literal["receive", "send"]
Idempotency = Literal["key", "upsert", "lookup", "absolute"]


class Receives(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic the system tells us about, the canonical object it becomes and the mapping that makes it."""

    topic: str
    object: str
    mapping: str
    note: str = ""


class Sends(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operation we ask of the system.

    `batch`: the most items one call takes (source in `note`). `idempotency`: why repeating is safe: the system keeps
    a key, the write is an upsert by our reference, we look before creating, or the value is absolute. `known` = False:
    it needs no references that systems gave back earlier, so they are not read for it.
    """

    operation: str
    object: str
    mapping: str = ""
    batch: int = 1
    idempotency: Idempotency
    known: bool = True
    note: str = ""


class Lists(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The system can be asked for its stock.

    `what`: "on_hand" is compared with what we hold at a location, "available" with what a channel was told. `page`: the
    most rows one call gives; `skus`: the most SKUs one call may ask for (sources in `note`).
    """

    what: Literal["on_hand", "available"]
    page: Annotated[int, Meta(ge=1, le=10_000)]
    skus: Annotated[int, Meta(ge=1, le=1_000)]
    note: str = ""


class Polls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic the system is asked about, because it does not tell by itself.

    `interval`: seconds between two times, unless the estate says otherwise. `overlap`: seconds that each looks back: as
    long as a change may take to be seen after the time it carries, and clocks differ. `page`: the most rows one call
    gives (source in `note`).
    """

    topic: str
    object: str
    mapping: str
    interval: Annotated[int, Meta(ge=1, le=86_400)] = 60
    overlap: Annotated[int, Meta(ge=1, le=86_400)] = 300
    page: Annotated[int, Meta(ge=1, le=10_000)]
    note: str = ""


class ListsPrices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The system can be asked for its prices.

    `what`: "shown" is compared with what a channel was told, "base" (of an ERP) with the products' own prices. `page`:
    the most rows one call gives; `skus`: the most SKUs one call may ask for (sources in `note`).
    """

    what: Literal["shown", "base"]
    page: Annotated[int, Meta(ge=1, le=100_000)]
    skus: Annotated[int, Meta(ge=1, le=1_000)]
    note: str = ""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the system allows; the estate may lower it. `concurrency`: calls in flight; `rate`: calls per second.

    `concurrency_most`: what the estate may raise `concurrency` to, for systems whose accounts can be granted more.
    """

    concurrency: int = 4
    concurrency_most: int | None = None
    rate: float | None = None
    burst: int | None = None
    timeout: float = 30.0
    body_bytes: int = 5_000_000
    note: str = ""

    def most(self, name: str) -> float | None:
        """The highest value that the estate may give the limit called `name`; None = any."""
        if name == "concurrency" and self.concurrency_most is not None:
            return self.concurrency_most
        value: float | None = getattr(self, name)
        return value


class SettingSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A setting or secret the estate must or may give for a system of this connector."""

    name: str
    required: bool = True
    secret: bool = False
    default: str = ""
    note: str = ""


class QualityRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of the quality scale and how the connector stands to it; an exemption needs its reason."""

    rule: str
    status: Literal["done", "todo", "exempt"]
    reason: str = ""


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connector's manifest. `lists` and `prices` have one entry or none."""

    name: str
    title: str
    version: int
    vendor: str
    api_version: str = ""
    docs: str = ""
    receives: tuple[Receives, ...] = ()
    polls: tuple[Polls, ...] = ()
    sends: tuple[Sends, ...] = ()
    lists: tuple[Lists, ...] = ()
    prices: tuple[ListsPrices, ...] = ()
    limits: Limits = Limits()
    settings: tuple[SettingSpec, ...] = ()
    quality: tuple[QualityRule, ...] = ()
    quirks: tuple[str, ...] = ()

    @property
    def comes_in(self) -> dict[str, tuple[str, str]]:
        """What comes in of the system, told or asked for: topic → (canonical object, mapping)."""
        told = {entry.topic: (entry.object, entry.mapping) for entry in self.receives}
        return told | {entry.topic: (entry.object, entry.mapping) for entry in self.polls}


def load_manifest(package: str) -> Manifest:
    """The manifest of the connector package `package`. msgspec.ValidationError names what is wrong with it."""
    return msgspec.toml.decode(files(package).joinpath("manifest.toml").read_bytes(), type=Manifest)
