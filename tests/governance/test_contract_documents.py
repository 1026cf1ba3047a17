# SPDX-License-Identifier: Apache-2.0
"""OpenAPI and AsyncAPI documents, ours among them, are compared by who sends what."""

from __future__ import annotations

import copy
from functools import reduce
from operator import getitem
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from litestar import Litestar

from crossdock.api.asyncapi import asyncapi
from crossdock.api.contract import openapi, with_hot_paths
from crossdock.api.routes import routes
from crossdock.canonical.objects import OBJECTS, json_schema
from crossdock.governance.contract_documents import document_changes

CLOSED = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}


def plain(document: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(document))


@pytest.fixture(scope="module")
def served() -> Any:
    return plain(with_hot_paths(Litestar(routes(), openapi_config=openapi()).openapi_schema.to_schema()))


def api(**operation: Any) -> dict[str, Any]:
    base = {
        "parameters": [{"name": "sku", "in": "query", "schema": {"type": "string"}}],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ask"}}}},
        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ask"}}}}},
    }
    return {
        "openapi": "3.1.0",
        "paths": {"/v1/things": {"post": {**base, **operation}}},
        "components": {"schemas": {"Ask": CLOSED}},
    }


def verdicts(old: Any, new: Any) -> list[tuple[str, str, str]]:
    return [(one.verdict, one.direction, one.rule) for one in document_changes(old, new)]


def test_what_is_served_is_compatible_with_itself(served: Any) -> None:
    assert document_changes(served, copy.deepcopy(served)) == []
    events = plain(asyncapi())
    assert document_changes(events, copy.deepcopy(events)) == []
    for kind, (version, _) in OBJECTS.items():
        assert document_changes(json_schema(kind, version), json_schema(kind, version)) == []


def test_a_field_gone_from_an_answer_breaks_and_gone_from_a_request_does_not(served: Any) -> None:
    new = copy.deepcopy(served)
    book = new["components"]["schemas"]["Book"]
    book["required"].remove("open")
    (change,) = [one for one in document_changes(served, new) if one.verdict != "compatible"]
    assert (change.verdict, change.direction, change.place) == ("breaking", "sent", "#/components/schemas/Book")
    assert (change.rule, change.before, change.after) == ("required", "open", None)
    assert change.where == "GET /v1/ops/books → 200"
    assert change.witness is not None
    answer = "paths", "/v1/ops/books", "get", "responses", "200", "content", "application/json", "schema"
    for document, valid in ((new, True), (served, False)):
        rooted = {"components": document["components"], **reduce(getitem, answer, document)}
        assert Draft202012Validator(rooted).is_valid(change.witness.payload) is valid


def test_a_shared_schema_counts_by_who_sends_it() -> None:
    new = api()
    new["components"]["schemas"]["Ask"] = {**CLOSED, "required": []}
    assert verdicts(api(), new) == [("breaking", "sent", "required"), ("compatible", "received", "required")]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"parameters": []}, ("breaking", "received", "additionalProperties")),
        (
            {"parameters": [{"name": "sku", "in": "query", "required": True, "schema": {"type": "string"}}]},
            ("breaking", "received", "required"),
        ),
        (
            {"parameters": [*api()["paths"]["/v1/things"]["post"]["parameters"], {"name": "n", "in": "query"}]},
            ("compatible", "received", "additionalProperties"),
        ),
        (
            {"requestBody": {**api()["paths"]["/v1/things"]["post"]["requestBody"], "required": True}},
            ("breaking", "received", "body required"),
        ),
        ({"requestBody": {"content": {"text/csv": {}}}}, ("breaking", "received", "media type removed")),
        (
            {"responses": {**api()["paths"]["/v1/things"]["post"]["responses"], "429": {"description": "slower"}}},
            ("compatible", "sent", "answer added"),
        ),
        (
            {"responses": {**api()["paths"]["/v1/things"]["post"]["responses"], "202": {"description": "later"}}},
            ("breaking", "sent", "answer added"),
        ),
        ({"responses": {}}, ("compatible", "sent", "answer removed")),
        ({"responses": {"200": {"content": {"text/csv": {}}}}}, ("breaking", "sent", "media type added")),
    ],
)
def test_changes_of_an_operation(change: dict[str, Any], told: tuple[str, str, str]) -> None:
    found = document_changes(api(), api(**change))
    assert told in [(one.verdict, one.direction, one.rule) for one in found]
    assert all((one.witness is not None) == (one.verdict == "breaking") for one in found)


def test_an_operation_that_is_gone_breaks_its_callers() -> None:
    (change,) = document_changes(api(), {**api(), "paths": {}})
    assert (change.verdict, change.place) == ("breaking", "#/paths/~1v1~1things/post")
    assert change.witness is not None
    assert change.witness.payload == {"method": "POST", "path": "/v1/things"}
    assert verdicts({**api(), "paths": {}}, api()) == [("compatible", "received", "operation added")]


def test_events_are_what_we_send() -> None:
    old, new = plain(asyncapi()), plain(asyncapi())
    new["components"]["schemas"]["CloudEvent"]["required"].remove("id")
    (change,) = document_changes(old, new)
    assert (change.verdict, change.direction, change.rule, change.before) == ("breaking", "sent", "required", "id")
    assert change.also == len(old["components"]["messages"]) - 2  # the tick is no CloudEvent, one is named in `where`
    del new["operations"]["tick"]
    assert ("breaking", "sent", "message removed") in verdicts(old, new)
