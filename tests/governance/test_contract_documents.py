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
from crossdock.errors import Refused
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


def judged(old: Any, new: Any, rule: str) -> list[tuple[str, str]]:
    return [(one.verdict, one.direction) for one in document_changes(old, new) if one.rule == rule]


def with_schemes(document: dict[str, Any], security: Any, scheme: str = "bearer") -> dict[str, Any]:
    schemes = {
        "key": {"type": "http", "scheme": scheme, "description": "as you like it"},
        "other": {"type": "openIdConnect"},
    }
    return {**document, "security": security, "components": {**document["components"], "securitySchemes": schemes}}


KEY, SCOPED, OTHER = {"key": []}, {"key": ["orders:read"]}, {"other": []}


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([], [KEY], "breaking"),
        ([{}], [{}, KEY], ""),
        ([KEY], [SCOPED], "breaking"),
        ([KEY], [OTHER], "breaking"),
        ([KEY], [{**KEY, **OTHER}], "breaking"),
        ([KEY, OTHER], [KEY], "breaking"),
        ([SCOPED], [KEY], "compatible"),
        ([KEY], [OTHER, KEY], "compatible"),
        ([KEY], [], "compatible"),
        ([{**KEY, **OTHER}], [KEY], "compatible"),
    ],
)
def test_who_is_let_in_no_more_is_told(before: Any, after: Any, verdict: str) -> None:
    found = document_changes(with_schemes(api(), before), with_schemes(api(), after))
    assert [(one.verdict, one.rule) for one in found] == ([(verdict, "security")] if verdict else [])
    assert all((one.witness is not None) == (one.verdict == "breaking") for one in found)
    # What an operation says itself counts, not what the document says of all.
    own = document_changes(with_schemes(api(security=[KEY]), before), with_schemes(api(security=[KEY]), after))
    assert own == []


def test_a_scheme_that_is_defined_otherwise_cannot_be_told() -> None:
    old, new = with_schemes(api(), [KEY]), with_schemes(api(), [KEY], "basic")
    assert judged(old, new, "security") == [("cannot tell", "received")]
    renamed = copy.deepcopy(old)
    schemes = renamed["components"]["securitySchemes"]
    schemes["credential"] = {**schemes.pop("key"), "description": "anew"}
    renamed["security"] = [{"credential": []}]
    assert document_changes(old, renamed) == []


def test_a_parameter_in_a_media_type_is_compared() -> None:
    def asked(schema: Any, media: str = "application/json") -> dict[str, Any]:
        return api(parameters=[{"name": "filter", "in": "query", "content": {media: {"schema": schema}}}])

    wide, narrow = asked({"type": "string"}), asked({"type": "string", "maxLength": 3})
    assert judged(wide, narrow, "maxLength") == [("breaking", "received")]
    assert judged(narrow, wide, "maxLength") == [("compatible", "received")]
    other = asked({"type": "string"}, "text/plain")
    assert judged(wide, other, "media type") == [("cannot tell", "received")]


def test_headers_of_answers_are_what_we_send() -> None:
    def answering(**headers: Any) -> dict[str, Any]:
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Ask"}}}
        return api(responses={"200": {"content": content, "headers": headers}})

    etag = {"required": True, "schema": {"type": "string"}}
    assert judged(answering(ETag=etag), answering(), "required") == [("breaking", "sent")]
    assert document_changes(answering(ETag=etag), answering(etag=etag)) == []
    either = {**etag, "schema": {"type": ["string", "integer"]}}
    assert judged(answering(ETag=etag), answering(ETag=either), "type") == [("breaking", "sent")]
    assert judged(answering(), answering(ETag=etag), "required") == [("compatible", "sent")]


def test_an_operation_speaks_of_the_messages_it_names() -> None:
    def spoken(*names: str) -> dict[str, Any]:
        return {
            "asyncapi": "3.0.0",
            "channels": {"all": {"address": "all", "messages": {name: {"payload": CLOSED} for name in "ab"}}},
            "operations": {
                "tell": {
                    "action": "send",
                    "channel": {"$ref": "#/channels/all"},
                    "messages": [{"$ref": f"#/channels/all/messages/{name}"} for name in names],
                }
            },
        }

    everything = spoken("a", "b")
    assert document_changes(everything, everything) == []
    assert verdicts(everything, spoken("a")) == [("breaking", "sent", "message removed")]
    assert verdicts(spoken("a"), everything) == [("breaking", "sent", "message added")]
    unnamed = copy.deepcopy(everything)
    del unnamed["operations"]["tell"]["messages"]
    assert document_changes(everything, unnamed) == []
    # The same, its parts elsewhere.
    components = {"channels": {"c": unnamed["channels"]["all"]}, "operations": unnamed["operations"]}
    moved = {**unnamed, "channels": {"all": {"$ref": "#/components/channels/c"}}, "components": components}
    moved["operations"] = {"tell": {"$ref": "#/components/operations/tell"}}
    assert document_changes(everything, moved) == []
    with pytest.raises(Refused, match="names the message 'c', which its channel has not"):
        document_changes(everything, spoken("a", "c"))


