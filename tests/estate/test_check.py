# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.estate.check import check
from crossdock.estate.findings import Finding
from crossdock.estate.load import load_estate
from tests.estate.estates import changed, write_estate


def findings(folder: Path, text: str) -> list[Finding]:
    return check(load_estate(write_estate(folder, text)))


def test_a_sound_estate_has_no_findings(tmp_path):
    assert check(load_estate(write_estate(tmp_path))) == []


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("owner: ops, tier", "tier", "estate.yaml:15 interfaces.exports.orders", "the interface has no owner"),
        ("tier: gold, ", "", "estate.yaml:15 interfaces.exports.orders", "the interface has no tier"),
        ("version: 1, ", "", "estate.yaml:15 interfaces.exports.orders", "the interface has no version"),
        (", state: active", "", "estate.yaml:15 interfaces.exports.orders", "the interface has no state"),
        (
            "tier: gold,",
            "tier: lead,",
            "estate.yaml:16 interfaces.exports.orders.tier",
            "there is no 'lead' among the tiers",
        ),
        (
            "owner: ops, tier",
            "owner: us, tier",
            "estate.yaml:16 interfaces.exports.orders.owner",
            "there is no 'us' among the owners",
        ),
        (
            "object: sales_order",
            "object: order",
            "estate.yaml:16 interfaces.exports.orders.object",
            "there is no canonical object 'order'",
        ),
        (
            "connector: file_drop",
            "connector: fax",
            "estate.yaml:9 systems.exports.connector",
            "there is no connector named 'fax'",
        ),
        (
            "owner: ops}",
            "owner: ops, secrets: {token: abc}}",
            "estate.yaml:9 systems.exports.secrets.token",
            "a secret stands in the estate as a value",
        ),
        (
            "owner: ops}",
            "owner: ops, settings: {api_token: abc}}",
            "estate.yaml:9 systems.exports.settings.api_token",
            "this looks like a secret",
        ),
        (
            "owner: ops}",
            "owner: ops, settings: {hue: red}}",
            "estate.yaml:9 systems.exports.settings.hue",
            "file_drop knows no setting 'hue'",
        ),
        (
            "owner: ops}",
            "owner: ops, limits: {concurrency: 9}}",
            "estate.yaml:9 systems.exports.limits.concurrency",
            "concurrency 9 is more than the 1 that File drop allows",
        ),
        ("erp: exports", "erp: sap", "estate.yaml:7 entities.uk.erp", "there is no 'sap' among the systems"),
        ("entity: uk", "entity: fr", "estate.yaml:11 channels.shop.entity", "there is no 'fr' among the entities"),
        ("5901234123457", "5901234123450", "estate.yaml:13 locations.WH-1.gln", "'5901234123450' is no GLN"),
        (
            "default_location: WH-1",
            "default_location: WH-2",
            "estate.yaml:17 routing.default_location",
            "there is no 'WH-2' among the locations",
        ),
        ("{sku_prefix: CD-9}", "{}", "estate.yaml:17 routing.rules.0", "the rule always holds"),
        ("CD-9}, location: WH-1}", "CD-9}}", "estate.yaml:17 routing.rules.0", "the rule decides nothing"),
        (
            "codes: {exports: ONE}",
            "codes: {}",
            "estate.yaml:18 stock_publication.exports.locations",
            "exports has no code for WH-1",
        ),
        ("15m", "quick", "estate.yaml:5 tiers.gold.settle_within", "'quick' is not a duration"),
        ("ops@example.com", "nobody", "estate.yaml:3 owners.ops.email", "'nobody' is no mail address"),
        ("sku.csv", "gone.csv", "estate.yaml:20 crosswalks.sku", "gone.csv cannot be read"),
        ("{file: products.csv}", "{file: customers.csv}", "estate.yaml:21 products", "the header has no column 'sku'"),
        ("topics: [order]", "topics: []", "estate.yaml:15 interfaces.exports.orders", "direction 'in' but no topics"),
        (
            "topics: [order]",
            "topics: [other]",
            "estate.yaml:29 files.exports.orders.topics.0",
            "topic 'order' is not one of the interface's",
        ),
        ("order/shop/{Order}", "order/shop/{Nr}", "estate.yaml:29 files.exports.orders.topics.0", "{Nr} is no column"),
        (
            "order.yaml",
            "gone.yaml",
            "estate.yaml:29 files.exports.orders.topics.0.mapping",
            "there is no file gone.yaml",
        ),
        (
            ", mapping: order.yaml",
            "",
            "estate.yaml:29 files.exports.orders.topics.0",
            "neither a mapping nor a problem",
        ),
        (
            "group_by: [Order]",
            "group_by: [Nr]",
            "estate.yaml:27 files.exports.orders.group_by",
            "'Nr' is not among the columns",
        ),
        (
            "- {topic: order,",
            "- {when: [{column: Sku}], topic: order,",
            "estate.yaml:29 files.exports.orders.topics.0.when.0",
            "0 tests in one condition",
        ),
        (
            "  exports.orders:\n    folder",
            "  exports.other:\n    folder",
            "estate.yaml:24 files.exports.other",
            "a feed has the name of an interface",
        ),
    ],
)
def test_findings_name_the_place_and_the_fix(tmp_path, old, new, where, what):
    found = [
        finding for finding in findings(tmp_path, changed(old, new)) if finding.where == where and what in finding.what
    ]
    assert len(found) == 1
    assert found[0].fix


def test_findings_never_show_a_secret(tmp_path):
    text = changed("owner: ops}", "owner: ops, secrets: {token: hunter2}}")
    assert "hunter2" not in repr(findings(tmp_path, text))


def test_one_topic_belongs_to_one_interface(tmp_path):
    more = (
        "  exports.again: {system: exports, topics: [order], object: sales_order, owner: ops, tier: gold,\n"
        "    version: 1, state: active}\nrouting:"
    )
    found = findings(tmp_path, changed("routing:", more))
    assert "'order' belongs to exports.orders already" in [finding.what for finding in found]


def test_a_deprecated_interface_without_sunset_is_a_warning(tmp_path):
    (finding,) = findings(tmp_path, changed("state: active", "state: deprecated"))
    assert (finding.severity, finding.what) == ("warning", "deprecated without a sunset date")
    assert findings(tmp_path, changed("state: active", "state: deprecated, sunset: 2027-12-31")) == []
