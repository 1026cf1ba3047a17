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
        (
            "version: 1, state",
            "version: 1, poll: {every: 1m}, state",
            "estate.yaml:16 interfaces.exports.orders.poll",
            "poll says how to ask, but file_drop is asked about none of its topics",
        ),
        (
            "version: 1, state",
            "version: 1, poll: {every: soon}, state",
            "estate.yaml:16 interfaces.exports.orders.poll.every",
            "'soon' is not a duration",
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


def test_a_deprecated_interface_without_dates_is_warned_of(tmp_path):
    found = findings(tmp_path, changed("state: active", "state: deprecated"))
    assert [(finding.severity, finding.what) for finding in found] == [
        ("warning", "deprecated without a deprecated_on date"),
        ("warning", "deprecated without a sunset date"),
        ("warning", "deprecated, and nothing says what comes after it"),
    ]
    dated = "state: deprecated, deprecated_on: 2027-01-01, sunset: 2027-12-31, note: orders come by mail again"
    assert findings(tmp_path, changed("state: active", dated)) == []


def test_a_sunset_comes_after_the_deprecation(tmp_path):
    dated = "state: deprecated, deprecated_on: 2027-01-02, sunset: 2027-01-01"
    (finding,) = findings(tmp_path, changed("state: active", f"{dated}, note: the shop closes"))
    assert (finding.severity, finding.where) == ("error", "estate.yaml:16 interfaces.exports.orders.sunset")
    assert finding.what == "sunset 2027-01-01 comes before deprecated_on 2027-01-02"


OUT = (
    "  erp.{name}: {{system: exports, direction: out, operations: [sales_order], object: sales_order, owner: ops,\n"
    "    tier: gold, version: 1, state: {state}}}\n"
)


def test_what_is_still_needed_cannot_be_retired(tmp_path):
    found = findings(tmp_path, changed("state: active", "state: retired"))
    assert [(one.severity, one.what) for one in found] == [("error", "files are taken for a retired interface")]
    retired = OUT.format(name="orders", state="retired") + "routing:"
    found = findings(tmp_path, changed("routing:", retired))
    needed = "retired, but entities.uk.erp has 'sales_order' still sent to exports"
    assert needed in [one.what for one in found]
    after = OUT.format(name="orders", state="retired") + OUT.format(name="newer", state="active") + "routing:"
    whats = [one.what for one in findings(tmp_path, changed("routing:", after))]
    assert needed not in whats
    assert not [what for what in whats if "belongs to" in what]


def test_a_successor_is_there_and_is_not_retired_itself(tmp_path):
    later = (
        "  exports.later: {system: exports, topics: [later], object: sales_order, owner: ops, tier: gold,\n"
        "    version: 2, state: retired}\nrouting:"
    )
    text = changed("state: active", "state: active, replaced_by: exports.later").replace("routing:", later, 1)
    assert "its successor exports.later is retired" in [one.what for one in findings(tmp_path, text)]
    circle = changed("state: active", "state: active, replaced_by: exports.orders")
    assert "exports.orders is replaced in a circle by exports.orders" in [
        one.what for one in findings(tmp_path, circle)
    ]
