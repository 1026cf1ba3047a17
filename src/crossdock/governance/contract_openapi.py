# SPDX-License-Identifier: Apache-2.0
"""Changes between two OpenAPI 3.1 documents: requests are received, answers are sent."""

from __future__ import annotations

from typing import Any

from crossdock.governance.contract_change import ContractChange, Direction, Witness, joined, schema_changes
from crossdock.governance.contract_security import security_changes
from crossdock.governance.contract_shape import Answer, Body, Header, OpenApi, Parameter, PathItem, formed, linked
from crossdock.governance.schema_side import Place, Side, pointer

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_OPEN = ("header", "cookie")
Document = dict[str, Any]


def openapi_changes(old: Document, new: Document) -> list[ContractChange]:
    """The changes from `old` to `new`. Raises Refused when a schema in them cannot be read."""
    changes: list[ContractChange] = []
    before, after = _operations(old), _operations(new)
    for key in dict.fromkeys([*before, *after]):
        method, path = key
        where = f"{method.upper()} {path}"
        place: Place = ("paths", path, method)
        if key not in after:
            request = {"method": method.upper(), "path": path}
            changes.append(_gone(place, "operation removed", where, request, "no such operation is documented"))
        elif key not in before:
            changes.append(_came(place, "operation added", where, "received"))
        else:
            changes += security_changes((old, before[key]), (new, after[key]), place, where)
            changes += _request(old, before[key], new, after[key], place)
            changes += _answers(old, before[key], new, after[key], place)
    return joined(changes)


def _operations(document: Document) -> dict[tuple[str, str], Document]:
    """Every operation by method and path, with the parameters of its path. Refused when one is not formed as such."""
    found = {}
    formed(document, OpenApi)
    for path, item in document.get("paths", {}).items():
        if path.startswith("x-"):
            continue
        formed(item, PathItem, ("paths", path))
        item, _ = linked(document, item, PathItem)
        for method in METHODS:
            if method in item:
                shared = item.get("parameters", [])
                found[method, path] = {**item[method], "parameters": [*shared, *item[method].get("parameters", [])]}
    return found


def _gone(place: Place, rule: str, where: str, payload: Any, reason: str) -> ContractChange:
    """Something callers may send that the new document does not know."""
    return ContractChange(
        verdict="breaking",
        direction="received",
        place=pointer(place),
        rule=rule,
        where=where,
        witness=Witness(payload=payload, valid_under="old", refused_by="new", reason=reason),
    )


def _came(place: Place, rule: str, where: str, direction: Direction, note: str = "") -> ContractChange:
    return ContractChange(
        verdict="compatible", direction=direction, place=pointer(place), rule=rule, where=where, note=note
    )


def _request(old: Document, before: Document, new: Document, after: Document, place: Place) -> list[ContractChange]:
    where = f"{str(place[2]).upper()} {place[1]}"
    changes: list[ContractChange] = []
    for kind in ("path", "query", "header", "cookie"):
        mine, theirs = _parameters(old, before, kind), _parameters(new, after, kind)
        if mine["properties"] or theirs["properties"]:
            at = (*place, "parameters", kind)
            changes += schema_changes(Side(old, mine, at), Side(new, theirs, at), "received", where)
            changes += _media((old, before), (new, after), kind, at)
    asked, wanted = _body(old, before), _body(new, after)
    at = (*place, "requestBody")
    if asked is None and wanted is None:
        return changes
    if wanted is None:
        note = "a body is still taken when it is sent, and not read"
        return [*changes, _came(at, "body removed", where, "received", note)]
    if wanted.get("required") and not (asked or {}).get("required"):
        request = {"method": where.split()[0], "path": place[1], "body": None}
        changes.append(_gone(at, "body required", where, request, "a body is required"))
    if asked is None:
        return [*changes, _came(at, "body added", where, "received")] if not wanted.get("required") else changes
    return changes + _contents((old, asked), (new, wanted), at, where, "received")


def _body(document: Document, operation: Document) -> Document | None:
    body = operation.get("requestBody")
    return None if body is None else linked(document, body, Body)[0]


def _parameters(document: Document, operation: Document, kind: str) -> Document:
    """The parameters of one kind as the schema of an object. Undocumented headers and cookies are no fault."""
    listed = [linked(document, one, Parameter)[0] for one in operation["parameters"]]
    mine = {one["name"]: one for one in listed if one["in"] == kind}
    schema: Document = {
        "type": "object",
        "properties": {name: _value(one) for name, one in mine.items()},
        "required": sorted(name for name, one in mine.items() if one.get("required")),
    }
    return schema if kind in _OPEN else {**schema, "additionalProperties": False}


