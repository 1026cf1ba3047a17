# SPDX-License-Identifier: Apache-2.0
"""Check the systems of an estate against their connectors' manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossdock.errors import NeedsConfig
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved
from crossdock.estate.references import is_reference
from crossdock.sdk.connector import load_connector
from crossdock.sdk.manifest import Manifest

_SECRET_WORDS = re.compile(r"secret|token|password|private_key|api_key", re.IGNORECASE)


def manifests_of(estate: Estate) -> tuple[dict[str, Manifest], list[Finding]]:
    """The manifest of every system's connector, and a finding for each that has none."""
    manifests: dict[str, Manifest] = {}
    findings: list[Finding] = []
    for name, system in estate.systems.items():
        try:
            manifests[name] = load_connector(system.connector).manifest
        except NeedsConfig as error:
            findings.append(at_place(estate, ("systems", name, "connector"), error.reason, error.fix))
    return manifests, findings


def check_systems(estate: Estate, manifests: dict[str, Manifest]) -> Iterator[Finding]:
    """Findings about `systems`: what their connectors need, allow and know."""
    for name, system in estate.systems.items():
        yield from unresolved(estate, ("systems", name, "owner"), "owners", system.owner, estate.owners)
        for secret, reference in system.secrets.items():
            if not is_reference(reference):
                fix = f"write {secret}: env:NAME or file:PATH, and change the secret: it was in a file"
                yield at_place(
                    estate, ("systems", name, "secrets", secret), "a secret stands in the estate as a value", fix
                )
        for setting, value in system.settings.items():
            if _SECRET_WORDS.search(setting) and not is_reference(str(value)):
                yield at_place(
                    estate,
                    ("systems", name, "settings", setting),
                    "this looks like a secret",
                    "move it to secrets, as a reference",
                )
        if name in manifests:
            yield from _given(estate, name, manifests[name])
            yield from _limits(estate, name, manifests[name])


def _given(estate: Estate, name: str, manifest: Manifest) -> Iterator[Finding]:
    system = estate.systems[name]
    specs = {spec.name: spec for spec in manifest.settings}
    for spec in specs.values():
        section = "secrets" if spec.secret else "settings"
        given = system.secrets if spec.secret else system.settings
        if spec.required and not spec.default and spec.name not in given:
            fix = (
                f"add {section}: {{{spec.name}: {'env:NAME' if spec.secret else '…'}}} ({spec.note or manifest.title})"
            )
            yield at_place(estate, ("systems", name), f"{manifest.name} needs the {section[:-1]} {spec.name!r}", fix)
    for section, given_names in (("settings", system.settings), ("secrets", system.secrets)):
        for given_name in given_names:
            # While the webhook secret is rotated out, the old one stands beside it as `webhook_…`.
            key = "webhook" if section == "secrets" and given_name.startswith("webhook_") else given_name
            if key not in specs or specs[key].secret != (section == "secrets"):
                known = (
                    ", ".join(sorted(s.name for s in specs.values() if s.secret == (section == "secrets"))) or "none"
                )
                yield at_place(
                    estate,
                    ("systems", name, section, given_name),
                    f"{manifest.name} knows no {section[:-1]} {given_name!r}",
                    f"known: {known}",
                )


def _limits(estate: Estate, name: str, manifest: Manifest) -> Iterator[Finding]:
    asked, allowed = estate.systems[name].limits, manifest.limits
    for limit in ("concurrency", "rate", "burst", "timeout", "body_bytes"):
        value, most = getattr(asked, limit), allowed.most(limit)
        if value is not None and most is not None and value > most:
            what = f"{limit} {value} is more than the {most} that {manifest.title} allows"
            yield at_place(estate, ("systems", name, "limits", limit), what, f"at most {most}", "warning")
