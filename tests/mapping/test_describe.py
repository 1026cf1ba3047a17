# SPDX-License-Identifier: Apache-2.0
"""What a mapping tells of itself: lineage, table, coverage and the difference to another version."""

from __future__ import annotations

from msgspec.structs import replace

from crossdock.mapping.compare import Change, compare
from crossdock.mapping.coverage import never_seen, unused_fields
from crossdock.mapping.describe import describe, lineage
from crossdock.sdk.words import Rule
from tests.mapping.orders import IN, line, order


def test_lineage_goes_both_ways() -> None:
    known = lineage(IN)
    assert known.sources["order_key"] == ("~.channel", "id")
    assert known.sources["lines[].unit_price"] == ("line_items[].price", "currency")
    assert known.targets["currency"] == ("currency", "total", "lines[].unit_price", "lines[].total")
    assert known.targets["line_items"] == ("lines",)
    assert known.dropped == ("landing_site", "line_items.grams")


def test_lineage_follows_parents_conditions_and_list_steps() -> None:
    inner = (Rule(target="@", source="codes.*.code", via=("first",)),)
    rules = (
        Rule(target="a", source="rows.0.id"),
        Rule(target="b", source="groups", each=(Rule(target="c", source="items", where="keep=1", each=inner),)),
        Rule(target="d", source="groups", each=(Rule(target="e", source="^.top"),)),
    )
    known = lineage(replace(IN, target="json", rules=rules, dropped=()))
    assert known.sources == {
        "a": ("rows[].id",),
        "b": ("groups",),
        "b[].c": ("groups[].items",),
        "b[].c[]": ("groups[].items[].keep", "groups[].items[].codes[].code"),
        "d": ("groups",),
        "d[].e": ("top",),
    }


def test_the_table_has_a_row_for_every_rule() -> None:
    text = describe(IN)
    assert text.startswith("## store.order/3: store order → sales_order\n")
    assert "| `lines[].sku` | `line_items[].sku` | crosswalk sku |  |\n" in text
    assert "| `lines[].total` | `line_items[].line_total`, `currency` | money $.currency |  |\n" in text
    assert text.count("\n| `") == 15
    assert "Left out on purpose: `landing_site`, `line_items.grams`." in text


def test_unused_fields_are_those_nobody_reads_or_drops() -> None:
    assert unused_fields(IN, [order(landing_site="/", line_items=[line(grams=5)])]) == []
    odd = order(colour="red", line_items=[line(), line(vendor={"name": "x"})], address={"country": "US", "door": 1})
    assert unused_fields(IN, [order(), odd]) == ["address.door", "colour", "line_items[].vendor"]


def test_never_seen_finds_paths_that_no_sample_has() -> None:
    assert never_seen(IN, [order()]) == ["landing_site", "line_items.grams"]
    mistyped = replace(IN, rules=(*IN.rules, Rule(target="note", source="nota")), dropped=())
    assert never_seen(mistyped, [order()]) == ["nota"]


def test_compare_tells_rules_added_removed_and_changed() -> None:
    lines = next(rule for rule in IN.rules if rule.target == "lines")
    cheaper = tuple(
        replace(rule, source="net_price", note="new") if rule.target == "unit_price" else rule
        for rule in lines.each or ()
    )
    kept = [replace(rule, note="said") for rule in IN.rules if rule.target not in ("lines", "ship_to.street")]
    rules = (*kept, replace(lines, each=cheaper), Rule(target="note", source="note", default="-"))
    assert compare(IN, replace(IN, version=4, rules=rules, dropped=("landing_site", "tags"))) == [
        Change("removed", "ship_to.street", before="from address.street"),
        Change(
            "changed",
            "lines[].unit_price",
            before="from price: money $.currency",
            after="from net_price: money $.currency",
        ),
        Change("added", "note", after="from note: default '-'"),
        Change("dropped", "tags"),
        Change("kept", "line_items.grams"),
    ]
    assert compare(IN, replace(IN, rules=tuple(reversed(IN.rules)))) == []
