# SPDX-License-Identifier: Apache-2.0
"""A small sound estate to spoil."""

from __future__ import annotations

from pathlib import Path

SOUND = """\
estate: small
owners:
  ops: {email: ops@example.com}
tiers:
  gold: {settle_within: 15m}
entities:
  uk: {name: Small Ltd, currency: GBP, erp: exports}
systems:
  exports: {connector: file_drop, owner: ops}
channels:
  shop: {system: exports, entity: uk, currency: GBP}
locations:
  WH-1: {name: One, gln: "5901234123457", codes: {exports: ONE}}
interfaces:
  exports.orders:
    {system: exports, topics: [order], object: sales_order, owner: ops, tier: gold, version: 1, state: active}
routing: {default_location: WH-1, rules: [{when: {sku_prefix: CD-9}, location: WH-1}]}
stock_publication: {exports: {locations: [WH-1], safety: 2}}
crosswalks:
  sku: {file: sku.csv}
products: {file: products.csv}
customers: {file: customers.csv}
files:
  exports.orders:
    folder: drop
    columns: [Order, Sku]
    group_by: [Order]
    topics:
      - {topic: order, key: "order/shop/{Order}", mapping: order.yaml}
"""

MAPPING = """\
name: small.movements
version: 1
direction: in
source: Rows of one order
target: stock_movements
rules:
  - {target: source, const: exports}
  - target: movements
    source: rows
    each:
      - {target: movement_id, source: Order}
      - {target: kind, const: sale}
      - {target: sku, source: Sku}
      - {target: location, const: WH-1}
      - {target: quantity, source: Qty, via: [[quantity, EA]]}
      - {target: occurred_at, source: At, via: [datetime]}
"""


def write_estate(folder: Path, text: str = SOUND) -> Path:
    """The estate and the tables beside it; returns its file."""
    (folder / "sku.csv").write_text("name,system,theirs,ours\nsku,exports,a,A\nsku,exports,b,A\n", encoding="utf-8")
    (folder / "products.csv").write_text(
        "sku,description,unit,price,currency,stocked\nA,Apple,EA,1.50,GBP,true\nS,Service,EA,,,false\n",
        encoding="utf-8",
    )
    (folder / "customers.csv").write_text("customer_id,name,currency\nC1,First,GBP\n", encoding="utf-8")
    (folder / "order.yaml").write_text(MAPPING, encoding="utf-8")
    file = folder / "estate.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def changed(old: str, new: str) -> str:
    """The sound estate with one thing changed."""
    assert SOUND.count(old) >= 1, old
    return SOUND.replace(old, new, 1)
