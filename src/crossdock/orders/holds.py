# SPDX-License-Identifier: Apache-2.0
"""Holds: what is well formed and still waits for a yes. Which failures are holds, and what releases them.

A failure of a rule in `canonical.hold.HOLDS` is a hold, every other one a fault that must be mended. A person releases
exactly what was found (`mark_of`), a standing rule of the estate what it is about; a fault is never released, whatever
is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from crossdock.canonical.hold import HOLDS
from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import NeedsEdit
from crossdock.sdk.receiving import digest_of

How = Literal["itself", "person", "rule"]
_LINE = re.compile(r"lines\[(\d{1,9})\]")


class Release(Struct, frozen=True):
    """That a person has let through what `mark` names."""

    mark: str
    by: str
    reason: str


class ReleaseRule(Struct, frozen=True, kw_only=True):
    """A standing release: failures of `rule` of orders of `channel` and account `customer` ("" = any) whose total is
    below `total_below` (None = whatever it is). `number`: its place in the estate, from 1."""

    number: int
    rule: str
    reason: str
    channel: str = ""
    customer: str = ""
    total_below: Decimal | None = None

    def fits(self, order: SalesOrder, failure: NeedsEdit) -> bool:
        """Whether it lets `failure` of `order` through."""
        return (
            failure.rule == self.rule
            and self.channel in ("", order.channel)
            and self.customer in ("", order.customer.id)
            and (self.total_below is None or order.total.amount < self.total_below)
        )


class Waived(Struct, frozen=True):
    """A failure that was let through: by a rule (`by` is its place, "rule 1") or a person, and why."""

    failure: NeedsEdit
    how: How
    by: str
    reason: str


NO_RELEASES: Mapping[str, Release] = MappingProxyType({})


def name_holds(order: SalesOrder, failures: Iterable[NeedsEdit]) -> None:
    """Write down on each failure of `order`, which has our account and SKUs, which hold it is and its mark."""
    for failure in failures:
        hold = HOLDS.get(failure.rule)
        if hold is not None:
            failure.hold = hold.kind
            failure.mark = mark_of(order, failure) if hold.releasable else ""


def mark_of(order: SalesOrder, failure: NeedsEdit) -> str:
    """What a release of `failure` is about: rule, field and value, and whose account, in which currency, of which line
    with how much: the same value means something else on another one."""
    found = _LINE.match(failure.field)
    index = int(found[1]) if found else -1
    line = order.lines[index] if 0 <= index < len(order.lines) else None
    said = (
        failure.rule,
        failure.field,
        "" if failure.value is None else str(failure.value),
        failure.about,
        order.customer.id,
        order.currency,
        None if line is None else (line.sku, line.quantity),
    )
    return f"{digest_of(encode(said)) % 2**64:016x}"


def let_through(
    order: SalesOrder,
    failures: Sequence[NeedsEdit],
    rules: Sequence[ReleaseRule],
    released: Mapping[str, Release] = NO_RELEASES,
) -> tuple[list[NeedsEdit], tuple[Waived, ...]]:
    """The failures (named by `name_holds`) that are left, and those let through, by a person before a rule."""
    left: list[NeedsEdit] = []
    waived: list[Waived] = []
    for failure in failures:
        person = released.get(failure.mark) if failure.mark else None
        rule = next((one for one in rules if one.fits(order, failure)), None) if failure.mark else None
        if person is not None:
            waived.append(Waived(failure, "person", person.by, person.reason))
        elif rule is not None:
            waived.append(Waived(failure, "rule", f"rule {rule.number}", rule.reason))
        else:
            left.append(failure)
    return left, tuple(waived)
