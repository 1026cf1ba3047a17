# SPDX-License-Identifier: Apache-2.0
"""Mappings compile to translators that build canonical objects and name everything they cannot build."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from crossdock.canonical.fulfillment import FulfillmentLine, FulfillmentOrder
from crossdock.canonical.money import Money
from crossdock.canonical.party import Address, Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.errors import NeedsEdit
from crossdock.mapping.compile import compile_mapping
from crossdock.mapping.failures import MappingError
from crossdock.sdk.words import Mapping, Rule
from tests.mapping.orders import CONTEXT, IN, OUT, line, lookup, order

translate = compile_mapping(IN, lookup)
back = compile_mapping(OUT, lookup)


def failures(source: Any, mapping: Any = translate) -> list[tuple[str, str, object]]:
    """Field, rule and value of every failure of `source`."""
    with pytest.raises(NeedsEdit) as caught:
        mapping(source, CONTEXT)
    found = caught.value.failures or (caught.value,)
    return [(failure.field, failure.rule, failure.value) for failure in found]


def into_json(*rules: Rule) -> Mapping:
    return Mapping(name="t", version=1, direction="out", source="any", target="json", rules=rules)


def into_movements(*, isolate: bool) -> Mapping:
    each = (
        Rule(target="movement_id", source="id"),
        Rule(target="kind", source="kind"),
        Rule(target="sku", source="sku"),
        Rule(target="location", source="^.place"),
        Rule(target="quantity", source="quantity", via=("quantity",)),
        Rule(target="occurred_at", source="at", via=("datetime",)),
    )
    return Mapping(
        name="moves",
        version=1,
        direction="in",
        source="moves",
        target="stock_movements",
        rules=(
            Rule(target="source", source="place"),
            Rule(target="movements", source="data", each=each, isolate=isolate),
        ),
    )


def test_an_order_becomes_its_struct() -> None:
    assert translate(order(), CONTEXT) == SalesOrder(
        order_key="shop/77",
        number="#1001",
        channel="shop",
        placed_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
        currency="USD",
        customer=Party(email="ada@example.com"),
        ship_to=Address(street="1 Harbour Way", country="US"),
        total=Money(Decimal("37.50"), "USD"),
        lines=(
            OrderLine(
                line="1",
                sku="CD-1",
                quantity=Quantity(Decimal(2)),
                unit_price=Money(Decimal("12.50"), "USD"),
                total=Money(Decimal("25.00"), "USD"),
            ),
            OrderLine(
                line="2",
                sku="CD-2",
                quantity=Quantity(Decimal(1)),
                unit_price=Money(Decimal("12.50"), "USD"),
                total=Money(Decimal("12.50"), "USD"),
            ),
        ),
    )


def test_every_failure_is_named_with_its_place_in_the_source() -> None:
    lines = [line(), line(price="12,x"), line(sku="ZZ", quantity="1.5"), {"id": 4}]
    assert failures(order(name=None, total="NaN", line_items=lines, address={"country": "Channel Islands"})) == [
        ("name", "store.order/3: number", None),
        ("address.country", "store.order/3: ship_to.country", "Channel Islands"),
        ("total", "store.order/3: total", "NaN"),
        ("line_items[1].price", "store.order/3: lines.unit_price", "12,x"),
        ("line_items[2].sku", "store.order/3: lines.sku", "ZZ"),
        ("line_items[2].quantity", "store.order/3: lines.quantity", "1.5"),
        ("line_items[3].sku", "store.order/3: lines.sku", None),
        ("line_items[3].quantity", "store.order/3: lines.quantity", None),
        ("line_items[3].price", "store.order/3: lines.unit_price", None),
        ("line_items[3].line_total", "store.order/3: lines.total", None),
    ]


def test_an_unknown_crosswalk_value_says_which_table_and_how_to_add_it() -> None:
    with pytest.raises(NeedsEdit) as caught:
        translate(order(line_items=[line(sku="ZZ")]), CONTEXT)
    assert caught.value.reason == "'ZZ' is not in the crosswalk 'sku'"
    assert "crossdock crosswalk set sku 'ZZ'" in caught.value.fix


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"total": "Infinity"}, "total", "Infinity is not a finite number"),
        ({"total": float("nan")}, "total", "nan is not a finite decimal number within 24 digits"),
        ({"total": "1e400"}, "total", "the number has more than 24 digits before the point"),
        ({"total": True}, "total", "a number was expected, found true/false"),
        ({"currency": "usd"}, "currency", "'usd' does not look like ^[A-Z]{3}$"),
        ({"name": 12}, "name", "text was expected, found a number"),
        ({"name": "x" * 201}, "name", "201 characters, where 1 to 200 fit"),
        ({"created_at": "2026-11-23T09:00:00"}, "created_at", "'2026-11-23T09:00:00' has no time zone"),
        ({"address": "Harbour"}, "address.street", "an object was expected where 'street' is read"),
        ({"line_items": {"0": 1}}, "line_items", "a list was expected here"),
    ],
)
def test_a_bad_value_is_told_in_words(change: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(NeedsEdit) as caught:
        translate(order(**change), CONTEXT)
    found = caught.value.failures or (caught.value,)
    assert (found[0].field, found[0].reason) == (field, reason)


def test_a_nested_object_that_is_not_in_the_source_is_left_out() -> None:
    assert translate(order(address=None), CONTEXT).ship_to is None
    assert failures(order(address={"street": "1 Harbour Way"})) == [
        ("address.country", "store.order/3: ship_to.country", None)
    ]


def test_an_explicitly_required_field_of_an_optional_object_is_demanded() -> None:
    rules = tuple(
        msgspec.structs.replace(rule, required=True) if rule.target == "ship_to.country" else rule for rule in IN.rules
    )
    strict = compile_mapping(msgspec.structs.replace(IN, rules=rules), lookup)
    assert failures(order(address=None), strict) == [("address.country", "store.order/3: ship_to.country", None)]


def test_a_bad_element_of_an_isolated_list_leaves_the_good_ones() -> None:
    good = {"id": "m1", "kind": "receipt", "sku": "A", "quantity": 1, "at": "2026-11-23T09:00:00Z"}
    batch = {"place": "EAST", "data": [good, {**good, "id": "m2", "kind": "theft"}, {**good, "id": "m3"}]}
    parts = compile_mapping(into_movements(isolate=True)).parts(batch)
    assert [movement.movement_id for movement in parts.document.movements] == ["m1", "m3"]
    assert [(failure.field, failure.value) for failure in parts.failures] == [("data[1].kind", "theft")]
    assert failures(batch, compile_mapping(into_movements(isolate=True))) == [
        ("data[1].kind", "moves/1: movements.kind", "theft")
    ]
    with pytest.raises(NeedsEdit):
        compile_mapping(into_movements(isolate=False)).parts(batch)


def test_a_failing_parent_path_is_named_from_the_root() -> None:
    good = {"id": "m1", "kind": "receipt", "sku": "A", "quantity": 1, "at": "2026-11-23T09:00:00Z"}
    assert ("place", "moves/1: movements.location", 7) in failures(
        {"place": 7, "data": [good]}, compile_mapping(into_movements(isolate=False))
    )


def test_out_reads_structs_and_writes_what_json_holds() -> None:
    fulfillment = FulfillmentOrder(
        reference="shop/77#1",
        order_key="shop/77",
        order_number="#1001",
        location="EAST",
        ship_to=Address(country="US", city="Portland"),
        lines=(FulfillmentLine(line="1", sku="CD-1", quantity=Quantity(Decimal("2.5"), "KGM")),),
    )
    mapping = into_json(
        Rule(target="reference", source="reference"),
        Rule(target="site", source="document.location", via=(("pick", "$.names.location"),)),
        Rule(target="to.city", source="document.ship_to.city"),
        Rule(target="to.street", source="document.ship_to.street"),
        Rule(target="change_from", const=None),
        Rule(target="tags", source="tags", each=(Rule(target="@", source="@", via=("upper",)),)),
        Rule(
            target="lines",
            source="document.lines",
            each=(
                Rule(target="sku", source="sku"),
                Rule(target="quantity", source="quantity.value"),
                Rule(target="number", source="quantity.value", via=("json_number",)),
                Rule(target="order", source="$.reference"),
            ),
        ),
    )
    source = {"document": fulfillment, "reference": "R-1", "names": {"location": {"EAST": "4"}}, "tags": ["a", "b"]}
    assert compile_mapping(mapping)(source) == {
        "reference": "R-1",
        "site": "4",
        "to": {"city": "Portland"},
        "change_from": None,
        "tags": ["A", "B"],
        "lines": [{"sku": "CD-1", "quantity": "2.5", "number": 2.5, "order": "R-1"}],
    }


def test_a_field_that_the_canonical_object_lacks_is_the_mappings_fault() -> None:
    sent = compile_mapping(into_json(Rule(target="a", source="document.citty")))
    with pytest.raises(MappingError, match="Address has no field 'citty'"):
        sent({"document": Address(country="US")})


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("goods", ["a", "c"]),
        ("!goods", ["b"]),
        ("kind=x", ["a"]),
        ("kind!=x", ["b", "c"]),
        ("sku in sku", ["a"]),
        ("sku not in sku", ["b", "c"]),
    ],
)
def test_where_leaves_elements_out(where: str, kept: list[str]) -> None:
    rule = Rule(target="kept", source="all", where=where, each=(Rule(target="@", source="id"),))
    every = [
        {"id": "a", "goods": True, "kind": "x", "sku": "A-1"},
        {"id": "b", "goods": False, "kind": "y", "sku": "ZZ"},
        {"id": "c", "goods": 1},
    ]
    assert compile_mapping(into_json(rule), lookup)({"all": every}) == {"kept": kept}


def test_paths_reach_parents_lists_and_every_element() -> None:
    inner = (
        Rule(target="up", source="^.^.name"),
        Rule(target="root", source="$.name"),
        Rule(target="mid", source="^.n"),
    )
    mapping = into_json(
        Rule(target="first", source="list.0.n"),
        Rule(target="all", source="list.*.n", via=(("join", "+"),)),
        Rule(target="total", source="list.*.n", via=("sum",)),
        Rule(target="deep", source="list", each=(Rule(target="in", source="list", each=inner),)),
    )
    source = {"name": "top", "list": [{"n": 1, "list": [{}]}, {"n": 2, "list": []}]}
    assert compile_mapping(mapping)(source) == {
        "first": 1,
        "all": "1+2",
        "total": "3",
        "deep": [{"in": [{"up": "top", "root": "top", "mid": 1}]}, {"in": []}],
    }


def test_defaults_stand_in_for_what_is_missing_or_unknown() -> None:
    mapping = into_json(
        Rule(target="a", source="a", default="x"),
        Rule(target="b", source="b", via=("upper",), crosswalk="sku", default="none"),
        Rule(target="c", source="c", each=(Rule(target="@", source="@"),), default=[]),
        Rule(target="d", source="d"),
    )
    assert compile_mapping(mapping, lookup)({"a": "", "b": "zz"}) == {"a": "x", "b": "none", "c": []}


def refused(*rules: Rule, target: str = "stock_level", **others: Any) -> list[str]:
    mapping = Mapping(name="t", version=1, direction="in", source="s", target=target, rules=rules, **others)
    with pytest.raises(MappingError) as caught:
        compile_mapping(mapping)
    return [f"{problem.target}: {problem.reason}" for problem in caught.value.problems]


LEVEL = (
    Rule(target="sku", source="s"),
    Rule(target="location", source="l"),
    Rule(target="on_hand", source="n", via=("decimal",)),
    Rule(target="as_of", source="t", via=("datetime",)),
)


def test_a_missing_and_an_unknown_target_are_refused() -> None:
    assert refused(*LEVEL[1:], Rule(target="colour", source="c")) == [
        "colour: StockLevel has no such field",
        "sku: no rule fills this field, which the target must have",
    ]


def test_a_target_has_exactly_one_rule() -> None:
    assert refused(*LEVEL, Rule(target="sku", source="other")) == ["sku: more than one rule fills this field"]
    assert refused(*LEVEL, Rule(target="sku.part", source="other")) == ["sku: more than one rule fills this field"]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule(target="safety", source="x", via=("dezimal",)), "there is no converter 'dezimal'"),
        (Rule(target="safety", source="x", via=(("decimal", ".", 1),)), "converter decimal takes other arguments"),
        (Rule(target="safety", source="x", via=(("decimal", ";"),)), "converter decimal: ';' is no decimal mark"),
        (Rule(target="safety", source="x", via=(("round", "2"),)), "converter round: '2' should be a whole number"),
        (Rule(target="safety", source="x", default="much"), "its default does not fit the field"),
        (Rule(target="safety", const="much"), "its const does not fit the field"),
        (Rule(target="safety"), "it takes its value from nowhere"),
        (Rule(target="safety", source="a..b"), "'a..b' is not a path"),
        (Rule(target="safety", source="^.a"), "^.a climbs above the document"),
        (Rule(target="safety", source="a", const=1), "it has source and const"),
        (Rule(target="safety", source="a", where="b"), "where and isolate belong to each"),
        (Rule(target="safety", source="a", each=()), "this field is no list"),
        (Rule(target="safety", sources=("a", "b")), "several sources need a converter"),
        (Rule(target="safety", sources=("a", "b"), via=("decimal",)), "converter decimal reads one value"),
    ],
)
def test_a_rule_that_cannot_be_right_is_refused(rule: Rule, reason: str) -> None:
    (problem,) = refused(*LEVEL, rule)
    assert problem.startswith(f"safety: {reason}")


def test_constants_are_read_as_their_field_wants_them() -> None:
    mapping = Mapping(
        name="t",
        version=1,
        direction="in",
        source="s",
        target="stock_level",
        rules=(*LEVEL, Rule(target="safety", const="2.5"), Rule(target="incoming", source="i", default="0")),
    )
    level = compile_mapping(mapping)({"s": "A", "l": "E", "n": "1", "t": "2026-11-23T09:00:00Z"})
    assert (level.safety, level.incoming) == (Decimal("2.5"), Decimal(0))


def test_functions_must_exist_and_not_hide_standard_ones() -> None:
    assert refused(*LEVEL, functions="crossdock.nowhere")[0].startswith(
        ": functions: crossdock.nowhere cannot be imported"
    )
    own = compile_mapping(
        into_json(Rule(target="a", source="a", via=("check_digit",))).__class__(
            name="t",
            version=1,
            direction="out",
            source="s",
            target="json",
            functions="crossdock.canonical.identifiers",
            rules=(
                Rule(target="a", source="a", via=("check_digit",)),
                Rule(target="b", source="b", via=("check_digit",)),
            ),
        )
    )
    assert own({"a": "629104150021"}) == {"a": "3"}
    assert failures({"a": "629104150021", "b": "12x"}, own) == [("b", "t/1: b", "12x")]
