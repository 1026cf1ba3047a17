# SPDX-License-Identifier: Apache-2.0
"""Make a work folder from the export: the estate, its mappings, and products, customers and SKU crosswalk of the file.

    python examples/online_retail/prepare.py online_retail.csv.gz work [--month 2011-01]

With --month the rows of that month are cut into work/online-retail-2011-01.csv, ready to be sent.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
COPIED = (
    "estate.yaml",
    "mappings/invoice.yaml",
    "mappings/cancellation.yaml",
    "crosswalks/charge_code.csv",
    "crosswalks/currency.csv",
)
CASH_CUSTOMER = "CASH"
SYSTEM = "online-retail"


@contextmanager
def rows_of(export: Path) -> Iterator[csv.DictReader[str]]:
    """The rows of the export, gzipped or not, as dictionaries."""
    packed = export.suffix == ".gz"
    with (
        gzip.open(export) if packed else export.open("rb") as raw,
        io.TextIOWrapper(raw, "utf-8-sig", newline="") as text,
    ):
        yield csv.DictReader(text)


def prepare(export: Path, work: Path) -> None:
    """Fill `work` with the estate and the master data that the export implies."""
    for name in COPIED:
        target = work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / name, target)
    (work / "drop").mkdir(exist_ok=True)
    with (work / "crosswalks/charge_code.csv").open(encoding="utf-8", newline="") as table:
        charges = {row["theirs"] for row in csv.DictReader(table)}
    articles: dict[str, Counter[str]] = {}
    codes: set[str] = set()
    customers: dict[str, None] = {CASH_CUSTOMER: None}
    with rows_of(export) as rows:
        for row in rows:
            if row["CustomerID"]:
                customers.setdefault(row["CustomerID"].removesuffix(".0"))
            code = row["StockCode"]
            if code in charges:
                continue
            codes.add(code)
            # What never had a price was never sold: such codes stand on stock corrections only. The same article was
            # typed 84968A and 84968a: one SKU, in capitals.
            if float(row["UnitPrice"]) > 0:
                articles.setdefault(code.upper(), Counter())[" ".join(row["Description"].split())] += 1
    _write(
        work / "products.csv",
        ("sku", "description", "unit", "location"),
        ((sku, found.most_common(1)[0][0], "EA", "UK-MAIN") for sku, found in sorted(articles.items())),
    )
    _write(
        work / "crosswalks/sku.csv",
        ("name", "system", "theirs", "ours"),
        (("sku", SYSTEM, code, code.upper()) for code in sorted(codes) if code.upper() in articles),
    )
    _write(
        work / "customers.csv",
        ("customer_id", "name", "currency"),
        ((key, "Web and counter sales" if key == CASH_CUSTOMER else f"Customer {key}", "GBP") for key in customers),
    )


def cut_month(export: Path, month: str, target: Path) -> int:
    """Write the rows of `month` ("2011-01") to `target`, in their order; returns how many."""
    count = 0
    with rows_of(export) as rows, target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, rows.fieldnames or ())
        writer.writeheader()
        for row in rows:
            if row["InvoiceDate"].startswith(month):
                writer.writerow(row)
                count += 1
    return count


def _write(target: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make a work folder for the Online Retail example.")
    parser.add_argument("export", type=Path, help="online_retail.csv or .csv.gz")
    parser.add_argument("work", type=Path, help="folder to fill")
    parser.add_argument("--month", help="also cut this month out, as 2011-01")
    given = parser.parse_args()
    prepare(given.export, given.work)
    print(f"{given.work}: estate.yaml, products.csv, customers.csv, crosswalks/sku.csv")
    if given.month:
        target = given.work / f"online-retail-{given.month}.csv"
        print(f"{target}: {cut_month(given.export, given.month, target)} lines")


if __name__ == "__main__":
    main()
