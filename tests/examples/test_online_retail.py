# SPDX-License-Identifier: Apache-2.0
"""The Online Retail example: a small export of every kind of line, and the real one where it is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossdock.cli.check import findings_of
from crossdock.connectors.file_drop.feed import feed_of
from crossdock.connectors.file_drop.take import read_documents
from crossdock.errors import NeedsEdit
from crossdock.estate.compile import compile_estate
from crossdock.estate.load import load_estate
from crossdock.mapping.compile import compile_mapping
from crossdock.mapping.coverage import unused_fields
from crossdock.mapping.load import load_mapping
from examples.online_retail.prepare import cut_month, prepare
from examples.online_retail.totals import CHARGES, Month, totals_of
from tests.examples.exports import HEADER, REAL, SMALL


class Played:
    """Everything the example's documents become, as the path of a document would make it."""

    def __init__(self, work: Path) -> None:
        assert findings_of(work / "estate.yaml") == []
        self.estate = compile_estate(load_estate(work / "estate.yaml"))
        self.feed = feed_of(self.estate, "online-retail.invoices", {})
        seeds = self.estate.lookup("online-retail")
        self.mappings = {
            topic: load_mapping(file, functions=True) for (_, topic), file in self.estate.mapping_files().items()
        }
        self.translate = {
            topic: compile_mapping(mapping, lambda table, value: seeds.get((table, value)))
            for topic, mapping in self.mappings.items()
        }
        self.documents: dict[str, Any] = {}
        self.triage: dict[str, str] = {}
        self.sources: dict[str, list[Any]] = defaultdict(list)
        self.by_reason: Counter[str] = Counter()
        self.lines = 0

    async def run(self, export: Path) -> Played:
        async for batch in read_documents(export, self.feed):
            for item in batch:
                self.lines += item.items
                if item.problem:
                    self.triage[item.key] = item.problem
                    self.by_reason[item.topic] += item.items
                    continue
                source = msgspec.json.decode(item.body)
                self.sources[item.topic].append(source)
                try:
                    self.documents[item.key] = self.translate[item.topic](source)
                except NeedsEdit as error:
                    self.triage[item.key] = error.reason
                    self.by_reason["country_unclear" if error.field == "rows[0].Country" else "other"] += item.items
        return self

    def of(self, kind: str) -> list[Any]:
        return [document for key, document in self.documents.items() if key.startswith(f"{kind}/")]


async def run_small(folder: Path) -> Played:
    export = folder / "export.csv"
    export.write_text(SMALL, encoding="utf-8")
    prepare(export, folder / "work")
    return await Played(folder / "work").run(export)


async def test_every_kind_of_line_finds_its_place(tmp_path):
    path = await run_small(tmp_path)
    assert path.lines == 12
    assert sorted(path.documents) == [
        "cancellation/online-retail/C600003",
        "order/online-retail/600001",
        "order/online-retail/600002",
        "order/online-retail/600009",
    ]
    assert path.triage == {
        "stock/online-retail/600004": "-10 of 10001 on an invoice that is no cancellation: goods written off (damaged)."
        " Book it as a stock adjustment and dismiss this, or correct the quantity if it was a sale.",
        "stock/online-retail/600005": "No price and no customer: 25 of 10002 were found or counted, not sold (no note)."
        " Book it as a stock adjustment and dismiss this, or fill in price and customer if it was a sale.",
        "order/online-retail/600006": "Every line to customer 20002.0 is priced 0.00: nothing would be billed."
        " Fill in the prices, or retry as it is if the goods were given away.",
        "adjustment/online-retail/A600007": "A600007 is an accounting entry (Adjust bad debt, -11.5 GBP), not a sale."
        " Book it in the ledger, then dismiss this.",
        "order/online-retail/600008": "'Unspecified' is not one country",
    }


async def test_an_invoice_as_a_sales_order(tmp_path):
    order = (await run_small(tmp_path)).documents["order/online-retail/600001"]
    assert (order.order_key, order.number, order.customer.id) == ("online-retail/600001", "600001", "20001")
    # London was an hour ahead of UTC in June.
    assert order.placed_at.isoformat() == "2010-06-01T07:26:00+00:00"
    assert [(line.line, line.sku, str(line.quantity.value), str(line.total)) for line in order.lines] == [
        ("1", "10001", "6", "15.30 GBP"),
        ("2", "10001A", "1", "0.00 GBP"),
    ]
    assert order.lines[0].description == "RED LANTERN"
    assert [(charge.kind, charge.code, str(charge.amount)) for charge in order.charges] == [
        ("shipping", "POST", "18.00 GBP")
    ]
    assert str(order.total) == "33.30 GBP"


