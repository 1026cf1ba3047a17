# SPDX-License-Identifier: Apache-2.0
"""What a connector's folder has for its tests: samples, hostile ones too, a way to sign, a pretended system."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Table
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from crossdock.errors import NeedsConfig
from crossdock.sdk.connector import Connector, SystemConfig, load_connector
from crossdock.sdk.receiving import HookRequest
from crossdock.sdk.signatures import hmac_sha256_base64, sign_standard_webhook
from crossdock.sdk.words import Mapping

# What a sample's mapping knows beside the document.
CONTEXT: dict[str, str] = {"system": "sample", "channel": "sample", "entity": "sample", "topic": "sample"}
MOMENT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Golden(Struct, frozen=True):
    """A source and what a mapping makes of it: `<mapping>.<case>.in.json` and `<mapping>.<case>.out.json`."""

    mapping: str
    case: str
    source: Path
    expected: Path

    def __str__(self) -> str:
        return f"{self.mapping}.{self.case}"


class Hostile(Struct, frozen=True):
    """A body nobody should send, `hostile/<refused|borne>/<mapping>.<case>.json`.

    `refused`: it must become a case. Borne: it may be read, but never ends in another exception.
    """

    mapping: str
    case: str
    refused: bool
    path: Path

    def __str__(self) -> str:
        return f"{self.mapping}.{self.case}"


class Webhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`samples/webhook.toml`: how the system signs, and the headers it always sends.

    `secret` signs; `former` is one that is being rotated out. `required`: headers without which a request is refused.
    """

    scheme: Literal["hmac_sha256_base64", "standard_webhooks"]
    secret: str
    former: str
    signature_header: str
    headers: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        """The headers of a request with `body`, signed with `secret` at MOMENT."""
        if self.scheme == "hmac_sha256_base64":
            return {**self.headers, self.signature_header: hmac_sha256_base64(body, secret)}
        timestamp = int(MOMENT.timestamp())
        signature = sign_standard_webhook(self.headers["webhook-id"], timestamp, body, secret)
        return {**self.headers, "webhook-timestamp": str(timestamp), self.signature_header: signature}


class PretendedSystem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`samples/system.toml`: settings, secrets and names of a system that the suite pretends to be."""

    settings: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)


class Kit(Struct, frozen=True, kw_only=True):
    """Everything the suite runs on for one connector."""

    name: str
    connector: Connector
    folder: Path
    golden: tuple[Golden, ...]
    hostile: tuple[Hostile, ...]
    webhook: Webhook | None
    system: PretendedSystem | None

    @property
    def errors(self) -> ModuleType:
        """The connector's module of error tables."""
        return import_module(f"crossdock.connectors.{self.name}.errors")

    @property
    def repository(self) -> Path | None:
        """The root of the repository the connector lies in, None when it is installed without one."""
        root = self.folder.parents[3]
        return root if (root / "pyproject.toml").is_file() else None

    def inbound(self) -> Iterator[Mapping]:
        """The mappings of what comes in."""
        return (mapping for mapping in self.connector.mappings if mapping.direction == "in")

    def topics(self, mapping: str) -> list[str]:
        """The topics that `mapping` translates."""
        return [entry.topic for entry in self.connector.manifest.receives if entry.mapping == mapping]

    def request(self, topic: str, body: bytes, headers: Table[str, str]) -> HookRequest:
        """A webhook as the gateway hands it over."""
        return HookRequest(system="sample", topic=topic, headers=headers, body=body, received_at=MOMENT)

    def config(self, url: str, translate: Table[str, Any]) -> SystemConfig:
        """A system at `url`, for the connector's sender."""
        system = self.system or PretendedSystem()

        def secret(name: str) -> str:
            if name not in system.secrets:
                raise NeedsConfig(f"secret {name} is not set", field=f"secrets.{name}")
            return system.secrets[name]

        return SystemConfig(
            name="sample",
            settings={**system.settings, "url": url},
            secret=secret,
            limits=msgspec.structs.replace(self.connector.manifest.limits, timeout=5.0),
            names=system.names,
            translate=translate,
        )


def load_kit(name: str) -> Kit:
    """The kit of connector `name`. NeedsConfig when there is none; msgspec.ValidationError for a bad samples file."""
    connector = load_connector(name)
    package = import_module(f"crossdock.connectors.{name}")
    folder = Path(next(iter(package.__path__)))
    samples = folder / "samples"
    return Kit(
        name=name,
        connector=connector,
        folder=folder,
        golden=tuple(_golden(samples)),
        hostile=tuple(_hostile(samples / "hostile")),
        webhook=_toml(samples / "webhook.toml", Webhook),
        system=_toml(samples / "system.toml", PretendedSystem),
    )


def _golden(samples: Path) -> Iterator[Golden]:
    for source in sorted(samples.glob("*.in.json")):
        mapping, _, case = source.name.removesuffix(".in.json").rpartition(".")
        yield Golden(mapping, case, source, source.with_name(source.name.replace(".in.json", ".out.json")))


def _hostile(folder: Path) -> Iterator[Hostile]:
    for path in sorted(folder.glob("*/*.json")):
        mapping, _, case = path.name.removesuffix(".json").rpartition(".")
        yield Hostile(mapping, case, path.parent.name == "refused", path)


def _toml(path: Path, kind: Any) -> Any:
    return msgspec.toml.decode(path.read_bytes(), type=kind) if path.is_file() else None
