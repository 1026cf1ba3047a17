# SPDX-License-Identifier: Apache-2.0
"""Small random schemas, small changes of them, and payloads of their kind."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from crossdock.governance.schema_sample import FRESH

NAMES = ("sku", "qty", "note")
SCALARS: tuple[Any, ...] = (None, True, False, 0, 1, 2, 3, 5, -1, 2.5, "", "a", "ab", "abc", "B1", "2026-11-23", "7.5")
WORDS = ("a", "ab", "B1", 1, 2, None)


def leaf() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(
            lambda kind, low, high: {
                "type": kind,
                **({"minimum": low} if low else {}),
                **({"maximum": high} if high else {}),
            },
            st.sampled_from(["integer", "number"]),
            st.sampled_from([0, 1, 2]),
            st.sampled_from([0, 2, 3, 5]),
        ),
        st.builds(
            lambda least, most, more: {
                "type": "string",
                **({"minLength": least} if least else {}),
                **({"maxLength": most} if most else {}),
                **more,
            },
            st.sampled_from([0, 1, 2]),
            st.sampled_from([0, 2, 3]),
            st.sampled_from(
                [
                    {},
                    {},
                    {"pattern": "^[a-z]+$"},
                    {"pattern": "^[A-Z][0-9]$"},
                    {"format": "date"},
                    {"format": "decimal"},
                ]
            ),
        ),
        st.builds(
            lambda values: {"enum": values}, st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique_by=repr)
        ),
        st.sampled_from(
            [{"type": "boolean"}, {"type": "null"}, {"const": "a"}, {}, True, {"type": ["string", "null"]}]
        ),
    )


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    table = st.builds(
        lambda properties, required, closed: {
            "type": "object",
            "properties": properties,
            **({"required": sorted(set(required) & set(properties))} if required else {}),
            **({} if closed is None else {"additionalProperties": closed}),
        },
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        st.lists(st.sampled_from(NAMES), max_size=2),
        st.one_of(st.sampled_from([None, None, False, True]), inner),
    )
    listed = st.builds(
        lambda items, least, unique: {
            "type": "array",
            "items": items,
            **({"minItems": least} if least else {}),
            **({"uniqueItems": True} if unique else {}),
        },
        inner,
        st.sampled_from([0, 1, 2]),
        st.booleans(),
    )
    union = st.builds(
        lambda word, branches: {word: branches},
        st.sampled_from(["anyOf", "oneOf", "allOf"]),
        st.lists(inner, min_size=1, max_size=2),
    )
    return st.one_of(table, listed, union)


_ONCE = leaf() | grown(leaf())
SCHEMAS = _ONCE | grown(_ONCE)


def places(schema: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every schema within `schema`, by the way to it."""
    found = [at]
    if isinstance(schema, dict):
        for name, one in schema.get("properties", {}).items():
            found += places(one, (*at, "properties", name))
        for word in ("items", "additionalProperties"):
            if word in schema:
                found += places(schema[word], (*at, word))
        for word in ("anyOf", "oneOf", "allOf"):
            for number, one in enumerate(schema.get(word, ())):
                found += places(one, (*at, word, number))
    return found


@st.composite
def changed(draw: st.DrawFn, schema: Any) -> Any:
    """`schema` with one or two of its parts changed."""
    new = {"allOf": [copy.deepcopy(schema)]}
    for _ in range(draw(st.integers(1, 2))):
        way = draw(st.sampled_from(places(new["allOf"][0])))
        holder: Any = new
        steps = ("allOf", 0, *way)
        for step in steps[:-1]:
            holder = holder[step]
        holder[steps[-1]] = draw(st.one_of(st.just(mutated(draw, holder[steps[-1]])), leaf()))
    return new["allOf"][0]


def mutated(draw: st.DrawFn, part: Any) -> Any:
    """One schema with a keyword added, gone or other."""
    if not isinstance(part, dict):
        return draw(st.sampled_from([True, {}, {"type": "string"}]))
    part = dict(part)
    if part and draw(st.booleans()):
        del part[draw(st.sampled_from(sorted(part)))]
        return part
    word, value = draw(
        st.sampled_from(
            [
                ("minimum", 2),
                ("maximum", 3),
                ("exclusiveMinimum", 0),
                ("multipleOf", 2),
                ("minLength", 2),
                ("maxLength", 2),
                ("pattern", "^[a-z]+$"),
                ("format", "date"),
                ("required", ["sku"]),
                ("minItems", 1),
                ("maxItems", 1),
                ("uniqueItems", True),
                ("additionalProperties", False),
                ("minProperties", 1),
                ("maxProperties", 2),
                ("type", "string"),
                ("type", ["integer", "null"]),
                ("type", "number"),
                ("enum", ["a", 1]),
                ("const", 2),
                ("not", {"type": "string"}),
                ("properties", {"qty": {"type": "integer"}}),
            ]
        )
    )
    return {**part, word: value}


def _holding(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, FRESH]), inner, max_size=4)


_SCALARS = st.sampled_from(SCALARS)
PAYLOADS = _SCALARS | _holding(_SCALARS) | _holding(_SCALARS | _holding(_SCALARS))
"""Payloads whose properties are those of the schemas, or one that nobody names."""
