# SPDX-License-Identifier: Apache-2.0
"""The words a mapping is written in (Message Translator as data).

A mapping has exactly one rule per target field; every field of the source is used by a rule or named in `dropped`.
Connectors declare mappings in Python with these words, files and configured connectors load the same from YAML, and
`crossdock.mapping` compiles both to closures.

Paths are dotted (`customer.email`), relative to the source object of their rule list; `$.` starts at the document's
root and `^.` at the object one level up (`^.^.` two). `~.` starts at the context, what Crossdock knows beside the
document (`~.channel`, `~.system`, `~.entity`). A number picks from a list (`rows.0.date`), `*` takes every element
(`discount_codes.*.code`), and `$`, `@`, `^` or `~` alone is the object itself. A converter is a name, or a name with
arguments, where an argument that starts with `$.`, `^.`, `~.` or `@.` is a path (`@.`: relative to the current object),
as in `("money", "$.currency")`. The names are in docs/reference/mapping.md and `crossdock.mapping.converters`.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Converter = str | tuple[Any, ...]


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How one target field is made.

    `target`: a dotted path (`customer.email` builds the nested object); in a list of plain values the one rule of
    `each` has the target `@`. `source`: the path the value comes from. `sources`: several paths; the first converter
    gets the list of their values, None where one is missing (`concat` needs all, `join` skips the missing, `first`
    takes one).
    `via`: converters applied in order. `crosswalk`: name of a table the converted value is looked up in; a value not in
    it opens a case unless `default` is set. `const`: a fixed value. `default`: used when the source is missing, null or
    "" (or not in the crosswalk); a finished value, it does not pass through `via`.
    `each`: the source (after `via`) is a list; every element is mapped by these rules, `where` leaves elements out: a
    path that must be truthy, `!path` that must not, `path=value`, `path!=value`, `path in crosswalk`, `path not in
    crosswalk`. `isolate`: a bad element of this list becomes a failure of its own and the good ones go on (top-level
    lists only).
    `required`: missing with no default opens a case naming the field; a field the target must have is required anyway,
    but a nested object that may be left out is left out when nothing of it is in the source.
    """

    target: str
    source: str | None = None
    sources: tuple[str, ...] = ()
    via: tuple[Converter, ...] = ()
    crosswalk: str | None = None
    const: Any = UNSET
    default: Any = UNSET
    required: bool = False
    each: tuple[Rule, ...] | None = None
    where: str | None = None
    isolate: bool = False
    note: str = ""

    @property
    def has_default(self) -> bool:
        """Whether a default was given (None is a default too)."""
        return not isinstance(self.default, UnsetType)


class Mapping(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A versioned translation of one document kind in one direction.

    `target`: a canonical object kind ("sales_order"), whose struct is built and checked, or "json" for what a system
    is sent. `source`: the same the other way round, named for people ("Shopify order webhook"). `dropped`: source
    fields left out on purpose, as path prefixes. `functions`: module path of converters written in Python that the
    table words cannot say, "crossdock.connectors.shopify.converters".
    """

    name: str
    version: int
    direction: Literal["in", "out"]
    source: str
    target: str
    rules: tuple[Rule, ...]
    dropped: tuple[str, ...] = ()
    functions: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        """Name and version as the journal records them: "shopify.order/1"."""
        return f"{self.name}/{self.version}"
