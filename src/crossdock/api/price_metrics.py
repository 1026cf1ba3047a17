# SPDX-License-Identifier: Apache-2.0
"""How telling channels their prices goes, as gauges; named in docs/reference/metrics.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from crossdock.observe.prices import PriceFigures

_NAMES = ["channel", "system"]


def price_metrics(figures: Sequence[PriceFigures]) -> Iterator[Metric]:
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
    for row in figures:
        of = [row.channel, row.system]
        for quantile, seconds in (("0.5", row.lag_p50), ("0.95", row.lag_p95), ("0.99", row.lag_p99)):
            lag.add_metric([*of, quantile], seconds)
        stale.add_metric(of, row.staleness)
        waiting.add_metric(of, row.waiting)
        refused.add_metric(of, row.refused)
        unpriced.add_metric(of, row.withdrawn)
        calls.add_metric(of, row.calls)
    yield from (lag, stale, waiting, refused, unpriced, calls)
