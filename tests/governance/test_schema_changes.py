# SPDX-License-Identifier: Apache-2.0
"""Every kind of change of a schema gets its verdict, and a breaking one its payload."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from crossdock.errors import Refused
from crossdock.governance import schema_sample
from crossdock.governance.contract_change import ContractChange, Direction
from crossdock.governance.contract_documents import document_changes
from crossdock.governance.schema_formats import FORMATS
from crossdock.governance.schema_sample import matching

ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["sku"],
    "properties": {"sku": {"type": "string"}, "qty": {"type": "integer"}},
}


def of(sku: Any) -> dict[str, Any]:
    return {"type": "object", "required": ["sku"], "properties": {"sku": sku}}


def tagged(kind: str) -> dict[str, Any]:
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"const": kind}}}


def changes(old: Any, new: Any, direction: Direction = "received") -> list[ContractChange]:
    return document_changes(old, new, (direction,))


def valid(schema: Any, payload: Any) -> bool:
    return Draft202012Validator(schema, format_checker=FORMATS).is_valid(payload)


BREAKING = [
    ("required", ORDER, {**ORDER, "required": ["sku", "qty"]}, "#"),
    ("type", of({"type": ["string", "null"]}), of({"type": "string"}), "#/properties/sku"),
    ("type", of({"type": "number"}), of({"type": "integer"}), "#/properties/sku"),
    ("enum", of({"enum": ["a", "b"]}), of({"enum": ["a"]}), "#/properties/sku"),
    ("enum", of({"type": "string"}), of({"type": "string", "enum": ["a"]}), "#/properties/sku"),
    ("const", of({"type": "string"}), of({"const": "a"}), "#/properties/sku"),
    ("minimum", of({"type": "integer", "minimum": 1}), of({"type": "integer", "minimum": 2}), "#/properties/sku"),
    ("maximum", of({"type": "integer"}), of({"type": "integer", "maximum": 9}), "#/properties/sku"),
    ("exclusiveMinimum", of({"minimum": 0}), of({"exclusiveMinimum": 0}), "#/properties/sku"),
    ("multipleOf", of({"type": "integer"}), of({"type": "integer", "multipleOf": 6}), "#/properties/sku"),
    ("maxLength", of({"type": "string", "maxLength": 99}), of({"type": "string", "maxLength": 50}), "#/properties/sku"),
    ("minLength", of({"type": "string"}), of({"type": "string", "minLength": 1}), "#/properties/sku"),
    ("pattern", of({"type": "string"}), of({"type": "string", "pattern": "^[A-Z]{2}-\\d{4}$"}), "#/properties/sku"),
    ("format", of({"type": "string"}), of({"type": "string", "format": "date-time"}), "#/properties/sku"),
    ("minItems", of({"type": "array"}), of({"type": "array", "minItems": 1}), "#/properties/sku"),
    ("maxItems", of({"type": "array", "maxItems": 50}), of({"type": "array", "maxItems": 20}), "#/properties/sku"),
    ("uniqueItems", of({"type": "array"}), of({"type": "array", "uniqueItems": True}), "#/properties/sku"),
    ("maxProperties", of({"type": "object"}), of({"type": "object", "maxProperties": 2}), "#/properties/sku"),
    (
        "additionalProperties",
        {"type": "object"},
        {"type": "object", "additionalProperties": False},
        "#/additionalProperties",
    ),
    (
        "additionalProperties",
        ORDER,
        {**ORDER, "properties": {"sku": {"type": "string"}}, "additionalProperties": False},
        "#/properties/qty",
    ),
    ("not", of({"type": "string"}), of({"type": "string", "not": {"const": "a"}}), "#/properties/sku"),
    ("false", of({"type": "string"}), of(False), "#/properties/sku"),
    (
        "minimum",
        of({"oneOf": [{"type": "integer"}, {"type": "null"}]}),
        of({"oneOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}),
        "#/properties/sku/oneOf/0",
    ),
    ("type", of({"oneOf": [{"type": "integer"}, {"type": "null"}]}), of({"type": "integer"}), "#/properties/sku"),
    (
        "required",
        {"type": "array", "items": {"$ref": "#/$defs/Line"}, "$defs": {"Line": ORDER}},
        {"type": "array", "items": {"$ref": "#/$defs/Line"}, "$defs": {"Line": {**ORDER, "required": ["sku", "qty"]}}},
        "#/$defs/Line",
    ),
]


@pytest.mark.parametrize(("rule", "old", "new", "place"), BREAKING)
def test_what_is_narrower_breaks_what_we_receive_and_widening_what_we_send(
    rule: str, old: Any, new: Any, place: str
) -> None:
    breaking = {(one.rule, one.place): one for one in changes(old, new) if one.verdict == "breaking"}
    witness = breaking[rule, place].witness
    assert witness is not None
    assert valid(old, witness.payload)
    assert not valid(new, witness.payload)
    assert all(one.verdict == "compatible" for one in changes(new, old))
    # The other way round: what we send was of the narrow schema and is now of the wide one.
    sent = [one.witness for one in changes(new, old, "sent") if one.verdict == "breaking" and one.rule == rule]
    assert sent
    assert all(one is not None and valid(old, one.payload) and not valid(new, one.payload) for one in sent)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ORDER, {**ORDER, "title": "Order", "description": "Says more."}),
        (ORDER, {**ORDER, "properties": {**ORDER["properties"], "note": {"type": "string"}}}),
        (of({"type": "integer"}), of({"type": "number"})),
        (of({"type": "integer", "odd": 1}), of({"type": "number", "odd": 1})),
        (of({"type": "integer"}), of({"type": "integer", "x-unit": "kg"})),
        (of({"type": "integer", "minimum": 1}), of({"type": "integer", "exclusiveMinimum": 0})),
        (of({"type": "integer", "multipleOf": 12}), of({"type": "integer", "multipleOf": 6})),
        (of({"type": "integer"}), of({"anyOf": [{"type": "integer"}, {"type": "null"}]})),
        (of({"type": ["integer", "null"]}), of({"oneOf": [{"type": "integer"}, {"type": "null"}]})),
        (of({"enum": ["a"]}), of({"type": "string", "maxLength": 1})),
        (of({"type": "boolean"}), of({"enum": [True, False]})),
        (of({"allOf": [{"type": "string"}, {"minLength": 2}]}), of({"type": "string", "minLength": 1})),
        (
            {"oneOf": [tagged(kind) for kind in "ab"]},
            {"oneOf": [tagged(kind) for kind in "abc"]},
        ),
    ],
)
def test_what_is_as_wide_is_compatible(old: Any, new: Any) -> None:
    assert {one.verdict for one in changes(old, new)} <= {"compatible"}


def test_a_pattern_is_shown_by_a_string_made_from_the_other() -> None:
    old, new = (of({"type": "string", "pattern": f"^[A-Z]{{2}}-\\d{{{digits}}}$"}) for digits in (4, 5))
    (change,) = changes(old, new)
    assert change.witness is not None
    assert change.witness.payload == {"sku": "AA-0000"}


def test_a_schema_that_contains_itself_is_compared() -> None:
    tree = {"type": "object", "properties": {"inner": {"$ref": "#"}, "name": {"type": "string"}}}
    narrower = {**tree, "properties": {**tree["properties"], "name": {"type": "string", "maxLength": 3}}}
    assert [one.verdict for one in changes(tree, tree)] == []
    assert [(one.verdict, one.rule) for one in changes(tree, narrower)] == [("breaking", "maxLength")]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        # An unknown format is enforced by nobody here, so no payload shows anything.
        (of({"type": "string"}), of({"type": "string", "format": "gtin"}), "format"),
        # Nothing is valid under the old one, which is not looked for.
        (of({"type": "integer", "minimum": 5, "maximum": 4}), of({"type": "integer", "multipleOf": 3}), "multipleOf"),
        # Words that are not understood.
        (of({"type": "string"}), of({"type": "string", "nullable": True}), "nullable"),
        (of({"const": "a"}), of({"type": "string", "nullable": True}), "nullable"),
        (of({"type": "string", "nullable": True}), of({"type": "string", "nullable": 1}), "nullable"),
        # The same by other words.
        (of({"type": "string", "pattern": "^[0-9]$"}), of({"type": "string", "pattern": "^(?:[0-9])$"}), "pattern"),
    ],
)
def test_what_no_payload_shows_is_not_called_compatible(old: Any, new: Any, rule: str) -> None:
    (change,) = [one for one in changes(old, new) if one.rule == rule]
    assert (change.verdict, change.witness) == ("cannot tell", None)


def test_a_payload_is_blamed_on_the_change_it_shows() -> None:
    new = {**ORDER, "required": ["sku", "qty"], "properties": {"sku": {"type": "string", "maxLength": 3}, "qty": {}}}
    found = {one.rule: one.witness for one in changes(ORDER, new) if one.verdict == "breaking"}
    assert found["required"] is not None
    assert found["required"].reason == "'qty' is a required property"
    assert found["maxLength"] is not None
    assert found["maxLength"].reason.endswith("is too long")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "another draft"),
        ({"type": "strin"}, "no JSON Schema at #/type"),
        ({"properties": {"a": {"$ref": "other.json"}}}, "out of the document"),
        ({"items": {"$ref": "#/x/One"}, "x": {"One": {"type": "strin"}}}, "no JSON Schema at #/x/One/type"),
        ({"items": {"$ref": "#/x/One"}, "x": {"One": {"properties": [1]}}}, "no JSON Schema at #/x/One/properties"),
        ({"items": {"$ref": "#/title"}, "title": "Things"}, "no JSON Schema at #/title"),
        ({"properties": {"a": {"$ref": "#/$defs/Gone"}}}, "is not in the document"),
        ({"openapi": "3.0.3", "paths": {}}, "openapi 3.0.3"),
        ({"asyncapi": "2.6.0"}, "asyncapi 2.6.0"),
    ],
)
def test_what_cannot_be_read_is_told(wrong: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        document_changes(wrong, {**wrong, "properties": {"a": {"type": "string"}}})


@pytest.mark.parametrize("pattern", ["^[A-Z]{3}$", "^rsv_[0-9a-f]{8,}$", "^(a|bc)+\\d?$", "^[^a0-9]x.$", "\\w+@\\w+"])
def test_strings_are_made_from_patterns(pattern: str) -> None:
    assert any(valid({"type": "string", "pattern": pattern}, one) for one in matching(pattern))


@pytest.mark.parametrize("direction", ["received", "sent"])
def test_every_name_that_is_required_no_more_or_anew_is_told(direction: Direction) -> None:
    wide, narrow = ORDER | {"required": []}, ORDER | {"required": ["sku", "qty"]}
    old, new = (wide, narrow) if direction == "received" else (narrow, wide)
    told = [(one.verdict, one.before or one.after) for one in changes(old, new, direction)]
    assert sorted(told) == [("breaking", "qty"), ("breaking", "sku")]
    back = [(one.verdict, one.before or one.after) for one in changes(new, old, direction)]
    assert sorted(back) == [("compatible", "qty"), ("compatible", "sku")]


def test_a_name_required_instead_of_another_is_told_beside_it() -> None:
    old, new = ORDER | {"required": ["sku"]}, ORDER | {"required": ["qty"]}
    told = [(one.verdict, one.before, one.after) for one in changes(old, new)]
    assert told == [("breaking", None, "qty"), ("compatible", "sku", None)]


def test_repeats_of_repeats_make_no_endless_string() -> None:
    assert max(map(len, matching("^((a{1000}){1000})$"))) == 20_000
    assert max(map(len, matching("^" + "(a{1000}){20}" * 50 + "$"))) == 20_000
    assert "ab" * 700 in matching("^(ab){700}$")


def test_without_a_reader_of_patterns_no_string_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_sample, "_PARSER", None)
    assert matching("^a$") == []
    old, new = (of({"type": "string", "pattern": f"^Q{{{digits}}}$"}) for digits in (8, 9))
    assert [(one.verdict, one.rule) for one in changes(old, new)] == [("cannot tell", "pattern")]
