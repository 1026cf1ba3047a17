# SPDX-License-Identifier: Apache-2.0
"""Laws of mappings: in and out are inverse, anything gives a struct or a case, needed fields are demanded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.canonical.objects import OBJECTS, encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import NeedsEdit
from crossdock.mapping.compile import compile_mapping
from crossdock.mapping.failures import MappingError
from tests.mapping.orders import CONTEXT, IN, OUT, line, lookup, order

translate = compile_mapping(IN, lookup)
back = compile_mapping(OUT, lookup)


@given(
    number=st.integers(1, 2**53),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=50),
    amounts=st.lists(st.decimals(0, 10**9, places=2), min_size=1, max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_in_and_out_are_inverse(number: int, name: str, amounts: list[Decimal]) -> None:
    lines = [line(id=place, price=str(amount), line_total=str(amount)) for place, amount in enumerate(amounts)]
    source = order(id=number, name=name, line_items=lines, total=str(sum(amounts)))
    assert back(translate(source, CONTEXT)) == source


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.decimals(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ORDERS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("id", "name", "created_at", "currency", "email", "address", "total"), JSON)
)


@given(source=JSON | st.builds(lambda changes, items: order(**changes, line_items=items), ORDERS, JSON))
@settings(max_examples=400, deadline=None)
def test_any_json_gives_a_struct_or_a_case(source: Any) -> None:
    refused, document = None, None
    try:
        document = translate(source, CONTEXT)
    except NeedsEdit as error:
        refused = error
    if refused is None:
        assert msgspec.json.decode(encode(document), type=SalesOrder) == document
    else:
        assert (bool(refused.field), bool(refused.reason), refused.rule[:14]) == (True, True, "store.order/3:")


@settings(max_examples=60, deadline=None)
@given(dropped=st.sets(st.sampled_from([rule.target for rule in IN.rules])))
def test_a_mapping_compiles_only_when_every_needed_field_has_its_rule(dropped: set[str]) -> None:
    rules = tuple(rule for rule in IN.rules if rule.target not in dropped)
    needed = {field.name for field in msgspec.structs.fields(OBJECTS["sales_order"][1]) if field.required}
    gone = {name for name in needed if not any(rule.target.partition(".")[0] == name for rule in rules)}
    if "ship_to.country" in dropped and "ship_to.street" not in dropped:
        gone.add("ship_to.country")
    mapping = msgspec.structs.replace(IN, rules=rules)
    if not gone:
        compile_mapping(mapping, lookup)
        return
    with pytest.raises(MappingError) as caught:
        compile_mapping(mapping, lookup)
    assert {problem.target for problem in caught.value.problems} == gone
