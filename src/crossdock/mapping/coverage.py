# SPDX-License-Identifier: Apache-2.0
"""Coverage of a mapping on recorded samples: no source field is lost without somebody having said so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crossdock.mapping.reads import steps_of, uses
from crossdock.sdk.words import Mapping

Steps = tuple[str, ...]


def unused_fields(mapping: Mapping, samples: Iterable[Any]) -> list[str]:
    """Fields that appear in decoded `samples` and are neither read by a rule nor named in `dropped`, sorted.

    Paths are from the root, "line_items[].grams". A field counts as read when a rule reads it, or reads as a
    whole something it lies in; an object or list is named itself when nothing inside of it is read.
    """
    read = {steps_of(use.source) for use in uses(mapping) if use.whole and not use.source.startswith("~")}
    covered = read | {steps_of(dropped) for dropped in mapping.dropped}
    parents = {steps[:length] for steps in covered for length in range(len(steps))}
    parents |= {steps_of(use.source) for use in uses(mapping) if not use.whole}
    found: set[str] = set()
    for sample in samples:
        _walk(sample, "", (), covered, parents, found)
    return sorted(found)


def never_seen(mapping: Mapping, samples: Iterable[Any]) -> list[str]:
    """Source paths that rules read or `dropped` names but no sample has, sorted: typing errors or missing samples."""
    seen: set[Steps] = set()
    for sample in samples:
        _note(sample, (), seen)
    read = {use.source for use in uses(mapping) if not use.computed and not use.source.startswith("~")}
    named = read | set(mapping.dropped)
    return sorted(path for path in named if steps_of(path) not in seen)


def _walk(value: Any, path: str, steps: Steps, covered: set[Steps], parents: set[Steps], found: set[str]) -> None:
    if steps in covered:
        return
    if isinstance(value, dict) and (not steps or steps in parents):
        for name, inner in value.items():
            _walk(inner, f"{path}.{name}" if path else name, (*steps, name), covered, parents, found)
    elif isinstance(value, list) and (not steps or steps in parents):
        for inner in value:
            _walk(inner, f"{path}[]", steps, covered, parents, found)
    elif steps and steps not in parents:
        found.add(path)


def _note(value: Any, steps: Steps, seen: set[Steps]) -> None:
    seen.add(steps)
    if isinstance(value, dict):
        for name, inner in value.items():
            _note(inner, (*steps, name), seen)
    elif isinstance(value, list):
        for inner in value:
            _note(inner, steps, seen)
