# SPDX-License-Identifier: Apache-2.0
"""How telling channels their prices goes, as gauges; named in docs/reference/metrics.md."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from crossdock.observe.prices import PriceOverview

_NAMES = ["channel", "system"]


def price_metrics(prices: PriceOverview) -> Iterator[Metric]:
    """One family per figure, a value for each channel that is told prices."""
    lag = GaugeMetricFamily(
        "crossdock_price_lag_seconds",
        "From a change of prices to the channel's acknowledgement over three minutes",
        labels=[*_NAMES, "quantile"],
    )
    stale = GaugeMetricFamily(
        "crossdock_price_staleness_seconds",
        "How long the oldest change waits that the channel does not know of",
        labels=_NAMES,
    )
    waiting = GaugeMetricFamily("crossdock_price_waiting", "Prices the channel has not acknowledged", labels=_NAMES)
    refused = GaugeMetricFamily("crossdock_price_refused", "Prices the channel refused", labels=_NAMES)
    unpriced = GaugeMetricFamily(
        "crossdock_price_withdrawn", "SKUs the channel was told a price of that has gone since", labels=_NAMES
    )
    calls = CounterMetricFamily("crossdock_price_calls", "Calls that told the channel its prices", labels=_NAMES)
    for row in prices.channels:
        of = [row.channel, row.system]
        for quantile, seconds in (("0.5", row.lag_p50), ("0.95", row.lag_p95), ("0.99", row.lag_p99)):
            lag.add_metric([*of, quantile], seconds)
        stale.add_metric(of, row.staleness)
        waiting.add_metric(of, row.waiting)
        refused.add_metric(of, row.refused)
        unpriced.add_metric(of, row.withdrawn)
        calls.add_metric(of, row.calls)
    yield from (lag, stale, waiting, refused, unpriced, calls)
    accuracy = GaugeMetricFamily(
        "crossdock_price_accuracy", "Share of compared prices that was equal at the last comparison", labels=["system"]
    )
    for point in prices.accuracy:
        accuracy.add_metric([point.dimension], point.value)
    risk = GaugeMetricFamily(
        "crossdock_price_money_at_risk",
        "What wrong prices came to for what was sold in thirty days, at the last comparison",
        labels=["system", "currency"],
    )
    for point in prices.at_risk:
        system, _, currency = point.dimension.rpartition("/")
        risk.add_metric([system, currency], point.value)
    yield from (accuracy, risk)
