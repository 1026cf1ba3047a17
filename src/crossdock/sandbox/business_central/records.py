# SPDX-License-Identifier: Apache-2.0
"""What the simulated company holds: records by entity set and id, their etags, indexes, and writes that all hold or
none."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from crossdock.sandbox.books import Books
from crossdock.sandbox.business_central.entities import ENTITIES, PARENTS
from crossdock.sandbox.business_central.problems import NOT_FOUND, BusinessCentralError

Record = dict[str, Any]
"""A record by property name. Names with a leading underscore are the simulator's own and never shown."""
SPACE = uuid.UUID("9506000a-0000-4000-8000-000000000000")
INDEXED: dict[str, tuple[str, ...]] = {
    "accounts": ("number",),
    "customers": ("number",),
    "items": ("number",),
    "locations": ("code",),
    "salesOrders": ("number", "externalDocumentNumber"),
    "salesShipments": ("number", "orderNumber", "externalDocumentNumber"),
    "salesInvoices": ("number", "orderNumber", "externalDocumentNumber"),
    "salesCreditMemos": ("number", "invoiceNumber", "externalDocumentNumber"),
    "locationStock": ("itemNumber",),
    "salesOrderShipments": ("externalReference", "orderNumber", "documentNumber"),
    "salesReturnOrders": ("number", "externalDocumentNumber", "orderNumber"),
    **dict.fromkeys(PARENTS, ("documentId",)),
}


class Change(msgspec.Struct, frozen=True):
    """A record was created, updated or deleted."""

    collection: str
    ident: str
    kind: str
    at: str


def guid_of(name: str) -> str:
    """The id of what bears this name: equal names have equal ids in every run."""
    return str(uuid.uuid5(SPACE, name))


def etag(record: Record) -> str:
    """The weak etag of a record as it is now."""
    token = base64.b64encode(f"{record['id']}{record['_v']}".encode()).decode()
    return 'W/"' + base64.b64encode(f"'44;{token};1;00;'".encode()).decode() + '"'


class Store:
    """Records over the simulator's books. `told` is called with what a finished transaction changed."""

    def __init__(self, books: Books, clock: Callable[[], float]) -> None:
        self.books = books
        self.clock = clock
        self.told: Callable[[list[Change]], None] = lambda _changes: None
        self._index: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
        self._undo: list[tuple[str, str, Record | None]] | None = None
        self._changes: list[Change] = []
        self.index()

    def index(self) -> None:
        """Build the indexes from the books."""
        self._index = {(collection, field): {} for collection, fields in INDEXED.items() for field in fields}
        for collection in INDEXED:
            for record in self.all(collection).values():
                self._note(collection, record)

    def now(self) -> str:
        """Now, RFC 3339 in UTC to the millisecond."""
        return datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def today(self) -> str:
        return self.now()[:10]

    def all(self, collection: str) -> dict[str, Record]:
        return self.books.table(collection)

    def find(self, collection: str, ident: str) -> Record | None:
        return self.all(collection).get(ident.lower())

    def get(self, collection: str, ident: str) -> Record:
        """The record. Raises BusinessCentralError 404 when there is none."""
        record = self.find(collection, ident)
        if record is None:
            name = ENTITIES[collection].name
            raise BusinessCentralError(404, NOT_FOUND, f"Not Found: there is no {name} with the id {ident}.")
        return record

    def by(self, collection: str, field: str, value: str) -> list[Record]:
        """The records whose indexed `field` is `value`, in the order they were made."""
        held = self.all(collection)
        return [held[ident] for ident in self._index[collection, field].get(_folded(field, value), ())]

    def one(self, collection: str, field: str, value: str) -> Record | None:
        return next(iter(self.by(collection, field, value)), None)

    def lines(self, collection: str, document: str) -> list[Record]:
        """The lines of a document by their sequence."""
        return sorted(self.by(collection, "documentId", document), key=_sequence)

    def number(self, series: str) -> str:
        """The next number of a series such as `S-ORD`; a number that was drawn stays drawn."""
        return f"{series}{100_000 + self.books.bump(f'series.{series}')}"

    def guid(self, collection: str) -> str:
        return guid_of(f"{collection}/{self.books.bump('ids')}")

    def add(self, collection: str, record: Record) -> Record:
        """File a new record; it is given what it lacks of `id`."""
        record.setdefault("id", self.guid(collection))
        record["_n"] = self.books.bump("made")
        self._keep(collection, record, "created")
        return record

    def change(self, collection: str, record: Record, **values: Any) -> Record:
        """File the record with other values; the one that was given stays as it is."""
        changed = {**record, **values}
        self._keep(collection, changed, "updated")
        return changed

    def flow(self, collection: str, record: Record, **values: Any) -> None:
        """Set computed values (AL's FlowFields): the record is not modified by that and nobody is told."""
        self._remember(collection, record["id"])
        self.books.put(collection, record["id"], {**record, **values})

    def put_own(self, table: str, key: str, value: Any) -> None:
        """Write a row of the simulator's own tables within the transaction."""
        self._remember(table, key)
        self.books.put(table, key, value)

    def remove(self, collection: str, record: Record) -> None:
        ident = record["id"]
        self._remember(collection, ident)
        self._forget(collection, record)
        self.books.drop(collection, ident)
        self._changes.append(Change(collection, ident, "deleted", self.now()))
        self._touch_parent(collection, record)
        self._done()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes within hold, or none. Within another one it is a part of that."""
        if self._undo is not None:
            yield
            return
        self._undo = []
        try:
            yield
        except BaseException:
            undo, self._undo, self._changes = self._undo, None, []
            self._restore(undo)
            raise
        self._undo = None
        self._done()

    def _keep(self, collection: str, record: Record, kind: str) -> None:
        held = self._remember(collection, record["id"])
        if held is not None:
            self._forget(collection, held)
        now = self.now()
        record["_v"] = self.books.bump("versions")
        if "lastModifiedDateTime" in ENTITIES[collection].fields:
            record["lastModifiedDateTime"] = now
        self.books.put(collection, record["id"], record)
        self._note(collection, record)
        self._changes.append(Change(collection, record["id"], kind, now))
        self._touch_parent(collection, record)
        self._done()

    def _touch_parent(self, collection: str, record: Record) -> None:
        # A change of a line is a change of its document: the document gets another etag and subscribers are told.
        parent = PARENTS.get(collection)
        document = self.find(parent, record["documentId"]) if parent else None
        if parent and document is not None:
            self._keep(parent, {**document}, "updated")

    def _remember(self, collection: str, ident: str) -> Record | None:
        held: Record | None = self.all(collection).get(ident)
        if self._undo is not None:
            self._undo.append((collection, ident, held))
        return held

    def _restore(self, undo: Iterable[tuple[str, str, Record | None]]) -> None:
        for collection, ident, before in reversed(list(undo)):
            if before is None:
                self.books.drop(collection, ident)
            else:
                self.books.put(collection, ident, before)
        self.index()

    def _done(self) -> None:
        if self._undo is None and self._changes:
            changes, self._changes = self._changes, []
            self.told(changes)

    def _note(self, collection: str, record: Record) -> None:
        for field in INDEXED.get(collection, ()):
            value = _folded(field, record.get(field, ""))
            self._index[collection, field].setdefault(value, {})[record["id"]] = None

    def _forget(self, collection: str, record: Record) -> None:
        for field in INDEXED.get(collection, ()):
            value = _folded(field, record.get(field, ""))
            held = self._index[collection, field].get(value, {})
            held.pop(record["id"], None)
            if not held:
                self._index[collection, field].pop(value, None)


def _folded(field: str, value: str) -> str:
    return value if field == "externalReference" else value.strip().upper()


def _sequence(record: Record) -> int:
    return int(record.get("sequence") or record.get("lineSequence") or 0)