async def test_what_a_web_sale_without_account_becomes(tmp_path):
    order = (await run_small(tmp_path)).documents["order/online-retail/600002"]
    assert (order.customer.id, order.ship_to.country, str(order.total)) == ("CASH", "JE", "8.85 GBP")


async def test_a_cancellation_gives_back_positive_amounts(tmp_path):
    cancellation = (await run_small(tmp_path)).documents["cancellation/online-retail/C600003"]
    assert cancellation.cancellation_key == "online-retail/C600003"
    assert [(line.sku, str(line.quantity.value), str(line.total)) for line in cancellation.lines] == [
        ("10001", "2", "5.10 GBP")
    ]
    assert [(charge.kind, str(charge.amount)) for charge in cancellation.charges] == [("discount", "27.50 GBP")]
    assert str(cancellation.total) == "32.60 GBP"


async def test_the_mappings_use_or_drop_every_column(tmp_path):
    path = await run_small(tmp_path)
    assert {
        topic: unused_fields(path.mappings[topic], path.sources[topic]) for topic in ("invoice", "cancellation")
    } == {
        "invoice": [],
        "cancellation": [],
    }


async def test_totals_count_the_small_export_alike(tmp_path):
    path = await run_small(tmp_path)
    months = totals_of(tmp_path / "export.csv")
    assert list(months) == ["2010-06", "2010-12"]
    june = months["2010-06"]
    assert (june.lines, june.invoices) == (11, 8)
    assert (june.orders.documents, june.orders.goods, june.orders.charges) == (2, Decimal("24.15"), Decimal("18.00"))
    assert (june.cancellations.documents, june.cancellations.total) == (1, Decimal("32.60"))
    assert {reason: counted.lines for reason, counted in june.triage.items()} == {
        "stock_write_off": 1,
        "stock_correction": 1,
        "free_of_charge": 1,
        "accounting_adjustment": 1,
        "country_unclear": 1,
    }
    assert dict(path.by_reason) == {reason: counted.lines for reason, counted in june.triage.items()}
    assert months["2010-12"].orders.charges == Decimal("0.01")


def test_a_month_is_cut_out_whole(tmp_path):
    export = tmp_path / "export.csv"
    export.write_text(SMALL, encoding="utf-8")
    assert cut_month(export, "2010-12", tmp_path / "cut.csv") == 1
    assert (tmp_path / "cut.csv").read_text().splitlines()[0] == HEADER.strip()
    assert cut_month(export, "2010-06", tmp_path / "cut.csv") == 11


async def test_both_sides_know_the_same_charges(tmp_path):
    path = await run_small(tmp_path)
    assert {row.theirs for row in path.estate.crosswalks if row.name == "charge_code"} == CHARGES


def check_month(path: Played, month: Month) -> None:
    for kind, counted in (("order", month.orders), ("cancellation", month.cancellations)):
        documents = path.of(kind)
        assert len(documents) == counted.documents
        assert sum(len(document.lines) + len(document.charges) for document in documents) == counted.lines
        goods = sum((line.total.amount for document in documents for line in document.lines), Decimal(0))
        charges = sum((charge.amount.amount for document in documents for charge in document.charges), Decimal(0))
        total = sum((document.total.amount for document in documents), Decimal(0))
        assert (goods, charges, total) == (counted.goods, counted.charges, counted.total)
    assert dict(path.by_reason) == {reason: counted.lines for reason, counted in month.triage.items()}
    assert path.lines == month.lines


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not REAL.exists():
        pytest.skip("../shared/data/online_retail.csv.gz is not there")
    work = tmp_path_factory.mktemp("work")
    prepare(REAL, work)
    return work


@pytest.mark.parametrize("month", ["2011-01", "2011-08"])
async def test_a_real_month_adds_up_to_what_the_file_says(tmp_path: Path, real: Path, month: str) -> None:
    cut = tmp_path / "month.csv"
    cut_month(REAL, month, cut)
    path = await Played(real).run(cut)
    check_month(path, totals_of(cut)[month])
    # Every document holds its own sum: lines and charges make the total.
    for document in path.documents.values():
        parts = [line.total.amount for line in document.lines] + [charge.amount.amount for charge in document.charges]
        assert sum(parts, Decimal(0)) == document.total.amount
