# SPDX-License-Identifier: Apache-2.0
"""The entity sets that are simulated, read from `entities.toml`: names, types and what may be written, as published."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import msgspec

BLANK_ID = "00000000-0000-0000-0000-000000000000"
DEFAULTS: dict[str, Any] = {
    "guid": BLANK_ID,
    "string": "",
    "date": "0001-01-01",
    "decimal": 0,
    "boolean": False,
    "int32": 0,
    "datetime": "0001-01-01T00:00:00Z",
}
EDM = {
    "guid": "Edm.Guid",
    "string": "Edm.String",
    "date": "Edm.Date",
    "decimal": "Edm.Decimal",
    "boolean": "Edm.Boolean",
    "int32": "Edm.Int32",
    "datetime": "Edm.DateTimeOffset",
}
WRITE_LETTERS = {"POST": "I", "PATCH": "M", "DELETE": "D"}


class Field(msgspec.Struct, frozen=True):
    """A property. `code`: kept in capitals and trimmed, as AL's Code type is; `members` of an option, else empty."""

    name: str
    kind: str
    read_only: bool
    length: int | None
    code: bool
    members: tuple[str, ...]

    @property
    def default(self) -> Any:
        return self.members[0] if self.members else DEFAULTS[self.kind]

    @property
    def edm(self) -> str:
        return EDM.get(self.kind, f"Microsoft.NAV.{self.kind}")


class Entity(msgspec.Struct, frozen=True):
    """An entity set. `parts` (navigation → set) are its lines, `links` (navigation → set, field) lead to one record."""

    collection: str
    name: str
    fields: dict[str, Field]
    writes: str
    actions: tuple[str, ...]
    parts: dict[str, str]
    links: dict[str, tuple[str, str]]

    def allows(self, method: str) -> bool:
        return WRITE_LETTERS.get(method, "") in self.writes


def _lengths(texts: dict[str, str]) -> dict[str, tuple[int, bool]]:
    found: dict[str, tuple[int, bool]] = {}
    for kind, text in texts.items():
        for entry in text.split():
            name, _, length = entry.partition(":")
            found[name] = (int(length), kind == "Code")
    return found


def _load(section: str) -> dict[str, Entity]:
    lengths = _lengths(_FACTS["lengths"])
    return {
        collection: Entity(
            collection,
            told["entity"],
            {field.name: field for field in (_field(text, lengths) for text in told["fields"].split())},
            told["writes"],
            tuple(told.get("actions", ())),
            told.get("parts", {}),
            {name: (target.split()[0], target.split()[1]) for name, target in told.get("links", {}).items()},
        )
        for collection, told in _FACTS[section].items()
    }


def _field(text: str, lengths: dict[str, tuple[int, bool]]) -> Field:
    name, _, kind = text.partition(":")
    read_only, kind = kind.endswith("!"), kind.rstrip("!")
    members = tuple(_FACTS["options"].get(kind, ()))
    length, code = lengths.get(name, (None, False)) if kind == "string" else (None, False)
    return Field(name, kind, read_only, length, code, members)


_FACTS: dict[str, Any] = tomllib.loads(files(__package__).joinpath("entities.toml").read_text("utf-8"))
STANDARD = _load("standard")
EXTENSION = _load("extension")
ENTITIES = STANDARD | EXTENSION
PARENTS: dict[str, str] = {
    lines: collection for collection, entity in ENTITIES.items() for lines in entity.parts.values()
}
"""The document's entity set by the set of its lines."""
