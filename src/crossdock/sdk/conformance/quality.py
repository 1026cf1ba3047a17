# SPDX-License-Identifier: Apache-2.0
"""The quality scale: what a finished connector does. A manifest says of every rule: done, to do, or exempt and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crossdock.sdk.conformance.kit import Kit

HOSTILE_CASES: Final = frozenset(
    {"truncated", "huge", "wrong_type", "missing", "unknown_enum", "duplicate", "foreign_encoding", "nan"}
)

RULES: Final[dict[str, str]] = {
    "signed": "every request that comes in is authenticated before anything is stored",
    "deduplicated": "the vendor's id of a delivery makes the deduplication key",
    "newest_wins": "a change carries the time it was made at its source, so that an older one is known",
    "safe_to_repeat": "every operation says why repeating it makes no second effect, and does so",
    "errors_tabled": "a table says of every status what happens next and who acts",
    "limits_kept": "the vendor's limits are in the manifest with their source, and kept",
    "golden_samples": "every mapping has samples and what they become",
    "hostile_samples": "every inbound mapping has the eight hostile samples",
    "documented": "the folder has a README, docs/connectors has a page",
    "simulated": "its tests run against a simulator that was written apart from it",
    "reconciled": "what the other side has can be compared with what we have",
    "live_tested": "its tests have run against the vendor's own system",
}


def _documented(kit: Kit) -> str:
    if not (kit.folder / "README.md").is_file():
        return "there is no README.md in the folder"
    page = kit.connector.manifest.docs
    if kit.repository is not None and not (page and (kit.repository / page).is_file()):
        return f"the page {page!r} named as docs does not exist"
    return ""


def _golden(kit: Kit) -> str:
    sampled = {sample.mapping for sample in kit.golden if sample.expected.is_file()}
    bare = sorted(mapping.name for mapping in kit.connector.mappings if mapping.name not in sampled)
    return f"no samples of {', '.join(bare)}" if bare else ""


def _hostile(kit: Kit) -> str:
    there = {(sample.mapping, sample.case) for sample in kit.hostile}
    lacking = [
        f"{mapping.name}.{case}"
        for mapping in kit.inbound()
        for case in sorted(HOSTILE_CASES)
        if (mapping.name, case) not in there
    ]
    return f"no hostile samples {', '.join(lacking)}" if lacking else ""


def _signed(kit: Kit) -> str:
    if kit.connector.receiver is None:
        return "there is no receiver"
    return "" if kit.webhook is not None else "there is no samples/webhook.toml to test signatures with"


def _safe(kit: Kit) -> str:
    return "" if kit.connector.manifest.sends else "it sends nothing"


def _limits(kit: Kit) -> str:
    return "" if kit.connector.manifest.limits.note else "limits.note does not say where the limits come from"


def _simulated(kit: Kit) -> str:
    if kit.repository is None:
        return ""
    tests = kit.repository / "tests" / "connectors" / kit.name
    return "" if any(tests.glob("test_simulated*.py")) else f"there is no {tests}/test_simulated*.py"


def _reconciled(kit: Kit) -> str:
    return "" if kit.connector.make_lister is not None else "it has no lister"


# What of a claim can be seen from the outside; "" when it holds, else why it does not.
CLAIMS: Final[dict[str, Callable[[Kit], str]]] = {
    "signed": _signed,
    "safe_to_repeat": _safe,
    "limits_kept": _limits,
    "golden_samples": _golden,
    "hostile_samples": _hostile,
    "documented": _documented,
    "simulated": _simulated,
    "reconciled": _reconciled,
}
