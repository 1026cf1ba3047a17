# SPDX-License-Identifier: Apache-2.0
"""What is found wrong in how an estate chooses where goods leave from."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.estate.check import check
from crossdock.estate.load import load_estate
from tests.estate.estates import SOUND, write_estate

PLAIN = SOUND.replace("stock_publication: {exports: {locations: [WH-1], safety: 2}}\n", "")
GERMAN = (
    ("systems:\n", "  de: {name: Klein GmbH, currency: EUR, erp: exports}\nsystems:\n"),
    ("{name: One,", "{name: One, entity: de,"),
)
STOCK = "inventory: {channels: {shop: {locations: [WH-1]}}}\n"
RULES = "routing: {default_location: WH-1, rules: [{when: {sku_prefix: CD-9}, location: WH-1}]}\n"
SUPPLIER = "  SUP: {system: exports, kind: drop_ship}\ninterfaces:\n"


def routed(routing: str, *changes: tuple[str, str], stock: str = STOCK) -> str:
    """An estate with this routing section."""
    text = PLAIN.replace(RULES, f"routing: {routing}\n") + stock
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def found(folder: Path, text: str) -> list[tuple[str, str]]:
    """Place (without file and line) and text of every finding."""
    findings = check(load_estate(write_estate(folder, text)))
    return [(str(one.where).partition(" ")[2], one.what) for one in findings]


@pytest.mark.parametrize(
    "text",
    [
        routed("{policy: {prefer: fewest_shipments}}"),
        routed(
            "{policy: {prefer: lowest_cost, currency: EUR, zones: {near: [GB, DE-BY]},"
            " costs: [{location: WH-1, to: near, shipment: 4.5, unit: 0.1}, {to: FR, shipment: 9}, {shipment: 20}]}}",
            ("{name: One,", '{name: One, handling: 0.3, cut_off: {at: "15:00", time_zone: Europe/London},'),
        ),
        routed("{rules: [{when: {stock: short}, location: SUP}]}", ("interfaces:\n", SUPPLIER)),
        routed("{}", ("currency: GBP}\nlocations", "currency: GBP, back_order: refuse}\nlocations")),
        routed("{}", ("currency: GBP}\nlocations", "currency: GBP, back_order: split}\nlocations")),
        routed("{intercompany: [{owner: de, percent: 70}]}", *GERMAN),
    ],
)
def test_sound_policies_have_no_findings(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (
            routed("{policy: {prefer: fewest_shipments}}", stock=""),
            "routing.policy.prefer",
            "fewest_shipments looks at what is in stock, and stock is not kept here",
        ),
        (
            routed("{intercompany: [{seller: de, percent: 70}]}", *GERMAN),
            "locations.WH-1.entity",
            "uk may sell goods of de from here, and no transfer price is agreed",
        ),
        (
            routed("{intercompany: [{percent: 70, seller: fr}]}", *GERMAN),
            "routing.intercompany.0.seller",
            "there is no 'fr' among the entities",
        ),
        (routed("{policy: {prefer: lowest_cost}}"), "routing.policy.prefer", "no location has a cost"),
        (
            routed("{policy: {costs: [{location: WH-2}]}}"),
            "routing.policy.costs.0.location",
            "there is no 'WH-2' among the locations",
        ),
        (routed("{policy: {costs: [{to: nearby}]}}"), "routing.policy.costs.0.to", "'nearby' is no destination"),
        (
            routed("{policy: {costs: [{shipment: 1}, {location: WH-1, shipment: 2}]}}"),
            "routing.policy.costs.1",
            "row 1 always fits before it",
        ),
        (
            routed("{}", ("{name: One,", '{name: One, cut_off: {at: "15:00", time_zone: Mars/Base},')),
            "locations.WH-1.cut_off.time_zone",
            "there is no time zone 'Mars/Base'",
        ),
        (
            routed("{rules: [{when: {stock: short}, entity: uk}]}"),
            "routing.rules.0.entity",
            "what is in stock is not known when the entity is chosen",
        ),
        (
            routed("{}", ("interfaces:\n", "  SUP: {kind: drop_ship}\ninterfaces:\n")),
            "locations.SUP.kind",
            "nobody is asked to ship from this supplier",
        ),
        (
            routed(
                "{}", ("interfaces:\n", SUPPLIER), ("locations: [WH-1]}}}", "locations: [WH-1, SUP], summed: true}}}")
            ),
            "inventory.channels.shop.locations",
            "SUP is a supplier's: it has no stock of ours",
        ),
        (
            routed("{}", ("currency: GBP}\nlocations", "currency: GBP, back_order: refuse}\nlocations"), stock=""),
            "channels.shop.back_order",
            "nothing is known to be missing: refuse needs stock that is kept here",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, where: str, what: str) -> None:
    assert (where, what) in found(tmp_path, text)
