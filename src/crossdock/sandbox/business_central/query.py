# SPDX-License-Identifier: Apache-2.0
"""OData reading: `$filter`, `$select`, `$expand` on several levels, `$orderby`, `$top`, `$skip`, `$count`, pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from crossdock.sandbox.business_central.entities import ENTITIES, Entity
from crossdock.sandbox.business_central.filters import Condition, comparable, parse_filter
from crossdock.sandbox.business_central.problems import BAD_REQUEST, BusinessCentralError, dialog
from crossdock.sandbox.business_central.records import INDEXED, Record, Store, etag

MAX_PAGE = 20_000
"""Published: 20,000 entities per page."""
MOST_LEVELS = 5
KNOWN = ("$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$count", "$skiptoken", "$schemaversion")
LINE_SETS = ("salesOrderLines", "salesInvoiceLines", "salesCreditMemoLines")
NO_DOCUMENT = "You must specify an Id or a Document Id to get the lines."


class Options(msgspec.Struct, frozen=True):
    """What is asked of a set. `expand` has the options of each navigation."""

    entity: Entity
    condition: Condition | None
    select: tuple[str, ...]
    expand: dict[str, Expansion]
    order: tuple[tuple[str, bool], ...]
    top: int | None
    skip: int
    count: bool
    token: str


class Expansion(msgspec.Struct, frozen=True):
    """A navigation to follow: to the one record that `field` names, or without it to the lines of the document."""

    options: Options
    field: str | None


def read_options(entity: Entity, given: Mapping[str, str], level: int = 0) -> Options:
    """Parse the query options for a set. Raises BusinessCentralError 400 for what is unknown or malformed."""
    for name in given:
        if name.startswith("$") and name not in KNOWN:
            raise BusinessCentralError(400, BAD_REQUEST, f"The query parameter '{name}' is not supported.")
    select = tuple(part.strip() for part in given["$select"].split(",")) if given.get("$select", "*") != "*" else ()
    for name in select:
        _known(entity, name)
    return Options(
        entity,
        parse_filter(given["$filter"], entity) if given.get("$filter") else None,
        select,
        _expand(entity, given.get("$expand", ""), level),
        tuple(_order(entity, part) for part in given["$orderby"].split(",")) if given.get("$orderby") else (),
        _whole("$top", given["$top"]) if "$top" in given else None,
        _whole("$skip", given.get("$skip", "0")),
        given.get("$count", "false").lower() == "true",
        given.get("$skiptoken", ""),
    )


def _known(entity: Entity, name: str) -> None:
    if name not in entity.fields:
        message = f"Could not find a property named '{name}' on type 'Microsoft.NAV.{entity.name}'."
        raise BusinessCentralError(400, BAD_REQUEST, message)


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise BusinessCentralError(400, BAD_REQUEST, f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def _order(entity: Entity, text: str) -> tuple[str, bool]:
    name, _, way = text.strip().partition(" ")
    _known(entity, name)
    if way.strip() not in ("", "asc", "desc"):
        raise BusinessCentralError(400, BAD_REQUEST, f"'{way}' is no direction of $orderby.")
    return name, way.strip() == "desc"


def _expand(entity: Entity, text: str, level: int) -> dict[str, Expansion]:
    if text and level >= MOST_LEVELS:
        raise BusinessCentralError(400, BAD_REQUEST, f"$expand goes more than {MOST_LEVELS} levels deep.")
    found: dict[str, Expansion] = {}
    for part in split_outside(text, ","):
        match = re.fullmatch(r"(\w+)(?:\((.*)\))?", part.strip(), re.DOTALL)
        name = match[1] if match else part.strip()
        part_of = entity.parts.get(name)
        target, field = (part_of, None) if part_of else entity.links.get(name, ("", None))
        if match is None or not target:
            message = f"Could not find a navigation property named '{name}' on type 'Microsoft.NAV.{entity.name}'."
            raise BusinessCentralError(400, BAD_REQUEST, message)
        inner = dict(_option(entry) for entry in split_outside(match[2] or "", ";"))
        found[name] = Expansion(read_options(ENTITIES[target], inner, level + 1), field)
    return found


def _option(text: str) -> tuple[str, str]:
    name, _, value = text.strip().partition("=")
    return name.strip(), value.strip()


def split_outside(text: str, mark: str) -> list[str]:
    """Split at `mark` where it stands outside brackets and quotes; no empty parts."""
    parts, deep, quoted, start = [], 0, False, 0
    for place, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif not quoted:
            deep += (char == "(") - (char == ")")
            if char == mark and deep == 0:
                parts.append(text[start:place])
                start = place + 1
    return [part for part in [*parts, text[start:]] if part.strip()]


class Reader:
    """Shows records and pages of them."""

    def __init__(self, store: Store, page_size: int) -> None:
        self._store = store
        self._page_size = page_size

    def show(self, record: Record, options: Options) -> dict[str, Any]:
        """The JSON of one record."""
        shown: dict[str, Any] = {"@odata.etag": etag(record)}
        fields = options.entity.fields
        for name in options.select or fields:
            shown[name] = record.get(name, fields[name].default)
        for name, expansion in options.expand.items():
            shown[name] = self._expanded(record, expansion)
        return shown

    def _expanded(self, record: Record, expansion: Expansion) -> Any:
        options, collection = expansion.options, expansion.options.entity.collection
        if expansion.field is not None:
            target = self._store.find(collection, record.get(expansion.field, ""))
            return None if target is None else self.show(target, options)
        rows = self.arranged(self._store.lines(collection, record["id"]), options)
        end = None if options.top is None else options.skip + options.top
        return [self.show(row, options) for row in rows[options.skip : end]]

    def rows(self, options: Options, scope: Mapping[str, str]) -> list[Record]:
        """All records that the filter and the `scope` (field → value) let through, sorted."""
        collection = options.entity.collection
        equals = {**(options.condition.equals if options.condition else {}), **scope}
        if collection in LINE_SETS and not {"documentId", "id"} & set(equals):
            raise dialog(NO_DOCUMENT)
        rows = self._candidates(collection, equals)
        kept = [row for row in rows if all(row[name] == value for name, value in scope.items())]
        return self.arranged(kept, options)

    def arranged(self, rows: Iterable[Record], options: Options) -> list[Record]:
        """The rows that the filter lets through, in the order asked for, else in that of the primary key."""
        condition = options.condition
        kept = [row for row in rows if condition is None or condition.holds(row)]
        for name, descending in reversed(options.order):
            kept.sort(key=_key(options.entity, name), reverse=descending)
        if not options.order:
            kept.sort(key=lambda row: row["_n"])
        return kept

    def _candidates(self, collection: str, equals: Mapping[str, Any]) -> Iterable[Record]:
        if "id" in equals:
            found = self._store.find(collection, equals["id"])
            return [] if found is None else [found]
        for field in INDEXED.get(collection, ()):
            if field in equals:
                return self._store.by(collection, field, equals[field])
        return self._store.all(collection).values()

    def page(self, rows: list[Record], options: Options, size: int | None) -> tuple[list[dict[str, Any]], str | None]:
        """One page of `rows`, and the token of the next one if there is one."""
        start = _start(rows, options)
        end = len(rows) if options.top is None else min(len(rows), start + options.top)
        stop = min(end, start + min(self._page_size, size or self._page_size))
        token = None
        if stop < end:
            token = f"n{rows[stop - 1]['_n']}" if not options.order else f"o{stop}"
        return [self.show(row, options) for row in rows[start:stop]], token


def next_link(address: str, given: Mapping[str, str], token: str, sent: int) -> str:
    """The address of the page after the one with `sent` rows."""
    kept = {name: value for name, value in given.items() if name not in ("$skip", "$skiptoken", "$top", "aid")}
    if "$top" in given:
        kept["$top"] = str(int(given["$top"]) - sent)
    kept |= {"aid": "FIN", "$skiptoken": token}
    return f"{address}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in kept.items())


def _start(rows: list[Record], options: Options) -> int:
    if not options.token:
        return options.skip
    if not re.fullmatch(r"[no]\d{1,18}", options.token):
        raise BusinessCentralError(400, BAD_REQUEST, "The $skiptoken is not one that was given out.")
    number = int(options.token[1:])
    if options.token[0] == "o":
        return number
    return next((place for place, row in enumerate(rows) if row["_n"] > number), len(rows))


def _key(entity: Entity, name: str) -> Callable[[Record], Any]:
    field = entity.fields[name]
    return lambda row: comparable(field, row.get(name, field.default))
