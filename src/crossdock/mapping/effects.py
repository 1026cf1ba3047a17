# SPDX-License-Identifier: Apache-2.0
"""What a change of a mapping does to recorded samples: which become cases, which come out otherwise, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Table
from typing import Any, Literal

import msgspec
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.errors import NeedsEdit
from crossdock.mapping.compare import Change, compare
from crossdock.mapping.compile import Translator, compile_mapping
from crossdock.sdk.words import Mapping

# What a sample's mapping knows beside the document.
CONTEXT = dict.fromkeys(("system", "channel", "entity", "interface", "topic"), "sample")
_ABSENT = object()


class Effect(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one sample shows of a change: the target's value before and after (None: none), or why it is a case."""

    sample: str
    before: Any = None
    after: Any = None
    refused: str = ""


class Judged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of a mapping with its verdict.

    Breaking: a sample shows it, by a value that is other or gone, or a document that becomes a case. Cannot tell: rules
    differ and no sample shows how. Compatible: a source field newly dropped or kept, or a target that a sample shows to
    be only added.
    """

    verdict: Literal["breaking", "cannot tell", "compatible"]
    change: Change
    effect: Effect | None = None


def effects(old: Mapping, new: Mapping, samples: Table[str, Any]) -> list[Judged]:
    """Every change from `old` to `new`, judged by `samples` (name → decoded source). The worst come first.

    Crosswalks are not asked: what they say is the same for both, so a value stands for itself.
    """
    before, after = _run(old, samples), _run(new, samples)
    found = [_judge(change, before, after) for change in compare(old, new)]
    told = {judged.effect.sample for judged in found if judged.effect is not None}
    for name, made in before.items():
        refusal = after[name]
        if isinstance(refusal, NeedsEdit) and not isinstance(made, NeedsEdit) and name not in told:
            change = Change("changed", refusal.field)
            found.append(Judged(verdict="breaking", change=change, effect=_refusal(name, refusal)))
    order = ("breaking", "cannot tell", "compatible")
    return sorted(found, key=lambda one: order.index(one.verdict))


def outcomes(old: Mapping, new: Mapping, samples: Table[str, Any]) -> dict[str, tuple[str, str] | None]:
    """What comes of each of `samples` under `new`: None = what came of it under `old`, else (field, what is wrong).

    Of values nothing is said. One that `old` does not take either is left out.
    """
    first, second = (compile_mapping(one, lambda _table, value: value) for one in (old, new))
    found: dict[str, tuple[str, str] | None] = {}
    for name, source in samples.items():
        made, now = _fields(first, source), _fields(second, source)
        if isinstance(made, NeedsEdit):
            continue
        if isinstance(now, NeedsEdit):
            found[name] = (now.field, "becomes a case")
        else:
            field = _first_other(made, now)
            found[name] = None if field is None else (field, "comes out otherwise")
    return found


def _fields(translator: Translator, source: Any) -> Any:
    """The document that is made, field by field, those at their defaults too; or why it is a case."""
    try:
        return _plain(translator(source, CONTEXT))
    except NeedsEdit as error:
        return error


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _first_other(before: Any, after: Any, at: str = "") -> str | None:
    """The first place where two documents differ; None = nowhere."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            other = _first_other(before.get(name, _ABSENT), after.get(name, _ABSENT), f"{at}/{name}")
            if other is not None:
                return other
        return None
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, now) in enumerate(zip(before, after, strict=True)):
            other = _first_other(one, now, f"{at}/{index}")
            if other is not None:
                return other
        return None
    return None if before == after else at


def _run(mapping: Mapping, samples: Table[str, Any]) -> dict[str, Any]:
    translator = compile_mapping(mapping, lambda _table, value: value)
    return {name: _made(translator, source) for name, source in samples.items()}


def _made(translator: Translator, source: Any) -> Any:
    try:
        return msgspec.json.decode(encode(translator(source, CONTEXT)))
    except NeedsEdit as error:
        return error


def _judge(change: Change, before: Table[str, Any], after: Table[str, Any]) -> Judged:
    if change.kind in ("dropped", "kept"):
        return Judged(verdict="compatible", change=change)
    only_adds, shown = True, False
    for name, made in before.items():
        now = after[name]
        if isinstance(made, NeedsEdit):
            continue
        if isinstance(now, NeedsEdit):
            if _concerns(now, change.target):
                return Judged(verdict="breaking", change=change, effect=_refusal(name, now))
            only_adds = False
            continue
        was, is_now = list(_at(made, change.target)), list(_at(now, change.target))
        if was != is_now and (change.kind != "added" or any(value is not _ABSENT for value in was)):
            effect = Effect(sample=name, before=_told(was), after=_told(is_now))
            return Judged(verdict="breaking", change=change, effect=effect)
        shown = shown or any(value is not _ABSENT for value in is_now)
    return Judged(
        verdict="compatible" if change.kind == "added" and only_adds and shown else "cannot tell", change=change
    )


def _refusal(sample: str, error: NeedsEdit) -> Effect:
    return Effect(sample=sample, refused=f"{error.field}: {error.reason}" if error.field else error.reason)


def _concerns(error: NeedsEdit, target: str) -> bool:
    fields = [one.field for one in error.failures or (error,)]
    return any(target.split(".")[-1] in field or error.rule.endswith(target) for field in fields)


def _at(document: Any, target: str) -> Iterator[Any]:
    """The values at `target` ("lines.sku": of each line), _ABSENT where there is none."""
    head, _, rest = target.partition(".")
    if isinstance(document, list):
        for one in document:
            yield from _at(one, target)
    elif not target or target == "@":
        yield document
    elif isinstance(document, dict) and head in document:
        yield from _at(document[head], rest)
    else:
        yield _ABSENT


def _told(values: list[Any]) -> Any:
    plain = [None if value is _ABSENT else value for value in values]
    return plain[0] if len(plain) == 1 else plain
