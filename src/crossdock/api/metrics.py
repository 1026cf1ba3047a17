# SPDX-License-Identifier: Apache-2.0
"""`/metrics` in the Prometheus text format: this process's counters, and the books' figures read at scrape time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from litestar import Response, get
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from crossdock.api.reading import connection
from crossdock.errors import EngineAway
from crossdock.inventory.reconcile import ACCURACY
from crossdock.inventory.reconciled import KpiPoint, newest
from crossdock.observe.overview import Overview, OverviewReader
from crossdock.runtime.telemetry import render_metrics


class FiguresCollector(Collector):
    """The figures of one moment as gauges."""

    def __init__(self, figures: Overview, accuracy: Sequence[KpiPoint] = ()) -> None:
        self._figures = figures
        self._inventory = accuracy

    def collect(self) -> Iterator[Metric]:
        """One family per figure."""
        yield from self._interfaces()
        yield from self._systems()
        yield _accuracy(self._inventory)

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
        stock = GaugeMetricFamily(
            "crossdock_stock_lag_seconds", "How long the oldest untold stock level waits", labels=["system"]
        )
        for row in self._figures.systems:
            for state, number in (("due", row.due), ("sending", row.sending), ("case", row.in_case)):
                owed.add_metric([row.system, state], number)
            stopped.add_metric([row.system], float(row.paused or row.breaker != "closed"))
            stock.add_metric([row.system], row.stock_lag or 0.0)
        yield from (owed, stopped, stock)


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

    @get("/metrics", summary="Prometheus metrics", tags=["operations"])
    async def metrics(state: State) -> Response[bytes]:
        """This process's metrics; the books' figures too while the database answers (`crossdock_database_up`)."""
        own, content_type = render_metrics()
        registry = CollectorRegistry()
        up = GaugeMetricFamily("crossdock_database_up", "1 while PostgreSQL answers", value=1)
        try:
            async with connection(state) as conn:
                figures = await reader.read(conn)
                registry.register(FiguresCollector(figures, await newest(conn, ACCURACY)))
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
