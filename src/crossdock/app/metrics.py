# SPDX-License-Identifier: Apache-2.0
"""Counters of this process, named in docs/reference/metrics.md."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from crossdock.runtime.telemetry import REGISTRY

RECEIVED = Counter(
    "crossdock_received_total",
    "Requests taken in or refused, by interface and outcome (kept, duplicate, refused, away, failed)",
    ["interface", "outcome"],
    registry=REGISTRY,
)
TRIED = Counter(
    "crossdock_delivery_tries_total",
    "Tries of deliveries, by system and outcome",
    ["system", "outcome"],
    registry=REGISTRY,
)
CALL_SECONDS = Histogram(
    "crossdock_call_seconds", "How long calls to a system took, in seconds", ["system"], registry=REGISTRY
)


def received(interface: str, outcome: str) -> None:
    """Count a request."""
    RECEIVED.labels(interface or "(none)", outcome).inc()


def tried(system: str, outcome: str, seconds: float) -> None:
    """Count a try of a delivery and how long its call took."""
    TRIED.labels(system, outcome).inc()
    CALL_SECONDS.labels(system).observe(seconds)
