# SPDX-License-Identifier: Apache-2.0
"""`crossdock cases release`: by ids, by filters, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crossdock.errors import NeedsEdit
from tests.cli.test_operator_commands import Fill, crossdock, on_database
from tests.journal.filling import Filling
from tests.triage.holding import held, over_limit

__all__ = ["on_database"]


async def _three(fill: Filling) -> list[int]:
    """Cases of an order held by credit, of one by credit and fraud, and of one with a fault besides."""
    suspect = over_limit()
    suspect.hold, suspect.mark, suspect.rule = "fraud", "00000000000000bb", "order.fraud_above"
    fault = NeedsEdit("there is no SKU XX-1", field="lines[0].sku", rule="order.sku_known", fix="put another")
    made = []
    for number, errors in enumerate(((), (over_limit(), suspect), (over_limit(), fault)), 1):
        key = f"order/shopify-us/{number}"
        made.append(await fill.case(await fill.document(key, "case", "decide"), key=key, **held(*errors)))
    return made


def _states(fill: Fill) -> list[str]:
    async def read(filling: Filling) -> list[Any]:
        return [row["state"] for row in await filling.conn.fetch("SELECT state FROM document ORDER BY id")]

    states: list[str] = fill(read)
    return states


def test_by_ids_and_what_cannot_be_released_is_told(on_database: Fill) -> None:
    first, _, third = on_database(_three)
    refused = crossdock("cases", "release", str(first), str(third), "--reason", "paid", "--by", "jo")
    assert refused.exit_code == 1
    assert f"case {third} cannot be released: lines[0].sku: there is no SKU XX-1" in refused.stderr
    assert _states(on_database) == ["case"] * 3
    dry = crossdock("cases", "release", str(first), "--reason", "paid", "--by", "jo", "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "would release: 1 of 1 cases\n")
    assert _states(on_database) == ["case"] * 3
    done = crossdock("cases", "release", str(first), "--reason", "paid", "--by", "jo")
    assert (done.exit_code, done.stdout) == (0, "release: 1 of 1 cases\n")
    assert _states(on_database) == ["received", "case", "case"]


def test_by_filters_only_held_orders_are_meant(on_database: Fill) -> None:
    first, second, _ = on_database(_three)
    listed = json.loads(crossdock("cases", "list", "--hold", "fraud", "--json").stdout)
    assert [(case["id"], case["hold"]) for case in listed] == [(second, "credit,fraud")]
    text = crossdock("cases", "release", "--text", "credit", "--reason", "paid", "--by", "jo", "--json")
    assert json.loads(text.stdout)["cases"] == [second, first]
    assert _states(on_database) == ["received", "received", "case"]


@pytest.mark.parametrize("arguments", [("--hold", "weather"), (), ("1", "--hold", "any")])
def test_what_is_asked_wrongly_is_a_mistake_of_usage(on_database: Fill, arguments: tuple[str, ...]) -> None:
    assert crossdock("cases", "release", *arguments, "--reason", "paid").exit_code == 2


def test_a_case_shows_all_that_is_wrong(on_database: Fill) -> None:
    first, _, third = on_database(_three)
    shown = crossdock("cases", "show", str(third)).stdout
    assert "order.credit_limit; hold, credit" in shown
    assert "order.sku_known; must be mended" in shown
    assert "credit" in crossdock("cases", "show", str(first)).stdout
