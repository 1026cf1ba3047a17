# SPDX-License-Identifier: Apache-2.0
"""From a call to its answer: which record set it is about, what may be done with it, and under which etag."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from crossdock.sandbox.business_central.addresses import STANDARD_API, Address, Segment
from crossdock.sandbox.business_central.check import Body, check_body
from crossdock.sandbox.business_central.documents import LINES, Documents, create_plain
from crossdock.sandbox.business_central.entities import ENTITIES, EXTENSION, PARENTS, STANDARD, Entity
from crossdock.sandbox.business_central.extension import Extension
from crossdock.sandbox.business_central.lines import Lines
from crossdock.sandbox.business_central.post import Posting
from crossdock.sandbox.business_central.problems import (
    BAD_TOKEN,
    CHANGED,
    METHOD_NOT_ALLOWED,
    NO_COMPANY,
    NO_SEGMENT,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    UNKNOWN,
    BusinessCentralError,
    dialog,
)
from crossdock.sandbox.business_central.query import MAX_PAGE, Options, Reader, next_link, read_options
from crossdock.sandbox.business_central.records import Record, Store, etag

NOT_MATCHED = (
    "Could not validate the client concurrency token required by the service. "
    "Please provide a valid token in the client request."
)
STALE = "Another user has already changed the record."
NOT_ALLOWED = (
    "'{method}' requests for '{name}' of EdmType 'Entity' are not allowed within "
    "Microsoft Dynamics 365 Business Central OData web services."
)
DOCUMENTS = frozenset(LINES)
DOCUMENT_LINES = frozenset(LINES.values())
ACTION = "Microsoft.NAV."
ETAG = re.compile(r'(?:W/)?"[^"]*"')
PAGE_SIZE = re.compile(r"odata\.maxpagesize=(\d{1,9})")


class Call(msgspec.Struct, frozen=True):
    """A request: the path as it was sent, its options, its headers by name in small letters, its JSON object."""

    method: str
    address: Address
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: dict[str, Any]


class Reply(msgspec.Struct, frozen=True):
    """An answer; no body with 204."""

    status: int
    body: dict[str, Any] | None = None
    headers: dict[str, str] = {}


class Writers(msgspec.Struct, frozen=True):
    """Who writes what."""

    documents: Documents
    lines: Lines
    posting: Posting
    extension: Extension


class Router:
    """Answers calls on records. Nothing in it waits, so that a call (and a batch) is done at one moment."""

    def __init__(self, store: Store, reader: Reader, writers: Writers, url: Callable[[], str]) -> None:
        self._store = store
        self._reader = reader
        self._writers = writers
        self._url = url
        self._actions: dict[tuple[str, str], Callable[[Record, dict[str, Any]], Any]] = {
            ("salesOrders", "shipandinvoice"): lambda order, _body: writers.posting.ship_and_invoice(order),
            ("salesInvoices", "post"): lambda invoice, _body: writers.posting.post("salesInvoices", invoice),
            ("salesInvoices", "cancel"): lambda invoice, _body: writers.posting.cancel(invoice),
            ("salesInvoices", "makecorrectivecreditmemo"): lambda invoice, _body: writers.posting.correct(invoice),
            ("salesCreditMemos", "post"): lambda memo, _body: writers.posting.post("salesCreditMemos", memo),
            ("salesReturnOrders", "receive"): writers.extension.receive,
        }

    def answer(self, call: Call) -> Reply:
        """Do what is asked. Raises BusinessCentralError."""
        first, *rest = call.address.segments
        if first.name != "companies":
            raise BusinessCentralError(404, NO_SEGMENT, f"Resource not found for the segment '{first.name}'.")
        if first.key is None:
            return self._set(call, STANDARD["companies"], {}, "")
        if self._store.find("companies", first.key) is None:
            raise BusinessCentralError(404, NO_COMPANY, f"Cannot find the company {first.key}.")
        if not rest:
            return self._one(call, STANDARD["companies"], self._store.get("companies", first.key))
        entity = self._entity(call.address.api, rest[0])
        if rest[0].key is None:
            self._end(rest[1:])
            return self._set(call, entity, {}, "")
        return self._of_one(call, entity, self._store.get(entity.collection, rest[0].key), rest[1:])

    def _of_one(self, call: Call, entity: Entity, record: Record, rest: list[Segment]) -> Reply:
        if not rest:
            return self._one(call, entity, record)
        step, further = rest[0], rest[1:]
        if step.name.startswith(ACTION):
            self._end(further)
            return self._act(call, entity, record, step.name.removeprefix(ACTION))
        if step.name in entity.links:
            collection, field = entity.links[step.name]
            return self._of_one(call, ENTITIES[collection], self._store.get(collection, record.get(field, "")), further)
        if step.name not in entity.parts:
            raise BusinessCentralError(404, NO_SEGMENT, f"Resource not found for the segment '{step.name}'.")
        part = ENTITIES[entity.parts[step.name]]
        if step.key is None:
            self._end(further)
            return self._set(call, part, {"documentId": record["id"]}, step.name)
        line = self._store.get(part.collection, step.key)
        if line["documentId"] != record["id"]:
            raise BusinessCentralError(404, NOT_FOUND, f"Not Found: the {part.name} is of another document.")
        return self._of_one(call, part, line, further)

    @staticmethod
    def _entity(api: str, segment: Segment) -> Entity:
        known = STANDARD if api == STANDARD_API else EXTENSION
        entity = known.get(segment.name)
        if entity is None or entity.collection == "companies" or (known is EXTENSION and segment.name in PARENTS):
            raise BusinessCentralError(404, NO_SEGMENT, f"Resource not found for the segment '{segment.name}'.")
        return entity

    @staticmethod
    def _end(rest: list[Segment]) -> None:
        if rest:
            raise BusinessCentralError(404, NO_SEGMENT, f"Resource not found for the segment '{rest[0].name}'.")

    def _set(self, call: Call, entity: Entity, scope: dict[str, str], part: str) -> Reply:
        if call.method == "POST" and entity.allows("POST"):
            options = read_options(entity, call.query)
            made = self._create(entity, call.body, scope)
            place = f"{self._url()}{call.address.base}/companies({self._company()})/{entity.collection}({made['id']})"
            return Reply(201, self._shown(call, made, options), {"Location": place, "ETag": etag(made)})
        if call.method != "GET":
            raise _not_allowed(call.method, part or entity.collection)
        options = read_options(entity, call.query)
        rows = self._reader.rows(options, scope)
        size = _page_size(call.headers)
        shown, token = self._reader.page(rows, options, size)
        body: dict[str, Any] = {"@odata.context": self._context(call, entity)}
        if options.count:
            body["@odata.count"] = len(rows)
        body["value"] = shown
        if token is not None:
            body["@odata.nextLink"] = next_link(self._url() + _path(call.address), call.query, token, len(shown))
        return Reply(200, body)

    def _one(self, call: Call, entity: Entity, record: Record) -> Reply:
        options = read_options(entity, call.query)
        if call.method == "GET":
            return Reply(200, self._shown(call, record, options), {"ETag": etag(record)})
        if not entity.allows(call.method):
            raise _not_allowed(call.method, entity.collection)
        must_match(record, call.headers)
        if call.method == "DELETE":
            self._remove(entity.collection, record)
            return Reply(204)
        changed = self._change(entity, record, check_body(entity, call.body, {}))
        return Reply(200, self._shown(call, changed, options), {"ETag": etag(changed)})

    def _create(self, entity: Entity, given: dict[str, Any], scope: dict[str, str]) -> Record:
        collection = entity.collection
        parts = {name: ENTITIES[lines] for name, lines in entity.parts.items()}
        body = check_body(entity, given, parts)
        if collection in EXTENSION:
            return self._writers.extension.create(collection, body)
        if collection in DOCUMENTS:
            return self._writers.documents.create(collection, body.values, body.lines.get(LINES[collection], []))
        if collection not in DOCUMENT_LINES:
            with self._store.transaction():
                return create_plain(self._store, collection, body.values)
        ident = scope.get("documentId") or body.values.pop("documentId", "")
        if not ident:
            raise dialog("You must specify a documentId in the request body.")
        return self._add_line(collection, ident, body)

    def _add_line(self, collection: str, ident: str, body: Body) -> Record:
        parent = PARENTS[collection]
        document = self._store.get(parent, ident)
        self._writers.documents.may_grow(parent, document)
        with self._store.transaction():
            line = self._writers.lines.add(collection, document, body.values)
            self._writers.documents.settle(parent, ident)
        return self._store.get(collection, line["id"])

    def _change(self, entity: Entity, record: Record, body: Body) -> Record:
        collection = entity.collection
        if collection in DOCUMENTS:
            return self._writers.documents.change(collection, record, body.values)
        with self._store.transaction():
            if collection in DOCUMENT_LINES:
                parent = PARENTS[collection]
                document = self._store.get(parent, record["documentId"])
                self._writers.documents.must_be_draft(parent, document)
                self._writers.lines.change(collection, record, body.values)
                self._writers.documents.settle(parent, document["id"])
                return self._store.get(collection, record["id"])
            if {"number", "code", "inventory"} & set(body.values):
                raise dialog("Renaming a record and changing its inventory are not simulated.")
            return self._store.change(collection, record, **body.values)

    def _remove(self, collection: str, record: Record) -> None:
        if collection in DOCUMENTS:
            self._writers.documents.remove(collection, record)
            return
        with self._store.transaction():
            if collection in DOCUMENT_LINES:
                parent = PARENTS[collection]
                document = self._store.get(parent, record["documentId"])
                self._writers.documents.must_be_draft(parent, document)
                self._writers.lines.remove(collection, record)
                self._writers.documents.settle(parent, document["id"])
            else:
                raise dialog(f"Deleting from {collection} is not simulated.")

    def _act(self, call: Call, entity: Entity, record: Record, name: str) -> Reply:
        if call.method != "POST":
            raise _not_allowed(call.method, ACTION + name)
        if name.lower() not in {action.lower() for action in entity.actions}:
            raise BusinessCentralError(400, NOT_IMPLEMENTED, f"Entity does not support the bound action {name}.")
        act = self._actions.get((entity.collection, name.lower()))
        if act is None:
            raise BusinessCentralError(400, NOT_IMPLEMENTED, f"The bound action {name} is not simulated.")
        act(record, call.body)
        return Reply(204)

    def _shown(self, call: Call, record: Record, options: Options) -> dict[str, Any]:
        context = f"{self._context(call, options.entity)}/$entity"
        return {"@odata.context": context, **self._reader.show(record, options)}

    def _context(self, call: Call, entity: Entity) -> str:
        root = f"{self._url()}{call.address.base}/$metadata#companies"
        return root if entity.collection == "companies" else f"{root}({self._company()})/{entity.collection}"

    def _company(self) -> str:
        return next(iter(self._store.all("companies")))


def must_match(record: Record, headers: Mapping[str, str]) -> None:
    """The etag in If-Match must be the record's, or `*`. Raises BusinessCentralError: 400 when it is missing or no
    etag, 409 when the record has changed since."""
    told = headers.get("if-match", "").strip()
    if told == "*":
        return
    if not ETAG.fullmatch(told):
        raise BusinessCentralError(400, BAD_TOKEN, NOT_MATCHED)
    if told != etag(record):
        raise BusinessCentralError(409, CHANGED, STALE)


def _path(address: Address) -> str:
    parts = [part.name if part.key is None else f"{part.name}({part.key})" for part in address.segments]
    return "/".join([address.base, *parts])


def _not_allowed(method: str, name: str) -> BusinessCentralError:
    return BusinessCentralError(405, METHOD_NOT_ALLOWED, NOT_ALLOWED.format(method=method, name=name))


def _page_size(headers: Mapping[str, str]) -> int | None:
    match = PAGE_SIZE.search(headers.get("prefer", ""))
    if match is None or int(match[1]) == 0:
        return None
    if int(match[1]) > MAX_PAGE:
        raise BusinessCentralError(413, UNKNOWN, f"A page holds at most {MAX_PAGE} entities.")
    return int(match[1])
