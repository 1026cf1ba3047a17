# SPDX-License-Identifier: Apache-2.0
"""Two contracts for import-linter that name what is allowed, so that the next package is not forgotten.

import-linter's own `forbidden` and `protected` contracts want every forbidden name, and that every name exists.
"""

from __future__ import annotations

import sys
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class ClosedContract(Contract):
    """Direct imports of `modules` and all below them end in themselves, in the standard library or in `allowed`.

    With `other_libraries = true` only imports inside the root package count; libraries of others are free.
    A module that does not exist yet is passed over.
    """

    type_name = "closed"

    modules = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField(), required=False)
    other_libraries = fields.BooleanField(required=False, default=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every offending import in `metadata`, as (importer, imported), sorted."""
        listed: list[str] = [*_value(self.modules)]
        free: list[str] = [*(_value(self.allowed) or ())]
        libraries_free: bool = _value(self.other_libraries)
        root = listed[0].split(".")[0]
        offences = []
        for name in (name for name in listed if name in graph.modules):
            for importer in sorted({name, *graph.find_descendants(name)}):
                for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                    ours = _below(imported, root)
                    if not ours and (libraries_free or imported.split(".")[0] in sys.stdlib_module_names):
                        continue
                    if not any(_below(imported, home) for home in (name, *free)):
                        offences.append((importer, imported))
        return ContractCheck(kept=not offences, metadata={"offences": offences})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line for each import that must go."""
        _render(check)


class GuestsContract(Contract):
    """`modules` (ours or a library's) are imported directly by `importers`, by all below them, and by nobody else."""

    type_name = "guests"

    modules = fields.ListField(subfield=fields.StringField())
    importers = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every offending import in `metadata`, as (importer, imported), sorted."""
        homes: list[str] = [*_value(self.importers)]
        offences = []
        for name in (name for name in _value(self.modules) if name in graph.modules):
            inside = {name} if graph.is_module_squashed(name) else {name, *graph.find_descendants(name)}
            for imported in sorted(inside):
                importers = sorted(graph.find_modules_that_directly_import(imported))
                offences += [(who, imported) for who in importers if not any(_below(who, h) for h in (name, *homes))]
        return ContractCheck(kept=not offences, metadata={"offences": offences})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line for each import that must go."""
        _render(check)


def _render(check: ContractCheck) -> None:
    offences: Any = check.metadata["offences"]
    for importer, imported in offences:
        output.print_error(f"{importer} imports {imported}: not allowed here. Move the code or the import.")
    output.new_line()


def _value(field: Any) -> Any:
    """What a field holds: import-linter puts the value in the place of the declared field."""
    return field


def _below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")
