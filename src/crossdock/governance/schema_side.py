# SPDX-License-Identifier: Apache-2.0
"""One side of a comparison: a JSON Schema within its document, its references followed, its validator at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from crossdock.errors import Refused
from crossdock.governance.schema_formats import FORMATS

Place = tuple[str | int, ...]
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
ANNOTATIONS = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "example",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
        "$id",
        "$schema",
        "$defs",
        "$anchor",
        "definitions",
        "components",
        "discriminator",
        "externalDocs",
        "xml",
        "contentMediaType",
        "contentEncoding",
        "contentSchema",
    }
)
_TABLES = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SINGLE = frozenset(
    {
        "items",
        "additionalProperties",
        "not",
        "if",
        "then",
        "else",
        "contains",
        "propertyNames",
        "unevaluatedProperties",
        "unevaluatedItems",
    }
)
# What this comparison understands beside annotations, "$ref" and "allOf", which are gone from a flat node.
UNDERSTOOD = frozenset(
    {
        *_TABLES,
        *_LISTS,
        *_SINGLE,
        *("type", "enum", "const", "required", "dependentRequired", "minContains", "maxContains"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems"),
        *("minProperties", "maxProperties", "$vocabulary", "$dynamicAnchor"),
    }
)
_MOST_BRANCHING = 6


class Part(NamedTuple):
    """A schema and where it stands in its document."""

    schema: Any
    place: Place


Node = tuple[Part, ...]
"""Schemas that must all hold."""


class Side:
    """A schema of `document`, at `place`. Raises Refused when it is no JSON Schema (2020-12) or refers elsewhere."""

    def __init__(self, document: Mapping[str, Any], schema: Any, place: Place = ()) -> None:
        self.document = document
        self.node: Node = (Part(schema, place),)
        whole = {name: value for name, value in document.items() if name not in ("$id", "$schema")}
        # References count from the document's root, whose own words (paths, components) are none of JSON Schema's.
        rooted = {**whole, "allOf": [schema]} if place else whole
        wrong = _wrong(msgspec.json.encode(rooted if not place else schema))
        if wrong is not None:
            raise _no_schema(place, wrong)
        self._check_references(schema)
        self._validator = Draft202012Validator(rooted, format_checker=FORMATS)

    def _check_references(self, schema: Any) -> None:
        """Whatever `schema` (a checked one) refers to must be a schema too: validators take that for granted."""
        waiting, seen = [schema], set[str]()
        while waiting:
            one = waiting.pop()
            for word, said in one.items() if isinstance(one, dict) else ():
                if word == "$ref" and said not in seen:
                    seen.add(said)
                    target = self.follow(said)
                    wrong = _wrong(msgspec.json.encode(target.schema))
                    if wrong is not None:
                        raise _no_schema(target.place, wrong)
                    waiting.append(target.schema)
                elif word in _SINGLE:
                    waiting.append(said)
                elif word in _LISTS:
                    waiting += said
                elif word in _TABLES:
                    waiting += said.values()

    def errors(self, value: Any) -> list[ValidationError]:
        """What is wrong with `value`; [] = valid."""
        return list(self._validator.iter_errors(value))

    def accepts(self, value: Any, node: Node | None = None) -> bool:
        """Whether `value` is valid, under the whole schema or under `node`."""
        if node is None:
            return self._validator.is_valid(value)
        return self._validator.evolve(schema={"allOf": [part.schema for part in node]}).is_valid(value)

    def flat(self, node: Node) -> Node:
        """`node` with its references followed and its `allOf` opened: plain objects, or False."""
        found: list[Part] = []
        self._flatten(node, found, frozenset())
        return tuple(found)

    def _flatten(self, node: Node, found: list[Part], seen: frozenset[str]) -> None:
        for schema, place in node:
            if schema is True:
                continue
            if schema is False or not isinstance(schema, dict):
                found.append(Part(False, place))
                continue
            plain = {name: value for name, value in schema.items() if name not in ("$ref", "allOf", *ANNOTATIONS)}
            if plain:
                found.append(Part(plain, place))
            reference = schema.get("$ref")
            if reference is not None and reference not in seen:
                self._flatten((self.follow(reference),), found, seen | {reference})
            for number, one in enumerate(schema.get("allOf", ())):
                self._flatten((Part(one, (*place, "allOf", number)),), found, seen)

    def follow(self, reference: str) -> Part:
        """What `reference` stands for, see `follow`."""
        return follow(self.document, reference)


def follow(document: Mapping[str, Any], reference: str) -> Part:
    """What `reference` ("#/components/schemas/Order") stands for in `document`. Raises Refused when it is not there."""
    if reference != "#" and not reference.startswith("#/"):
        raise Refused(
            f"a reference out of the document: {reference[:200]}",
            rule="reference",
            fix="bundle the document first; only references that begin with # are followed",
        )
    place = tuple(step.replace("~1", "/").replace("~0", "~") for step in reference[2:].split("/") if step)
    found: Any = document
    for step in place:
        if isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            raise Refused(f"{reference[:200]} is not in the document", rule="reference", fix="correct the $ref")
    return Part(found, place)


@lru_cache(maxsize=2000)
def _wrong(encoded: bytes) -> tuple[Place, str] | None:
    """Where and why a JSON text is no JSON Schema; None when it is one. Operations share most of their schemas."""
    try:
        Draft202012Validator.check_schema(msgspec.json.decode(encoded))
    except SchemaError as error:
        return tuple(error.absolute_path), error.message[:200]
    return None


def _no_schema(place: Place, wrong: tuple[Place, str]) -> Refused:
    where = (*place, *wrong[0])
    return Refused(f"no JSON Schema at {pointer(where)}: {wrong[1]}", rule="schema", fix="correct the document")


def same(a: Side, one: Any, b: Side, other: Any) -> bool:
    """Whether two schemas say the same, each in its document, annotations apart."""
    return _same(a, one, b, other, set())


def _same(a: Side, one: Any, b: Side, other: Any, seen: set[tuple[str, str]]) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return type(one) is type(other) and bool(one == other)
    if {name for name in one if name not in ANNOTATIONS} != {name for name in other if name not in ANNOTATIONS}:
        return False
    return all(_same_word(a, word, one, b, other, seen) for word in one if word not in ANNOTATIONS)


def _same_word(a: Side, word: str, one: Any, b: Side, other: Any, seen: set[tuple[str, str]]) -> bool:
    mine, theirs = one[word], other[word]
    if word == "$ref":
        if (mine, theirs) in seen:
            return True
        seen.add((mine, theirs))
        return _same(a, a.follow(mine).schema, b, b.follow(theirs).schema, seen)
    if word in _TABLES:
        return set(mine) == set(theirs) and all(_same(a, mine[name], b, theirs[name], seen) for name in mine)
    if word in _LISTS:
        return len(mine) == len(theirs) and all(_same(a, x, b, y, seen) for x, y in zip(mine, theirs, strict=True))
    if word in _SINGLE:
        return _same(a, mine, b, theirs, seen)
    return bool(_plain(mine) == _plain(theirs))


def _plain(value: Any) -> Any:
    """`value` so that true differs from 1, and the order of a list of names or values does not count."""
    if isinstance(value, list):
        return sorted(msgspec.json.encode(one, order="sorted") for one in value)
    return msgspec.json.encode(value, order="sorted")


def types_of(parts: Node) -> frozenset[str]:
    """The types that `parts` (flat) all allow; "number" includes "integer"."""
    allowed = frozenset(TYPES)
    for schema, _ in parts:
        if schema is False:
            return frozenset()
        given = schema.get("type")
        if given is not None:
            here = {given} if isinstance(given, str) else set(given)
            allowed &= here | {"integer"} if "number" in here else here
    return allowed


def view(part: Part, name: str) -> list[Part]:
    """What `part` (flat) says of the property `name`: [] = nothing."""
    schema, place = part
    found = []
    if name in schema.get("properties", {}):
        found.append(Part(schema["properties"][name], (*place, "properties", name)))
    for pattern, one in schema.get("patternProperties", {}).items():
        if re.search(pattern, name):
            found.append(Part(one, (*place, "patternProperties", pattern)))
    if not found and "additionalProperties" in schema:
        found.append(Part(schema["additionalProperties"], (*place, "additionalProperties")))
    return found


def item_view(part: Part, number: int) -> list[Part]:
    """What `part` (flat) says of the item `number` of an array: [] = nothing."""
    schema, place = part
    first = schema.get("prefixItems", ())
    if number < len(first):
        return [Part(first[number], (*place, "prefixItems", number))]
    return [Part(schema["items"], (*place, "items"))] if "items" in schema else []


def everything(side: Side, node: Node, depth: int = 0) -> Node:
    """Every part of `node` that may have a say about the value itself, in whichever branch."""
    found: list[Part] = []
    for part in side.flat(node):
        if part.schema is False or depth > _MOST_BRANCHING:
            continue
        found.append(part)
        branches = [*part.schema.get("anyOf", ()), *part.schema.get("oneOf", ())]
        branches += [part.schema[word] for word in ("if", "then", "else", "not") if word in part.schema]
        branches += part.schema.get("dependentSchemas", {}).values()
        for branch in branches:
            found += everything(side, (Part(branch, part.place),), depth + 1)
    return tuple(found)


def names(known: Node, name: str) -> bool:
    """Whether any of `known` (see `everything`) says something of the property `name`."""
    return any(view(part, name) or name in part.schema.get("required", ()) for part in known)


def pointer(place: Sequence[str | int]) -> str:
    """A JSON Pointer in a URI fragment: "#/paths/~1v1~1orders/post"."""
    return "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)


def key_of(node: Node) -> str:
    """What tells one node from another while they are compared."""
    return msgspec.json.encode([part.schema for part in node], order="sorted").decode()
