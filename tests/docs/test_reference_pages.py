# SPDX-License-Identifier: Apache-2.0
"""Reference pages say what the code does: no more and no less."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from litestar import Litestar

from crossdock import settings
from crossdock.api.contract import HOT_PATHS
from crossdock.api.event_table import EVENTS
from crossdock.api.metrics import FiguresCollector
from crossdock.api.routes import routes
from crossdock.app.metrics import RECEIVED
from crossdock.estate.consumers import SCOPES
from crossdock.inventory.lock import LEVEL_CHANGED
from crossdock.observe.overview import Overview
from crossdock.runtime.telemetry import REGISTRY
from crossdock.sdk.connector import load_connector
from tools.claim_rules import cells_of
from tools.write_reference import PAGES

ROOT = Path(__file__).resolve().parents[2]
CONNECTORS = sorted(path.parent.name for path in (ROOT / "src/crossdock/connectors").glob("*/manifest.toml"))


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def first_cells(name: str) -> set[str]:
    """The names in backticks in the first column of a page's tables."""
    rows = [cells_of(line) for line in text(name).splitlines()]
    return {found for cells in rows if cells for found in re.findall(r"`([^`]+)`", cells[0])}


@pytest.mark.parametrize("name", PAGES)
def test_written_pages_are_fresh(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run: make docs"


def test_metrics() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    figures = Overview(at=at, since=at, interfaces=[], systems=[], cases=0, cases_overdue=0, money={})
    families = [*REGISTRY.collect(), *FiguresCollector(figures).collect()]
    names = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    ours = {name for name in names if name.startswith("crossdock_")} | {"crossdock_database_up"}
    documented = {name for name in first_cells("reference/metrics.md") if re.fullmatch(r"crossdock_[a-z_]+", name)}
    assert RECEIVED.describe()[0].name in {one.name for one in families}
    assert documented == ours


def test_events() -> None:
    documented = {name for name in first_cells("reference/events.md") if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name)}
    fixed = set()
    for path in (ROOT / "src/crossdock").rglob("*.py"):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("NewEvent", "Event"):
                values = [word.value for word in node.keywords if word.arg == "type"]
                fixed |= {value.value for value in values if isinstance(value, ast.Constant)}
    for path in (ROOT / "src/crossdock").rglob("*.sql"):
        # Written by a statement: its name is the first value selected into the table.
        written = re.findall(r"INSERT INTO event \([^)]*\)\s*SELECT '([a-z_.]+)'", path.read_text(encoding="utf-8"))
        fixed |= set(written)
    sent = {sends.object for name in CONNECTORS for sends in load_connector(name).manifest.sends} - {
        "stock_level",
        "channel_price",
    }
    of_orders = {f"sales_order.{what}" for what in ("accepted", "changed", "cancelled")}
    of_orders |= {"invoice.accepted", "payment.accepted"}
    assert documented == set(EVENTS)
    assert documented == fixed | of_orders | {f"{kind}.delivered" for kind in sent} | {LEVEL_CHANGED}


def test_paths() -> None:
    served = {route.path_format for route in Litestar([*routes()], openapi_config=None).routes} | set(HOT_PATHS)
    pages = "".join(text(f"reference/{name}.md") for name in ("http", "http-ops", "http-subscriptions"))
    told = {re.sub(r"\{\w+\}", "{}", path) for path in re.findall(r"(/[\w{}/:.-]+)", pages)}
    missing = {path for path in served if re.sub(r"\{[^}]+\}", "{}", path) not in told}
    assert missing == set()


def test_variables() -> None:
    documented = {name for name in first_cells("howto/run-locally.md") if name.isupper() and "_" in name}
    assert documented == {*settings._VARIABLES.values(), "CROSSDOCK_ESTATE"}


def test_scopes() -> None:
    rows = [cells_of(line) for line in text("reference/access.md").splitlines()]
    told = {
        cells[0].strip("`"): cells[1].replace("`", "")
        for cells in rows
        if len(cells) == 2 and cells[0].strip("`") in SCOPES
    }
    assert told == dict(SCOPES)


def test_problems_at_the_door() -> None:
    raised = set()
    for path in (ROOT / "src/crossdock").glob("governance/*.py"):
        raised |= set(re.findall(r'"(access\.[a-z_]+)"', path.read_text(encoding="utf-8")))
    raised |= set(re.findall(r'"(access\.[a-z_]+)"', (ROOT / "src/crossdock/api/door.py").read_text(encoding="utf-8")))
    raised |= {f"access.{limit}" for limit in ("rate", "quota", "concurrency")}
    of_logs = {"access.jwks_away", "access.jwks_unusable"}
    rows = [cells_of(line) for line in text("reference/access.md").splitlines()]
    told = {
        name for cells in rows if len(cells) == 3 for name in re.findall(r"`(access\.[a-z_]+)`", cells[1] + cells[2])
    }
    assert told == raised - of_logs
