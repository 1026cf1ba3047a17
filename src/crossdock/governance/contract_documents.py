# SPDX-License-Identifier: Apache-2.0
"""Tell contracts apart and compare two of one kind: JSON Schema (2020-12), OpenAPI 3.1, AsyncAPI 3.0."""

from __future__ import annotations

from typing import Any, Literal

from msgspec.structs import replace

from crossdock.errors import Refused
from crossdock.governance.contract_change import ContractChange, Direction, Witness, joined, schema_changes
from crossdock.governance.contract_openapi import openapi_changes
from crossdock.governance.contract_shape import AsyncApi, Channel, Message, Spoken, formed, linked
from crossdock.governance.schema_side import Place, Side, pointer

Kind = Literal["openapi", "asyncapi", "mapping", "schema"]
DIRECTIONS: tuple[Direction, ...] = ("received", "sent")
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
Document = dict[str, Any]


def kind_of(document: Document) -> Kind:
    """What `document` is. Raises Refused for a version that is not understood."""
    if "openapi" in document:
        return _of_version("openapi", "3.1", str(document["openapi"]))
    if "asyncapi" in document:
        return _of_version("asyncapi", "3.0", str(document["asyncapi"]))
    if "rules" in document and "target" in document:
        return "mapping"
    if str(document.get("$schema", _DRAFT)).rstrip("#") != _DRAFT:
        raise Refused(
            f"the schema is of another draft: {str(document['$schema'])[:200]}",
            rule="draft",
            fix="only JSON Schema 2020-12 is compared; convert the document first",
        )
    return "schema"


def _of_version(kind: Literal["openapi", "asyncapi"], wanted: str, given: str) -> Kind:
    if not given.startswith(f"{wanted}."):
        raise Refused(f"{kind} {given[:40]}", rule="version", fix=f"only {kind} {wanted} is compared; convert it first")
    return kind


def document_changes(
    old: Document, new: Document, directions: tuple[Direction, ...] = DIRECTIONS
) -> list[ContractChange]:
    """The changes from `old` to `new`, two documents of one kind (mappings apart), the worst first.

    `directions` counts for JSON Schemas, which do not say themselves who sends what they describe. Raises Refused when
    the documents cannot be compared.
    """
    try:
        return _document_changes(old, new, directions)
    except RecursionError as error:
        raise Refused("the documents refer too deep", rule="depth", fix="compare flatter documents") from error


def _document_changes(old: Document, new: Document, directions: tuple[Direction, ...]) -> list[ContractChange]:
    kind, other = kind_of(old), kind_of(new)
    if kind != other:
        raise Refused(f"one is {kind}, the other {other}", rule="kind", fix="compare two documents of one kind")
    if kind == "openapi":
        return openapi_changes(old, new)
    if kind == "asyncapi":
        return _asyncapi_changes(old, new)
    a, b = Side(old, old), Side(new, new)
    return joined([change for direction in directions for change in schema_changes(a, b, direction)])


def _asyncapi_changes(old: Document, new: Document) -> list[ContractChange]:
    before, after = _spoken(old), _spoken(new)
    changes: list[ContractChange] = []
    for key in dict.fromkeys([*before, *after]):
        direction, address, name = key
        where = f"{address} {name}"
        place = (after.get(key) or before[key])[0]
        if key in before and key in after:
            for part in ("payload", "headers"):
                mine = Side(old, before[key][1].get(part, True), (*before[key][0], part))
                theirs = Side(new, after[key][1].get(part, True), (*place, part))
                changes += schema_changes(mine, theirs, direction, where)
            changes += _written((old, before[key][1]), (new, after[key][1]), place, where, direction)
        elif key in after and direction == "sent" and any(known[:2] == key[:2] for known in before):
            changes.append(_unheard(place, "message added", where, direction, {"message": name}))
        elif key in after:
            changes.append(_compatible(place, "message added", where, direction))
        else:
            # Whoever waits for it waits for ever; whoever sends it is not heard.
            changes.append(_unheard(place, "message removed", where, direction, {"address": address, "message": name}))
    return joined(changes)


def _written(
    old: tuple[Document, Document], new: tuple[Document, Document], place: Place, where: str, direction: Direction
) -> list[ContractChange]:
    """A message on both sides, each a document and its message, that is written another way now."""
    before, after = (message.get("contentType", whole.get("defaultContentType")) for whole, message in (old, new))
    if before == after:
        return []
    change = _compatible((*place, "contentType"), "media type", where, direction)
    note = "how a message is written is not compared"
    return [replace(change, verdict="cannot tell", before=before, after=after, note=note)]


def _compatible(place: Place, rule: str, where: str, direction: Direction) -> ContractChange:
    return ContractChange(verdict="compatible", direction=direction, place=pointer(place), rule=rule, where=where)


def _unheard(place: Place, rule: str, where: str, direction: Direction, payload: Document) -> ContractChange:
    gone = rule == "message removed"
    witness = Witness(
        payload=payload,
        valid_under="old" if gone else "new",
        refused_by="new" if gone else "old",
        reason="the other document does not have this message at this address",
    )
    return ContractChange(
        verdict="breaking", direction=direction, place=pointer(place), rule=rule, where=where, witness=witness
    )


def _spoken(document: Document) -> dict[tuple[Direction, str, str], tuple[Place, Document]]:
    """Every message of every operation: (direction, address, name) → where it stands and what it is."""
    formed(document, AsyncApi)
    found: dict[tuple[Direction, str, str], tuple[Place, Document]] = {}
    for known, operation in document.get("operations", {}).items():
        formed(operation, Spoken, ("operations", known))
        operation, _ = linked(document, operation, Spoken)
        direction: Direction = "sent" if operation["action"] == "send" else "received"
        channel, at = linked(document, operation["channel"], Channel)
        messages = channel.get("messages", {})
        spoken = _messages_of(operation)
        for name in sorted(spoken or ()):
            if name not in messages:
                wrong = f"an operation names the message {name[:200]!r}, which its channel has not"
                raise Refused(wrong, rule="reference", fix="name messages of the channel: #/channels/…/messages/…")
        for name, message in messages.items():
            if spoken is not None and name not in spoken:
                continue
            said, place = linked(document, message, Message, (*at, "messages", name))
            found[direction, str(channel.get("address", "")), name] = (place, said)
    return found


def _messages_of(operation: Document) -> frozenset[str] | None:
    """The names of those messages of its channel that an operation is about; None = all."""
    listed = operation.get("messages")
    if listed is None:
        return None
    last = (str(one["$ref"]).rpartition("/")[2] for one in listed)
    return frozenset(name.replace("~1", "/").replace("~0", "~") for name in last)
