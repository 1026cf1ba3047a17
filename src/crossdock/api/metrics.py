# SPDX-License-Identifier: Apache-2.0
"""`/metrics` in the Prometheus text format: this process's counters, and the books' figures read at scrape time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from litestar import Response, get
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from crossdock.api.price_metrics import price_metrics
from crossdock.api.reading import connection
from crossdock.errors import EngineAway
from crossdock.inventory.reconcile import ACCURACY
from crossdock.inventory.reconciled import KpiPoint, newest
from crossdock.observe.overview import Overview, OverviewReader
from crossdock.observe.prices import NO_PRICES, PriceOverview, price_overview
from crossdock.runtime.telemetry import render_metrics


class FiguresCollector(Collector):
    """The figures of one moment as gauges."""

    def __init__(self, figures: Overview, accuracy: Sequence[KpiPoint] = (), prices: PriceOverview = NO_PRICES) -> None:
        self._figures = figures
        self._inventory = accuracy
        self._prices = prices

    def collect(self) -> Iterator[Metric]:
        """One family per figure."""
        yield from self._interfaces()
        yield from self._systems()
        yield from self._channels()
        yield from self._polls()
        yield _accuracy(self._inventory)
        yield from price_metrics(self._prices)

    def _interfaces(self) -> Iterator[Metric]:
        documents = GaugeMetricFamily(
            "crossdock_documents_open", "Open documents by interface and state", labels=["interface", "state"]
        )
        overdue = GaugeMetricFamily(
            "crossdock_documents_overdue", "Open documents past their tier's promise", labels=["interface"]
        )
        lag = GaugeMetricFamily(
            "crossdock_settle_lag_seconds",
            "Received to settled over the last ten minutes",
            labels=["interface", "quantile"],
        )
        money = GaugeMetricFamily(
            "crossdock_cases_money", "Money at stake in open cases", labels=["interface", "currency"]
        )
        cases = GaugeMetricFamily("crossdock_cases_open", "Open cases", labels=["interface"])
        for row in self._figures.interfaces:
            states = (("received", row.waiting), ("retry", row.retrying), ("case", row.in_case))
            for state, number in (*states, ("delivering", row.delivering)):
                documents.add_metric([row.interface, state], number)
            overdue.add_metric([row.interface], row.overdue)
            cases.add_metric([row.interface], row.cases)
            for quantile, seconds in (("0.5", row.lag_p50), ("0.99", row.lag_p99)):
                if seconds is not None:
                    lag.add_metric([row.interface, quantile], seconds)
            for currency, amount in row.money.items():
                money.add_metric([row.interface, currency], float(amount))
        yield from (documents, overdue, cases, lag, money)

    def _systems(self) -> Iterator[Metric]:
        owed = GaugeMetricFamily("crossdock_deliveries_open", "Open deliveries", labels=["system", "state"])
        stopped = GaugeMetricFamily(
            "crossdock_system_stopped", "1 while a system is paused or its breaker is not closed", labels=["system"]
        )
        for row in self._figures.systems:
            for state, number in (("due", row.due), ("sending", row.sending), ("case", row.in_case)):
                owed.add_metric([row.system, state], number)
            stopped.add_metric([row.system], float(row.paused or row.breaker != "closed"))
        yield from (owed, stopped)

    def _channels(self) -> Iterator[Metric]:
        names = ["channel", "system"]
        lag = GaugeMetricFamily(
            "crossdock_stock_lag_seconds",
            "From a change of stock to the channel's acknowledgement over three minutes",
            labels=[*names, "quantile"],
        )
        stale = GaugeMetricFamily(
            "crossdock_stock_staleness_seconds",
            "How long the oldest change waits that the channel does not know of",
            labels=names,
        )
        waiting = GaugeMetricFamily("crossdock_stock_waiting", "Numbers the channel has not acknowledged", labels=names)
        refused = GaugeMetricFamily("crossdock_stock_refused", "Numbers the channel refused", labels=names)
        calls = CounterMetricFamily("crossdock_stock_calls", "Calls that told the channel its stock", labels=names)
        fewest = CounterMetricFamily(
            "crossdock_stock_calls_fewest", "Calls that full batches would have needed", labels=names
        )
        for row in self._figures.systems:
            if not row.channel:
                continue
            of = [row.channel, row.system]
            for quantile, seconds in (("0.5", row.told_p50), ("0.95", row.told_p95), ("0.99", row.told_p99)):
                lag.add_metric([*of, quantile], seconds or 0.0)
            stale.add_metric(of, row.stock_lag or 0.0)
            waiting.add_metric(of, row.stock_waiting)
            refused.add_metric(of, row.stock_problems)
            calls.add_metric(of, row.stock_calls)
            fewest.add_metric(of, row.stock_fewest_calls)
        yield from (lag, stale, waiting, refused, calls, fewest)

    def _polls(self) -> Iterator[Metric]:
        names = ["interface", "topic"]
        age = GaugeMetricFamily(
            "crossdock_poll_age_seconds",
            "Since all that changed was last read of a topic that is asked about",
            labels=names,
        )
        quiet = GaugeMetricFamily(
            "crossdock_poll_quiet_seconds",
            "Since the newest change that a topic told of when it was asked",
            labels=names,
        )
        failures = GaugeMetricFamily("crossdock_poll_failures", "Times in a row that asking failed", labels=names)
        for row in self._figures.polls:
            age.add_metric([row.interface, row.topic], row.age)
            quiet.add_metric([row.interface, row.topic], row.quiet)
            failures.add_metric([row.interface, row.topic], row.failures)
        yield from (age, quiet, failures)


def _accuracy(points: Sequence[KpiPoint]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "crossdock_inventory_accuracy",
        "Share of compared SKUs whose figure was equal at the last whole comparison",
        labels=["system", "location"],
    )
    for point in points:
        system, _, location = point.dimension.partition("/")
        family.add_metric([system, location], point.value)
    return family


def handlers(reader: OverviewReader) -> list[ControllerRouterHandler]:
    """The route, reading through `reader`."""

    @get("/metrics", summary="Prometheus metrics", tags=["operations"], media_type="text/plain")
    async def metrics(state: State) -> Response[bytes]:
        """This process's metrics; the books' figures too while the database answers (`crossdock_database_up`)."""
        own, content_type = render_metrics()
        registry = CollectorRegistry()
        up = GaugeMetricFamily("crossdock_database_up", "1 while PostgreSQL answers", value=1)
        try:
            async with connection(state) as conn:
                figures = await reader.read(conn)
                accuracy, prices = await newest(conn, ACCURACY), await price_overview(conn)
                registry.register(FiguresCollector(figures, accuracy, prices))
        except EngineAway:
            up = GaugeMetricFamily("crossdock_database_up", "1 while PostgreSQL answers", value=0)
        registry.register(_Fixed(up))
        return Response(own + generate_latest(registry), media_type=content_type)

    return [metrics]


class _Fixed(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric
