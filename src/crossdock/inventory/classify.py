# SPDX-License-Identifier: Apache-2.0
"""Say of each difference what it is, by a table of rules: the first that fits names the class and gives the reason.

    in_flight        something about the SKU is under way, or newer than what the system was asked
    late_message     their figure, or ours, is that of a few minutes ago
    missed_movement  one side lacks something that is known, or that is known to be stuck
    unit_mismatch    one figure is the other times what a unit of the product holds
    phantom          none of these: goods that nobody can account for

Evidence that names a document goes before arithmetic, which may fit by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from crossdock.canonical.stock import DifferenceClass
from crossdock.inventory.compared import Around, Difference, Moved, ReconcileRules
from crossdock.inventory.level import ZERO

Rule = Callable[[Difference, Around, ReconcileRules], str]
"""Why the rule fits, "" when it does not."""


def classify(one: Difference, around: Around, rules: ReconcileRules) -> None:
    """Write class, reason and money at stake into the difference."""
    table = _OF_GOODS if one.what == "on_hand" else _OF_CHANNELS
    one.kind, one.reason = next(
        ((kind, reason) for kind, rule in table if (reason := rule(one, around, rules))),
        ("phantom", "nothing that is known accounts for it"),
    )
    if around.price is not None:
        one.money, one.currency = around.price * abs(one.amount), around.currency


def _moving(one: Difference, _around: Around, _rules: ReconcileRules) -> str:
    if one.moved:
        return "it changed while it was looked at"
    newer = one.ours_changed_at is not None and one.ours_changed_at >= one.as_of
    return "ours changed after they were asked" if newer else ""


def _on_its_way(_one: Difference, around: Around, _rules: ReconcileRules) -> str:
    if around.due:
        return f"{around.due[0]} is being brought to them"
    waiting = next((w for w in around.waiting if w.state != "case"), None)
    return f"document {waiting.document_id} names it and is not decided yet" if waiting else ""


def _they_lag(one: Difference, around: Around, rules: ReconcileRules) -> str:
    since = _equal_before(one, around)
    if not since or one.as_of - since[-1].recorded_at > rules.late_within:
        return ""
    return f"it is what we had before {_told(since)}"


def _we_lag(one: Difference, around: Around, rules: ReconcileRules) -> str:
    changed = one.theirs_changed_at
    if changed is None or one.as_of - changed > rules.late_within:
        return ""
    newest = max((move.occurred_at for move in around.moved if move.source == one.system), default=None)
    if newest is not None and newest >= changed:
        return ""
    return f"they changed it at {changed:%H:%M:%S} UTC, and have not told us yet"


def _known_stuck(_one: Difference, around: Around, _rules: ReconcileRules) -> str:
    if around.stuck:
        return f"{around.stuck[0]} waits for a person before it goes to them"
    waiting = next((w for w in around.waiting if w.state == "case"), None)
    return f"document {waiting.document_id} names it and waits for a person" if waiting else ""


def _unit(one: Difference, around: Around, _rules: ReconcileRules) -> str:
    if one.unit:
        return f"they count it in {one.unit}, which the product does not have"
    ours, theirs = one.ours or ZERO, one.theirs or ZERO
    if ours <= 0 or theirs <= 0:
        return ""
    for unit, factor in sorted(around.factors.items()):
        if factor != 1 and (theirs * factor == ours or ours * factor == theirs):
            return f"the figures are in the ratio of a {unit}, which holds {factor.normalize():f}"
    return ""


def _doubled(one: Difference, around: Around, _rules: ReconcileRules) -> str:
    seen: dict[tuple[str, str, Decimal, str], Moved] = {}
    for move in around.moved:
        sign = (move.source, move.kind, move.on_hand, move.reference)
        twin = seen.setdefault(sign, move)
        if twin is not move and move.source == one.system and one.amount == -move.on_hand:
            return f"they told the {move.kind} of {move.on_hand:+f} twice, as {move.movement_id} and {twin.movement_id}"
    return ""


def _they_lack(one: Difference, around: Around, _rules: ReconcileRules) -> str:
    others = [move for move in around.moved if move.source != one.system]
    for move in others:
        if one.amount == -move.on_hand:
            return f"they lack the {move.kind} of {move.on_hand:+f} ({move.source} {move.movement_id})"
    for kind in sorted({move.kind for move in others}):
        of_kind = [move for move in others if move.kind == kind]
        if len(of_kind) > 1 and one.amount == -sum((move.on_hand for move in of_kind), ZERO):
            return f"they lack every {kind}, {len(of_kind)} of them"
    return ""


def _they_stopped(one: Difference, around: Around, _rules: ReconcileRules) -> str:
    since = _equal_before(one, around)
    return f"it is what we had at {since[-1].recorded_at:%Y-%m-%d %H:%M} UTC: they lack {_told(since)}" if since else ""


def _we_lack(one: Difference, around: Around, _rules: ReconcileRules) -> str:
    for reference, quantity in around.expected.items():
        if one.amount == quantity:
            return f"they have received {quantity:f} of {reference}, which has not been told"
    for reference, quantity in around.promised.items():
        if one.amount == -quantity:
            return f"they have shipped {quantity:f} for {reference}, which has not been told"
    if around.promised and one.amount == -sum(around.promised.values(), ZERO):
        return f"they have shipped all that is promised, {len(around.promised)} orders, which has not been told"
    return ""


def _equal_before(one: Difference, around: Around) -> list[Moved]:
    """The newest movements without which our figure is theirs, newest first; empty when there are none such."""
    had, passed = one.ours or ZERO, list[Moved]()
    for move in sorted(around.moved, key=lambda move: move.recorded_at, reverse=True):
        had -= move.on_hand
        passed.append(move)
        if had == (one.theirs or ZERO):
            return passed
    return []


def _told(moves: list[Moved]) -> str:
    first = moves[-1]
    if len(moves) == 1:
        return f"the {first.kind} of {first.on_hand:+f} ({first.source} {first.movement_id})"
    return f"{len(moves)} movements, from {first.source} {first.movement_id} on"


def _not_told(one: Difference, around: Around, rules: ReconcileRules) -> str:
    if one.ours is None:
        return "a number is on its way to them" if around.told or around.to_be_told else ""
    told_at = around.told[0][1] if around.told else one.ours_changed_at
    fresh = told_at is not None and one.as_of - told_at < rules.look_again_after
    return "they were told a number just now" if fresh else ""


def _shows_earlier(one: Difference, around: Around, rules: ReconcileRules) -> str:
    since = _told_since(one, around)
    recent = since is not None and one.as_of - since <= rules.late_within
    return f"they show what they were told before {since:%H:%M:%S} UTC" if recent else ""


def _shows_old(one: Difference, around: Around, _rules: ReconcileRules) -> str:
    since = _told_since(one, around)
    return f"they show what they were told before {since:%Y-%m-%d %H:%M} UTC, and lost what came later" if since else ""


def _told_since(one: Difference, around: Around) -> datetime | None:
    """When the number was told that came after the one they show; None when they were never told that one."""
    later = None
    for number, at in around.told:
        if later is not None and number == one.theirs:
            return later
        later = at
    return None


_OF_GOODS: tuple[tuple[DifferenceClass, Rule], ...] = (
    ("in_flight", _moving),
    ("in_flight", _on_its_way),
    ("missed_movement", _known_stuck),
    ("late_message", _they_lag),
    ("late_message", _we_lag),
    ("unit_mismatch", _unit),
    ("missed_movement", _doubled),
    ("missed_movement", _we_lack),
    ("missed_movement", _they_lack),
    ("missed_movement", _they_stopped),
)
_OF_CHANNELS: tuple[tuple[DifferenceClass, Rule], ...] = (
    ("in_flight", _moving),
    ("in_flight", _not_told),
    ("in_flight", _on_its_way),
    ("missed_movement", _known_stuck),
    ("late_message", _shows_earlier),
    ("missed_movement", _shows_old),
    ("unit_mismatch", _unit),
)
