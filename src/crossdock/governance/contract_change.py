# SPDX-License-Identifier: Apache-2.0
"""Changes between two schemas, each with its verdict; a breaking one has a payload that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

from jsonschema.exceptions import ValidationError
from msgspec import Struct
from msgspec.structs import replace

from crossdock.governance.schema_narrow import Narrower, Narrowing
from crossdock.governance.schema_side import Place, Side, pointer

Verdict = Literal["breaking", "cannot tell", "compatible"]
Direction = Literal["received", "sent"]
VERDICTS: tuple[Verdict, ...] = ("breaking", "cannot tell", "compatible")
_MOST_TRIES = 400
_UNIONS = frozenset({"anyOf", "oneOf", "not", "if", "contains", "propertyNames", "unevaluatedProperties"})


class Witness(Struct, frozen=True, kw_only=True):
    """A payload valid on one side and refused by the other; `reason`: what the refusing side says."""

    payload: Any
    valid_under: Literal["old", "new"]
    refused_by: Literal["old", "new"]
    reason: str


class ContractChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of a contract.

    `direction`: "received" = payloads that others send us, "sent" = those we send. `place`: JSON Pointer into the new
    document (into the old one for what is gone). `rule`: the keyword or the part of the contract. `also`: how many more
    operations or messages it shows in.
    """

    verdict: Verdict
    direction: Direction
    place: str
    rule: str
    where: str = ""
    before: Any = None
    after: Any = None
    note: str = ""
    witness: Witness | None = None
    also: int = 0


def schema_changes(old: Side, new: Side, direction: Direction, where: str = "") -> list[ContractChange]:
    """The changes from `old` to `new` of a schema whose payloads go in `direction`.

    What is received must stay valid: all of `old` under `new`. What is sent must stay what it was: all of `new` under
    `old`. A narrowing the other way round is a compatible change.
    """
    mine, theirs = (old, new) if direction == "received" else (new, old)
    harming, easing = Narrower(mine, theirs), Narrower(theirs, mine)
    changes = [_harm(one, harming, direction, where) for one in harming.all()]
    known = {_key(change) for change in changes}
    for one in easing.all():
        change = _plain(one, direction, where, swapped=True)
        if _key(change) not in known:
            changes.append(change)
    for narrower, named_by in ((harming, theirs), (easing, mine)):
        changes += [_added(place, direction, where, named_by is new) for place in sorted(narrower.added, key=str)]
    return joined(changes)


def _added(place: Place, direction: Direction, where: str, added: bool) -> ContractChange:
    if added:
        note = "unless somebody sends a property of this name for something else already"
    else:
        note = "still taken when it is sent, and not read" if direction == "received" else "no longer sent"
    return ContractChange(
        verdict="compatible",
        direction=direction,
        place=pointer(place),
        rule="property added" if added else "property removed",
        where=where,
        note=note,
    )


def _plain(one: Narrowing, direction: Direction, where: str, *, swapped: bool) -> ContractChange:
    """A narrowing as a compatible change. The old side is `a` for what is received, unless the sides are swapped."""
    a_is_old = (direction == "received") != swapped
    old, new = (one.at_a, one.at_b) if a_is_old else (one.at_b, one.at_a)
    before, after = (one.said_a, one.said_b) if a_is_old else (one.said_b, one.said_a)
    return ContractChange(
        verdict="compatible",
        direction=direction,
        place=pointer(new or old),
        rule=one.rule,
        where=where,
        before=before,
        after=after,
    )


def _harm(one: Narrowing, narrower: Narrower, direction: Direction, where: str) -> ContractChange:
    change = _plain(one, direction, where, swapped=False)
    proved = prove(one, narrower)
    if proved is None:
        note = "no payload was found that shows it, nor a reason why there is none"
        return replace(change, verdict="cannot tell", note=note)
    payload, reason = proved
    first: Literal["old", "new"] = "old" if direction == "received" else "new"
    second: Literal["old", "new"] = "new" if direction == "received" else "old"
    witness = Witness(payload=payload, valid_under=first, refused_by=second, reason=reason)
    return replace(change, verdict="breaking", witness=witness)


def prove(one: Narrowing, narrower: Narrower) -> tuple[Any, str] | None:
    """A payload valid under `a` that `b` refuses at the narrowing's place, with what `b` says; None when none is found.

    Both are asked (`jsonschema`), so a payload that is returned does show it.
    """
    for value in islice(one.tries(), _MOST_TRIES):
        for payload in _wrapped(one, value):
            if not narrower.a.accepts(payload):
                continue
            for error in narrower.b.errors(payload):
                if _about(error, one):
                    return payload, error.message[:300]
    return None


def _wrapped(one: Narrowing, value: Any) -> Iterator[Any]:
    for full in (False, True):
        try:
            yield one.wrap(value, full)
        except LookupError:
            continue


def _about(error: ValidationError, one: Narrowing) -> bool:
    """Whether `error` is at the narrowing's place or below, or of a union around it."""
    at, location = tuple(error.absolute_path), one.location
    if at[: len(location)] == location:
        missing = error.validator == "required" and at == location
        if one.rule == "required" and error.validator not in _UNIONS:
            return missing and repr(one.said_b) in error.message
        return not missing
    # jsonschema gives an error of the schema `false` the place of what holds it.
    denied = one.rule == "false" and error.validator is None
    return location[: len(at)] == at and (error.validator in _UNIONS or denied)


def _key(change: ContractChange) -> tuple[str, ...]:
    """What tells a change from others: place, rule and direction, and of `required` the name."""
    name = (str(change.before), str(change.after)) if change.rule == "required" else ()
    return (change.place, change.rule, change.direction, *name)


def joined(changes: list[ContractChange]) -> list[ContractChange]:
    """`changes` with each (place, rule, direction) once, its worst verdict kept, the worst first."""
    found: dict[tuple[str, ...], ContractChange] = {}
    for change in changes:
        key = _key(change)
        before = found.get(key)
        if before is None:
            found[key] = change
            continue
        worse = min(before, change, key=lambda one: VERDICTS.index(one.verdict))
        more = before.also + change.also + (before.where != change.where)
        found[key] = replace(worse, also=more)
    return sorted(found.values(), key=lambda one: (VERDICTS.index(one.verdict), one.place, one.rule, one.direction))
