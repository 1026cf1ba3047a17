# SPDX-License-Identifier: Apache-2.0
"""The two contracts of our own: what they forbid on a small graph, and what they leave free."""

from __future__ import annotations

import grimp
from importlinter import Contract

from tools.import_contracts import ClosedContract, GuestsContract


def graph(*imports: tuple[str, str]) -> grimp.ImportGraph:
    made = grimp.ImportGraph()
    for importer, imported in imports:
        for name in (importer, imported):
            if name not in made.modules:
                made.add_module(name, is_squashed=not name.startswith("ours"))
        made.add_import(importer=importer, imported=imported)
    return made


def offences(contract: type[Contract], made: grimp.ImportGraph, **options: object) -> list[tuple[str, str]]:
    checked = contract(name="c", session_options={}, contract_options=options).check(made, verbose=False)
    found: list[tuple[str, str]] = checked.metadata["offences"]
    assert checked.kept is (not found)
    return found


PLAIN = graph(
    ("ours.canonical.money", "decimal"),
    ("ours.canonical.money", "msgspec"),
    ("ours.canonical.money", "ours.canonical"),
    ("ours.canonical.money", "aiohttp"),
    ("ours.canonical.money", "ours.journal"),
    ("ours.canonical_other", "aiohttp"),
)


def test_closed_allows_itself_the_standard_library_and_what_is_listed() -> None:
    found = offences(ClosedContract, PLAIN, modules=["ours.canonical"], allowed=["msgspec"])
    assert found == [("ours.canonical.money", "aiohttp"), ("ours.canonical.money", "ours.journal")]


def test_closed_can_leave_other_libraries_free() -> None:
    found = offences(ClosedContract, PLAIN, modules=["ours.canonical"], other_libraries="true")
    assert found == [("ours.canonical.money", "ours.journal")]


def test_closed_passes_over_a_module_that_is_not_there() -> None:
    assert offences(ClosedContract, PLAIN, modules=["ours.later"]) == []


def test_guests_are_the_listed_packages_only() -> None:
    made = graph(
        ("ours.runtime.bus", "nats"),
        ("ours.journal.relay", "nats"),
        ("ours.cli.demo", "ours.sandbox.store"),
        ("ours.clinic", "ours.sandbox.store"),
        ("ours.sandbox.host", "ours.sandbox.store"),
        ("ours.sandbox.host", "ours.sandbox"),
    )
    assert offences(GuestsContract, made, modules=["nats"], importers=["ours.runtime"]) == [
        ("ours.journal.relay", "nats")
    ]
    assert offences(GuestsContract, made, modules=["ours.sandbox"], importers=["ours.cli"]) == [
        ("ours.clinic", "ours.sandbox.store")
    ]
