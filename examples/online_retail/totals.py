# SPDX-License-Identifier: Apache-2.0
"""What a month of the export adds up to, counted straight from the file with nothing of Crossdock: the figures to meet.

    python examples/online_retail/totals.py online_retail.csv.gz [--month 2011-01] [--json]

Money in GBP; each line is rounded to pence, as on an invoice.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

# Money that is no goods, by stock code.
CHARGES = {
    "POST", "DOT", "C2", "D", "AMAZONFEE", "BANK CHARGES", "CRUK", "M", "m", "B", "S", "PADS",
    "gift_0001_10", "gift_0001_20", "gift_0001_30", "gift_0001_40", "gift_0001_50",
}  # fmt: skip
NO_COUNTRY = {"Unspecified", "European Community"}
PENNY = Decimal("0.01")


@dataclass
class Sum:
    """Documents, their lines, and their value: goods, charges, both together.

    `charges_of_nothing`: lines that are charges of 0.00 once rounded, which no ERP is told.
    """

    documents: int = 0
    lines: int = 0
    charges_of_nothing: int = 0
    goods: Decimal = Decimal(0)
    charges: Decimal = Decimal(0)
    total: Decimal = Decimal(0)

    def add(self, rows: list[dict[str, str]], sign: int = 1) -> None:
        """Count one invoice."""
        self.documents += 1
        self.lines += len(rows)
        for row in rows:
            value = sign * (int(row["Quantity"]) * Decimal(row["UnitPrice"])).quantize(PENNY, ROUND_HALF_UP)
            self.total += value
            if row["StockCode"] in CHARGES:
                self.charges += value
                self.charges_of_nothing += value == 0
            else:
                self.goods += value


@dataclass
class Month:
    """One month: everything in it is an order, a cancellation, or for a person to look at."""

    lines: int = 0
    invoices: int = 0
    orders: Sum = field(default_factory=Sum)
    cancellations: Sum = field(default_factory=Sum)
    triage: dict[str, Sum] = field(default_factory=dict)


def reason_for_person(rows: list[dict[str, str]]) -> str:
    """Why an invoice that is no cancellation needs a person; "" when it is an order."""
    free = all(Decimal(row["UnitPrice"]) == 0 for row in rows)
    if rows[0]["InvoiceNo"].startswith("A"):
        return "accounting_adjustment"
    if any(int(row["Quantity"]) < 0 for row in rows):
        return "stock_write_off"
    if free:
        return "free_of_charge" if rows[0]["CustomerID"] else "stock_correction"
    return "country_unclear" if rows[0]["Country"] in NO_COUNTRY else ""


def totals(lines: Iterable[dict[str, str]]) -> dict[str, Month]:
    """Figures by month ("2011-01"), of the rows of an export in any order."""
    invoices: dict[str, list[dict[str, str]]] = {}
    for row in lines:
        invoices.setdefault(row["InvoiceNo"], []).append(row)
    months: dict[str, Month] = {}
    for number, rows in invoices.items():
        month = months.setdefault(rows[0]["InvoiceDate"][:7], Month())
        month.lines += len(rows)
        month.invoices += 1
        if number.startswith("C"):
            month.cancellations.add(rows, sign=-1)
        elif reason := reason_for_person(rows):
            month.triage.setdefault(reason, Sum()).add(rows)
        else:
            month.orders.add(rows)
    return dict(sorted(months.items()))


def totals_of(export: Path) -> dict[str, Month]:
    """Figures by month of the export, gzipped or not."""
    packed = export.suffix == ".gz"
    with (
        gzip.open(export) if packed else export.open("rb") as raw,
        io.TextIOWrapper(raw, "utf-8-sig", newline="") as text,
    ):
        return totals(csv.DictReader(text))


def _show(name: str, counted: Sum) -> str:
    return (
        f"  {name:<24}{counted.documents:>7} documents {counted.lines:>7} lines"
        f"  goods {counted.goods:>13,}  charges {counted.charges:>12,}  total {counted.total:>13,}"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Count the Online Retail export straight from the file.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--month", help="only this month, as 2011-01")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    months = {name: month for name, month in totals_of(given.export).items() if given.month in (None, name)}
    if given.json:
        print(json.dumps({name: asdict(month) for name, month in months.items()}, default=str, indent=2))
        return
    for name, month in months.items():
        print(f"{name}: {month.lines} lines, {month.invoices} invoices")
        print(_show("orders", month.orders))
        print(_show("cancellations", month.cancellations))
        for reason, counted in sorted(month.triage.items()):
            print(_show(f"triage: {reason}", counted))


if __name__ == "__main__":
    main()
