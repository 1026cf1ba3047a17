# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: S101 - these are tests, and pytest explains an assert
"""Puts the suite together for one connector."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from crossdock.canonical.objects import OBJECTS
from crossdock.sdk.conformance.inbound import GoldenTests, HostileTests, ReceiverTests
from crossdock.sdk.conformance.kit import Kit, load_kit
from crossdock.sdk.conformance.outbound import ErrorTableTests, ListerTests, SenderTests
from crossdock.sdk.conformance.quality import CLAIMS, RULES


class ManifestTests:
    """The manifest agrees with what the folder has; every claim of its quality is checked."""

    kit: ClassVar[Kit]

    def test_manifest_agrees_with_the_folder(self) -> None:
        """Name, topics and operations, mappings and their objects, receiver and sender."""
        connector, manifest = self.kit.connector, self.kit.connector.manifest
        assert manifest.name == self.kit.name
        names = [mapping.name for mapping in connector.mappings]
        assert len(names) == len(set(names))
        topics = [entry.topic for entry in manifest.receives] + [entry.topic for entry in manifest.polls]
        assert len(topics) == len(set(topics))
        operations = [entry.operation for entry in manifest.sends]
        assert len(operations) == len(set(operations))
        for kind, name in manifest.comes_in.values():
            mapping = connector.mapping(name)
            assert (mapping.direction, mapping.target) == ("in", kind)
        for sends in manifest.sends:
            assert sends.object in OBJECTS
            assert not sends.mapping or connector.mapping(sends.mapping).direction == "out"
            assert 1 <= sends.batch <= 10_000
        assert (connector.make_sender is not None) == bool(manifest.sends)
        assert (connector.make_lister is not None) == bool(manifest.lists)
        assert (connector.make_poller is not None) == bool(manifest.polls)
        assert (connector.make_price_lister is not None) == bool(manifest.prices)
        assert len(manifest.lists) <= 1
        assert len(manifest.prices) <= 1
        settings = [setting.name for setting in manifest.settings]
        assert len(settings) == len(set(settings))

    def test_mappings_are_named_after_the_connector(self) -> None:
        """A mapping's name begins with the connector's, so that the journal says whose it was."""
        for mapping in self.kit.connector.mappings:
            assert mapping.name.startswith(f"{self.kit.name}.")
            assert mapping.version >= 1

    def test_quality_is_told_rule_by_rule(self) -> None:
        """Every rule of the scale once; what is not done has its reason."""
        rules = self.kit.connector.manifest.quality
        assert sorted(rule.rule for rule in rules) == sorted(RULES)
        for rule in rules:
            assert rule.status == "done" or rule.reason, f"{rule.rule} is {rule.status} without a reason"

    def test_what_is_claimed_is_so(self) -> None:
        """A rule that is said to be done is done, as far as that can be seen."""
        for rule in self.kit.connector.manifest.quality:
            if rule.status == "done" and rule.rule in CLAIMS:
                broken = CLAIMS[rule.rule](self.kit)
                assert not broken, f"{rule.rule}: {broken}"


class _Parametrized:
    """Hands every test the samples, topics and operations of its connector."""

    kit: ClassVar[Kit]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """pytest's hook: called once per test of the class."""
        values: dict[str, list[Any]] = {
            "golden": list(self.kit.golden),
            "hostile": list(self.kit.hostile),
            "topic": [entry.topic for entry in self.kit.connector.manifest.receives],
            "sends": list(self.kit.connector.manifest.sends),
        }
        for name in values.keys() & set(metafunc.fixturenames):
            metafunc.parametrize(name, values[name], ids=lambda value: getattr(value, "operation", str(value)))


def conformance(name: str) -> type:
    """The tests of connector `name` as a class for pytest: assign it to a name that begins with `Test`.

    It holds only what applies: a connector that only sends has no tests of a receiver. NeedsConfig when there is none
    of that name.
    """
    kit = load_kit(name)
    parts: list[type] = [_Parametrized, ManifestTests]
    if kit.connector.mappings:
        parts.append(GoldenTests)
    if any(kit.inbound()):
        parts.append(HostileTests)
    if kit.connector.receiver is not None:
        parts.append(ReceiverTests)
    if kit.connector.make_sender is not None:
        parts += [ErrorTableTests, SenderTests]
    if kit.connector.make_lister is not None or kit.connector.make_price_lister is not None:
        parts.append(ListerTests)
    return type(f"Conformance_{name}", tuple(parts), {"kit": kit, "__doc__": f"Conformance of connector {name}."})
