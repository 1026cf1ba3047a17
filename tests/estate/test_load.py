# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from crossdock.estate.findings import EstateError
from crossdock.estate.load import load_estate
from tests.estate.estates import SOUND, changed, write_estate


def test_a_sound_estate(tmp_path):
    estate = load_estate(write_estate(tmp_path))
    assert estate.name == "small"
    assert estate.interfaces["exports.orders"].topics == ("order",)
    assert estate.files["exports.orders"].group_by == ("Order",)
    assert str(estate.place("interfaces", "exports.orders", "tier")) == "estate.yaml:16"
    assert estate.beside("sku.csv", "crosswalks", "sku") == tmp_path / "sku.csv"


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("tier: gold", "teir: gold", "estate.yaml:16 interfaces.exports.orders.teir", "unknown field `teir`"),
        ("version: 1", "version: one", "estate.yaml:16 interfaces.exports.orders.version", "Expected `int`, got `str`"),
        ("currency: GBP, erp", "currency: gbp, erp", "estate.yaml:7 entities.uk.currency", "matching regex"),
        ("safety: 2", "safety: -2", "estate.yaml:18 stock_publication.exports.safety", ">= 0"),
        ("owners:", "oners:", "estate.yaml:2 oners", "unknown section 'oners'"),
        ("estate: small\n", "", "estate.yaml:1 estate", "the estate has no name"),
        (
            "topic: order,",
            "topik: order,",
            "estate.yaml:29 files.exports.orders.topics.0.topik",
            "unknown field `topik`",
        ),
        ("  gold: {settle_within: 15m}", "  - gold", "estate.yaml:4 tiers", "tiers is no table of names"),
    ],
)
def test_slips_are_named_with_their_line(tmp_path, old, new, where, what):
    with pytest.raises(EstateError) as caught:
        load_estate(write_estate(tmp_path, changed(old, new)))
    finding = caught.value.findings[0]
    assert finding.where == where
    assert what in finding.what
    assert finding.fix


def test_all_slips_are_told_at_once(tmp_path):
    text = SOUND.replace("email:", "mail:").replace("settle_within:", "settle:")
    with pytest.raises(EstateError) as caught:
        load_estate(write_estate(tmp_path, text))
    assert [finding.where for finding in caught.value.findings] == [
        "estate.yaml:3 owners.ops.mail",
        "estate.yaml:5 tiers.gold.settle",
    ]
    assert "and 1 more" in caught.value.reason


def test_include_joins_sections_and_keeps_places(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "more.yaml").write_text(
        "owners:\n  web: {email: web@example.com}\ncrosswalks:\n  unit: {file: u.csv}\n"
    )
    estate = load_estate(write_estate(tmp_path, SOUND + "include: [parts/more.yaml]\n"))
    assert sorted(estate.owners) == ["ops", "web"]
    assert str(estate.place("owners", "web")) == "more.yaml:2"
    assert estate.beside("u.csv", "crosswalks", "unit") == tmp_path / "parts" / "u.csv"


def test_include_refuses_two_of_a_kind_and_circles(tmp_path):
    file = write_estate(tmp_path, SOUND + "include: more.yaml\n")
    more = tmp_path / "more.yaml"
    more.write_text("owners:\n  ops: {email: web@example.com}\n")
    with pytest.raises(EstateError, match=r"more\.yaml:2: owners\.ops is there twice, first at estate\.yaml:3"):
        load_estate(file)
    more.write_text("include: estate.yaml\n")
    with pytest.raises(EstateError, match="included twice"):
        load_estate(file)
    more.write_text("include: {a: b}\n")
    with pytest.raises(EstateError, match="include is no list of file names"):
        load_estate(file)
    more.write_text("- a\n")
    with pytest.raises(EstateError, match="no table of sections"):
        load_estate(file)
