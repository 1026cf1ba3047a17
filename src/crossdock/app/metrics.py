# SPDX-License-Identifier: Apache-2.0
"""Counters of this process, named in docs/reference/metrics.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from crossdock.runtime.telemetry import REGISTRY

RECEIVED = Counter(
    "crossdock_received_total",
    "Requests taken in or refused, by interface and outcome (kept, duplicate, refused, away, failed)",
    ["interface", "outcome"],
    registry=REGISTRY,
)
RESERVATIONS = Counter(
    "crossdock_reservation_calls_total",
    "Calls about reservations, by verb (reserve, read, extend, commit, release) and outcome (done, repeated, short, "
    "refused, away)",
    ["verb", "outcome"],
    registry=REGISTRY,
)
ORDERS = Counter(
    "crossdock_order_calls_total",
    "Calls about orders, by verb (place, validate, read, list, cancel) and outcome (done, repeated, refused, away)",
    ["verb", "outcome"],
    registry=REGISTRY,
)
RETURNS = Counter(
    "crossdock_return_calls_total",
    "Calls about returns, by verb (request, read) and outcome (done, repeated, refused, away)",
    ["verb", "outcome"],
    registry=REGISTRY,
)
TRIED = Counter(
    "crossdock_delivery_tries_total",
    "Tries of deliveries, by system and outcome",
    ["system", "outcome"],
    registry=REGISTRY,
)
WEBHOOKS = Counter(
    "crossdock_webhook_tries_total",
    "Tries of webhooks to subscribers, by outcome (delivered, failed, throttled, gone)",
    ["outcome"],
    registry=REGISTRY,
)
WEBHOOK_SECONDS = Histogram(
    "crossdock_webhook_seconds", "How long subscribers took to answer webhooks, in seconds", registry=REGISTRY
)
CALL_SECONDS = Histogram(
    "crossdock_call_seconds", "How long calls to a system took, in seconds", ["system"], registry=REGISTRY
)


AVAILABILITY_AGE = Gauge(
    "crossdock_availability_age_seconds",
    "How old what the gateway knows of stock is, in seconds; -1 before it was read once",
    registry=REGISTRY,
)
AVAILABILITY_LEVELS = Gauge(
    "crossdock_availability_levels", "Stock levels that the gateway holds in memory", registry=REGISTRY
)


@cache
def _received(interface: str, outcome: str) -> Counter:
    return RECEIVED.labels(interface or "(none)", outcome)


def received(interface: str, outcome: str) -> None:
    """Count a request."""
    _received(interface, outcome).inc()


@cache
def _reservations(verb: str, outcome: str) -> Counter:
    return RESERVATIONS.labels(verb, outcome)


def reservation_call(verb: str, outcome: str) -> None:
    """Count a call about reservations."""
    _reservations(verb, outcome).inc()


@cache
def _orders(verb: str, outcome: str) -> Counter:
    return ORDERS.labels(verb, outcome)


def order_call(verb: str, outcome: str) -> None:
    """Count a call about orders."""
    _orders(verb, outcome).inc()


@cache
def _returns(verb: str, outcome: str) -> Counter:
    return RETURNS.labels(verb, outcome)


def return_call(verb: str, outcome: str) -> None:
    """Count a call about returns."""
    _returns(verb, outcome).inc()


@cache
def _tried(system: str, outcome: str) -> Counter:
    return TRIED.labels(system, outcome)


@cache
def _seconds(system: str) -> Histogram:
    return CALL_SECONDS.labels(system)


def tried(system: str, outcome: str, seconds: float) -> None:
    """Count a try of a delivery and how long its call took."""
    _tried(system, outcome).inc()
    _seconds(system).observe(seconds)


class AccessCollector(Collector):
    """Requests at the door of the API. Counted plainly, as every request passes there, and told when asked."""

    def __init__(self) -> None:
        self.number: dict[tuple[str, str], int] = defaultdict(int)

    def collect(self) -> Iterator[Metric]:
        """The counter."""
        family = CounterMetricFamily(
            "crossdock_access",
            "Requests at the door of the API, by consumer and outcome (let_in, unknown, forbidden, not_found, limited, "
            "busy)",
            labels=["consumer", "outcome"],
        )
        for (consumer, outcome), number in sorted(self.number.items()):
            family.add_metric([consumer or "(unknown)", outcome], number)
        yield family


ACCESS = AccessCollector()
REGISTRY.register(ACCESS)


def access_call(consumer: str, outcome: str) -> None:
    """Count a request of a consumer, "" when nobody knows whose."""
    ACCESS.number[consumer, outcome] += 1


def webhook_sent(outcome: str, seconds: float) -> None:
    """Count a try of a webhook and how long it took."""
    WEBHOOKS.labels(outcome).inc()
    WEBHOOK_SECONDS.observe(seconds)
