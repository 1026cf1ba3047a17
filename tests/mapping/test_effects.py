# SPDX-License-Identifier: Apache-2.0
"""A change of a mapping is judged by what it does to recorded samples."""

from __future__ import annotations

from typing import Any

from crossdock.mapping.compare import Change
from crossdock.mapping.effects import Effect, effects
from crossdock.sdk.words import Mapping, Rule

SAMPLES: dict[str, Any] = {"apple": {"sku": " a ", "name": "Apple", "colour": "red"}, "bare": {"sku": "b"}}


def mapping(*rules: Rule, dropped: tuple[str, ...] = ("colour",)) -> Mapping:
    return Mapping(
        name="shop.thing", version=1, direction="out", source="thing", target="json", rules=rules, dropped=dropped
    )


SKU = Rule(target="sku", source="sku")
NAME = Rule(target="label.name", source="name")


def told(old: Mapping, new: Mapping, samples: dict[str, Any] = SAMPLES) -> list[tuple[str, str, str, Effect | None]]:
    return [(one.verdict, one.change.kind, one.change.target, one.effect) for one in effects(old, new, samples)]


def test_a_value_that_comes_out_otherwise_breaks() -> None:
    new = mapping(Rule(target="sku", source="sku", via=("strip",)), NAME)
    shown = Effect(sample="apple", before=" a ", after="a")
    assert told(mapping(SKU, NAME), new) == [("breaking", "changed", "sku", shown)]


def test_a_value_that_is_gone_breaks() -> None:
    shown = Effect(sample="apple", before="Apple", after=None)
    assert told(mapping(SKU, NAME), mapping(SKU)) == [("breaking", "removed", "label.name", shown)]


def test_a_document_that_becomes_a_case_breaks() -> None:
    new = mapping(SKU, Rule(target="label.name", source="name", required=True))
    ((verdict, kind, target, effect),) = told(mapping(SKU, NAME), new)
    assert (verdict, kind, target) == ("breaking", "changed", "label.name")
    assert effect == Effect(sample="bare", refused="name: it is missing")


def test_a_target_that_only_adds_is_compatible_and_so_is_what_is_dropped() -> None:
    assert told(mapping(SKU), mapping(SKU, NAME)) == [("compatible", "added", "label.name", None)]
    assert told(mapping(SKU), mapping(SKU, dropped=("colour", "size"))) == [("compatible", "dropped", "size", None)]


def test_a_rule_that_no_sample_shows_is_not_called_compatible() -> None:
    new = mapping(SKU, Rule(target="label.name", source="name", default="unnamed"))
    apple = {"apple": SAMPLES["apple"]}
    assert told(mapping(SKU, NAME), new, apple) == [("cannot tell", "changed", "label.name", None)]
    assert told(mapping(SKU), mapping(SKU, NAME), {}) == [("cannot tell", "added", "label.name", None)]
    assert [one.change for one in effects(mapping(SKU, NAME), mapping(SKU, NAME), {})] == list[Change]()


def test_a_target_that_no_sample_has_is_not_called_compatible() -> None:
    bare = {"bare": SAMPLES["bare"]}
    assert told(mapping(SKU), mapping(SKU, NAME), bare) == [("cannot tell", "added", "label.name", None)]
    # A sample that is a case before as after shows nothing either.
    needed = Rule(target="sku", source="code", required=True)
    assert told(mapping(needed), mapping(needed, NAME)) == [("cannot tell", "added", "label.name", None)]
