# SPDX-License-Identifier: Apache-2.0
"""The quick closures make what the full ones make, or leave it to them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.canonical.objects import decode, encode
from crossdock.connectors.netsuite.mapping import SALES_ORDER
from crossdock.connectors.shopify.mapping import ORDER
from crossdock.connectors.warehouse_rest.mapping import MOVEMENTS
from crossdock.errors import NeedsEdit
from crossdock.mapping.build import REFUSALS
from crossdock.mapping.compile import Translator, compile_mapping
from crossdock.mapping.slots import Layout, place_of
from crossdock.orders.validate import beyond
from crossdock.sdk.words import Mapping, Rule
from tests.mapping.orders import CONTEXT, IN, OUT, line, lookup, order

ODD = st.one_of(
    st.sampled_from([None, "", " ", "x" * 600, "12.50", "NaN", "1e400", "1_0", "usd", 0, 1, -3, 2**70, True, {}]),
    st.sampled_from([[], [None], [{}], {"id": 1}, ["a"], 0.5, "2026-11-23T09:00:00Z", "2026-11-23T09:00:00"]),
)


def outcome(run: Any) -> Any:
    """What `run` gives, or what it refuses, as something to compare."""
    try:
        return msgspec.to_builtins(run(), str_keys=True)
    except NeedsEdit as error:
        return [(each.field, each.rule, each.reason) for each in error.failures or (error,)]


def assert_alike(translator: Translator, source: Any, context: dict[str, Any]) -> bool:
    """The quick way gives what the full way gives, if it gives anything; whether it did."""
    try:
        made = translator._quick(source, context)
    except REFUSALS:
        return False
    assert msgspec.to_builtins(made) == outcome(lambda: translator._in_full(source, context))
    return True


def changed(source: Any, path: list[Any], value: Any) -> Any:
    """`source` with `value` at the end of `path`, as far as it can be followed."""
    if not path:
        return value
    if isinstance(source, dict):
        return {**source, path[0]: changed(source.get(path[0]), path[1:], value)}
    if isinstance(source, list) and source:
        return [changed(source[0], path, value), *source[1:]]
    return source


STORE = {
    "id": 77,
    "admin_graphql_api_id": "gid://shopify/Order/77",
    "name": "#1001",
    "created_at": "2026-11-23T09:00:00-05:00",
    "updated_at": "2026-11-23T09:00:01-05:00",
    "cancelled_at": None,
    "currency": "USD",
    "email": "ada@example.com",
    "customer": {"id": 5, "first_name": "Ada", "last_name": "Moore"},
    "shipping_address": {"name": "Ada", "company": None, "address1": "1 Way", "city": "Rome", "country_code": "US"},
    "total_tax": "2.10",
    "current_total_tax": "2.10",
    "total_price": "37.10",
    "current_total_price": "37.10",
    "total_discounts": "0.00",
    "taxes_included": False,
    "line_items": [
        {
            "id": 9,
            "sku": " A-1 ",
            "name": "Bracket",
            "quantity": 2,
            "current_quantity": 2,
            "price": "12.50",
            "discount_allocations": [{"amount": "1.00"}],
            "tax_lines": [{"price": "2.10"}],
        },
        {"id": 10, "sku": "A-2", "quantity": 1, "price": "1.00"},
    ],
    "shipping_lines": [{"code": "ground", "title": "Ground", "price": "10.00", "discount_allocations": []}],
}
PATHS = st.sampled_from(
    [[key] for key in STORE]
    + [["line_items", key] for key in ("id", "sku", "name", "quantity", "current_quantity", "price", "tax_lines")]
    + [["line_items", "discount_allocations", "amount"], ["line_items", "tax_lines", "price"]]
    + [["shipping_address", key] for key in ("name", "company", "city", "country_code")]
    + [["shipping_lines", key] for key in ("code", "price", "discount_allocations")]
    + [["customer", key] for key in ("id", "first_name", "admin_graphql_api_id")]
)
SHOPIFY = compile_mapping(ORDER, lambda table, theirs: theirs or None)
NETSUITE = compile_mapping(SALES_ORDER)
MOVED = compile_mapping(MOVEMENTS, lambda table, theirs: theirs)
STORE_IN, STORE_OUT = compile_mapping(IN, lookup), compile_mapping(OUT, lookup)


@settings(max_examples=500, deadline=None)
@given(changes=st.lists(st.tuples(PATHS, ODD), max_size=4))
def test_an_order_of_a_store_comes_out_alike_both_ways(changes: list[tuple[list[str], Any]]) -> None:
    source: Any = STORE
    for path, value in changes:
        source = changed(source, path, value)
    context = {"channel": "shop"}
    if assert_alike(SHOPIFY, source, context):
        made = decode("sales_order", encode(SHOPIFY(source, context)))
        names = {"customer": "C", "subsidiary": "1", "currency": None, "sku": {"A-1": "B-1"}, "location": {}}
        outgoing = {"document": made, "known": {}, "reference": made.order_key, "names": names}
        mapped = assert_alike(NETSUITE, outgoing, {})
        # An amount with more digits than an order may have gets no further than its validation.
        assert mapped or any(beyond(one.total.amount) or beyond(one.unit_price.amount) for one in made.lines)


@settings(max_examples=300, deadline=None)
@given(
    key=st.sampled_from(["id", "name", "created_at", "currency", "email", "address", "total", "line_items"]),
    inner=st.sampled_from(["id", "sku", "quantity", "price", "line_total", "street", "country"]),
    deep=st.booleans(),
    value=ODD,
)
def test_any_change_of_a_plain_order_comes_out_alike(key: str, inner: str, deep: bool, value: Any) -> None:
    source = changed(order(), [key, inner] if deep and key in ("address", "line_items") else [key], value)
    if assert_alike(STORE_IN, source, CONTEXT):
        assert_alike(STORE_OUT, STORE_IN(source, CONTEXT), {})


def test_what_is_in_order_takes_the_quick_way() -> None:
    assert assert_alike(SHOPIFY, STORE, {"channel": "shop"})
    assert assert_alike(STORE_IN, order(line_items=[line()] * 3, address=None, email=None), CONTEXT)
    assert assert_alike(STORE_OUT, STORE_IN(order(), CONTEXT), {})
    move = {"id": "m", "type": "receipt", "sku": "A", "location": "E", "quantity": 1, "unit": "EA"}
    batch = {"data": {"movements": [{**move, "occurred_at": "2026-11-23T09:00:00Z"}]}}
    assert assert_alike(MOVED, batch, {"system": "w"})


OWN_SHAPES = (
    Rule(target="const", const={"a": []}),
    Rule(target="none", source="nothing.at.all", default=[1]),
    Rule(target="b", source="b"),
    Rule(target="pick", source="a", via=(("pick", "$.table", "@.b"),)),
    Rule(target="first", sources=("c", "~.d", "b"), via=("first", ("cut", 3))),
    Rule(target="third", source="list.2.n"),
    Rule(target="deep", source="list.*.inner.*.n", via=("length",)),
    Rule(target="whole", source="list.*", via=("length",)),
    Rule(
        target="kept",
        source="list",
        where="n!=2",
        each=(
            Rule(target="n", source="n", via=("text",)),
            Rule(target="d", source="~.d"),
            Rule(target="in", source="inner", where="n in any", each=(Rule(target="@", source="^.^.b"),)),
        ),
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from([["a"], ["b"], ["c"], ["list"], ["list", "n"], ["list", "inner"], ["list", "inner", "n"]]),
    value=ODD,
)
def test_every_shape_of_rule_comes_out_alike(path: list[str], value: Any) -> None:
    mapping = Mapping(name="t", version=1, direction="out", source="any", target="json", rules=OWN_SHAPES)
    source: dict[str, Any] = {"a": "x", "b": "why", "c": "", "table": {"x": "found"}}
    source["list"] = [{"n": 1, "inner": [{"n": 5}]}, {"n": 2}, {"n": 3, "inner": None}]
    translator = compile_mapping(mapping, lambda table, theirs: theirs if theirs == "5" else None)
    assert_alike(translator, changed(source, path, value), {"d": "ctx"})
    assert translator(source, {"d": "ctx"}) == {
        "const": {"a": []},
        "none": [1],
        "b": "why",
        "pick": "found",
        "first": "ctx",
        "third": 3,
        "deep": 1,
        "whole": 3,
        "kept": [{"n": "1", "d": "ctx", "in": ["why"]}, {"n": "3", "d": "ctx"}],
    }


@pytest.mark.parametrize(("value", "wanted"), [(None, [None, None]), ([], [None, []]), ([{"x": 1}, {}], [1, [1]])])
def test_a_path_is_fetched_once_into_its_slot(value: Any, wanted: list[Any]) -> None:
    places = [place_of(path, 0) for path in ("rows.0.x", "rows.*.x", "rows.0.x", "~.channel")]
    layout = Layout(places)
    slots = layout.gather()({"rows": value}, ["shop"])
    assert [slots[layout.slot(path, 0)] for path in ("rows.0.x", "rows.*.x")] == wanted
    assert (len(slots), slots[layout.slot("~.channel", 0)]) == (5, "shop")