def _value(item: Document) -> Any:
    """The schema of a parameter or header, which stands there or in its one media type."""
    for media in item.get("content", {}).values():
        return media.get("schema", True)
    return item.get("schema", True)


def _media(
    old: tuple[Document, Document], new: tuple[Document, Document], kind: str, at: Place
) -> list[ContractChange]:
    """Parameters of one kind on both sides, each a document and its operation, that are written another way now."""

    def written(side: tuple[Document, Document]) -> dict[str, list[str]]:
        listed = [linked(side[0], one, Parameter)[0] for one in side[1]["parameters"]]
        return {one["name"]: list(one.get("content", {})) for one in listed if one["in"] == kind}

    before, after = written(old), written(new)
    return [
        ContractChange(
            verdict="cannot tell",
            direction="received",
            place=pointer((*at, name, "content")),
            rule="media type",
            where=f"{str(at[2]).upper()} {at[1]}",
            before=media,
            after=after[name],
            note="how the value of a parameter is written is not compared",
        )
        for name, media in before.items()
        if name in after and media != after[name]
    ]


def _headers(document: Document, answer: Document) -> Document:
    """The headers of an answer as the schema of an object; their names have no case, the content type is told apart."""
    named = {name.lower(): linked(document, one, Header)[0] for name, one in answer.get("headers", {}).items()}
    named.pop("content-type", None)
    return {
        "type": "object",
        "properties": {name: _value(one) for name, one in named.items()},
        "required": sorted(name for name, one in named.items() if one.get("required")),
    }


def _contents(
    old: tuple[Document, Document], new: tuple[Document, Document], at: Place, where: str, direction: Direction
) -> list[ContractChange]:
    """The media types of a body on both sides, each a document and its body object."""
    changes: list[ContractChange] = []
    before, after = old[1].get("content", {}), new[1].get("content", {})
    for kind in dict.fromkeys([*before, *after]):
        place = (*at, "content", kind)
        if kind in before and kind in after:
            mine = Side(old[0], before[kind].get("schema", True), (*place, "schema"))
            theirs = Side(new[0], after[kind].get("schema", True), (*place, "schema"))
            changes += schema_changes(mine, theirs, direction, where)
        elif kind in before:
            if direction == "received":
                said = {"content-type": kind}
                changes.append(_gone(place, "media type removed", where, said, "this media type is not documented"))
            elif after:
                changes.append(_came(place, "media type removed", where, direction))
        elif direction == "received" or not before:
            changes.append(_came(place, "media type added", where, direction))
        else:
            changes.append(_new_answer(place, "media type added", where, {"content-type": kind}))
    return changes


def _answers(old: Document, before: Document, new: Document, after: Document, place: Place) -> list[ContractChange]:
    where = f"{str(place[2]).upper()} {place[1]}"
    mine, theirs = _given(before, place), _given(after, place)
    changes: list[ContractChange] = []
    for status in dict.fromkeys([*mine, *theirs]):
        at = (*place, "responses", status)
        if status not in theirs:
            changes.append(_came(at, "answer removed", where, "sent", "no longer given"))
            continue
        known = mine.get(status, mine.get(f"{status[:1]}XX", mine.get("default")))
        if known is not None:
            body = (linked(old, known, Answer)[0], linked(new, theirs[status], Answer)[0])
            changes += _contents((old, body[0]), (new, body[1]), at, f"{where} → {status}", "sent")
            heads = [_headers(old, body[0]), _headers(new, body[1])]
            if any(head["properties"] for head in heads):
                sides = [
                    Side(document, head, (*at, "headers")) for document, head in zip((old, new), heads, strict=True)
                ]
                changes += schema_changes(sides[0], sides[1], "sent", f"{where} → {status}")
        elif status.startswith(("4", "5")):
            # RFC 9110, 15: a client treats a status it does not know as the x00 of its class.
            changes.append(_came(at, "answer added", where, "sent", "clients take it as any refusal of its class"))
        else:
            changes.append(_new_answer(at, "answer added", where, {"status": status}))
    return changes


def _given(operation: Document, place: Place) -> Document:
    """The answers of an operation by status. Refused when one is not formed as such."""
    found = {status: one for status, one in operation.get("responses", {}).items() if not status.startswith("x-")}
    for status, one in found.items():
        formed(one, Answer, (*place, "responses", status))
    return found


def _new_answer(place: Place, rule: str, where: str, payload: Any) -> ContractChange:
    witness = Witness(payload=payload, valid_under="new", refused_by="old", reason="callers were not told of it")
    return ContractChange(
        verdict="breaking", direction="sent", place=pointer(place), rule=rule, where=where, witness=witness
    )