def test_another_content_type_of_a_message_cannot_be_told() -> None:
    def spoken(**message: Any) -> dict[str, Any]:
        return {
            "asyncapi": "3.0.0",
            "defaultContentType": "application/json",
            "channels": {"all": {"address": "all", "messages": {"a": {"payload": CLOSED, **message}}}},
            "operations": {"hear": {"action": "receive", "channel": {"$ref": "#/channels/all"}}},
        }

    assert document_changes(spoken(), spoken(contentType="application/json")) == []
    told = [("cannot tell", "received", "media type")]
    assert verdicts(spoken(), spoken(contentType="application/avro")) == told


def test_references_that_lead_too_deep_are_refused() -> None:
    links = {f"l{number}": {"$ref": f"#/$defs/l{number + 1}"} for number in range(5000)}
    document = {"$ref": "#/$defs/l0", "$defs": {**links, "l5000": {"type": "string"}}}
    with pytest.raises(Refused, match="refer too deep"):
        document_changes(document, {**document, "$ref": "#/$defs/l1"})


def test_a_schema_that_is_none_is_refused_wherever_it_is_referred_to() -> None:
    broken = api()
    broken["components"]["schemas"]["Ask"] = {"type": "object", "required": "sku"}
    with pytest.raises(Refused, match="no JSON Schema at #/components/schemas/Ask/required"):
        document_changes(api(), broken)


def test_an_operation_that_stands_elsewhere_is_compared() -> None:
    old = api()
    new = copy.deepcopy(old)
    item = new["paths"].pop("/v1/things")
    new["paths"] = {"/v1/things": {"$ref": "#/components/pathItems/things"}, "x-order": 1}
    new["components"]["pathItems"] = {"things": item}
    assert document_changes(old, new) == []
    del item["post"]
    assert verdicts(old, new) == [("breaking", "received", "operation removed")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"paths": 5}, "#: Expected `object`, got `int` - at `$.paths`"),
        ({"paths": {"/x": 5}}, "#/paths/~1x: Expected `object`, got `int`"),
        ({"paths": {"/x": {"get": {"parameters": [{"name": "a"}]}}}}, "#/paths/~1x: a parameter has `name` and `in`"),
        ({"paths": {"/x": {"get": {"responses": {"200": []}}}}}, "#/paths/~1x/get/responses/200: Expected `object`"),
        ({"paths": {"/x": {"get": {"requestBody": {"$ref": "#/info"}}}}, "info": 1}, "#/info: Expected `object`"),
        ({"paths": {"/x": {"$ref": "#/paths/~1x"}}}, "#/paths/~1x: references that lead nowhere"),
        ({"components": {"securitySchemes": []}}, "securitySchemes"),
        ({"security": {}}, "security"),
    ],
)
def test_what_is_no_openapi_is_refused(wrong: Any, said: str) -> None:
    wrong = {"openapi": "3.1.0", **wrong}
    with pytest.raises(Refused) as caught:
        document_changes(wrong, wrong)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"operations": 5}, "#: Expected `object`, got `int` - at `$.operations`"),
        ({"operations": {"x": {"action": "send"}}}, "#/operations/x: an operation has `action` and a reference"),
        ({"operations": {"x": {"action": "tell", "channel": {"$ref": "#/channels/a"}}}}, "Invalid enum value 'tell'"),
        ({"operations": {"x": {"$ref": "#/a"}}, "a": {"action": "send"}}, "#/a: an operation has `action`"),
        (
            {"operations": {"x": {"action": "send", "channel": {"$ref": "#/a"}, "messages": [{}]}}, "a": {}},
            "the messages of an operation are references",
        ),
        ({"operations": {"x": {"action": "send", "channel": {"$ref": "#/a"}}}, "a": {"messages": 5}}, "#/a: Expected"),
    ],
)
def test_what_is_no_asyncapi_is_refused(wrong: Any, said: str) -> None:
    wrong = {"asyncapi": "3.0.0", **wrong}
    with pytest.raises(Refused) as caught:
        document_changes(wrong, wrong)
    assert said in str(caught.value)
