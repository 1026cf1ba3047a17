# SPDX-License-Identifier: Apache-2.0
"""Which returns pass without a person: the estate's policy as decisions take it, and what a return breaks of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from msgspec import Struct

from crossdock.canonical.goods_return import GoodsReturn
from crossdock.errors import NeedsEdit
from crossdock.returns.failure import edit

ZERO = Decimal(0)
_OVERRIDE = "or put in `override` why it is let pass"


class ReturnPolicy(Struct, frozen=True, kw_only=True):
    """By what goods of a channel come back; `estate.shape.ReturnPolicy` says what each field is."""

    window: timedelta | None = None
    reasons: frozenset[str] = frozenset()
    not_returnable: tuple[str, ...] = ()
    approve_up_to: Decimal | None = None
    location: str = ""
    restocking_fee: Decimal = ZERO
    free_reasons: frozenset[str] = frozenset()
    keeps: frozenset[str] = frozenset()
    declines: bool = False

    def fee_percent(self, reason: str) -> Decimal:
        """What is kept of the money for goods that come back for `reason`, percent."""
        return ZERO if reason in self.free_reasons else self.restocking_fee


class ReturnRules(Struct, frozen=True, kw_only=True):
    """The policy of every channel: `others` holds where `channels` names none; None = returns are not taken."""

    version: str = ""
    others: ReturnPolicy | None = None
    channels: Mapping[str, ReturnPolicy] = MappingProxyType({})

    def of(self, channel: str) -> ReturnPolicy | None:
        """The policy of `channel`; None when every return there needs a person."""
        return self.channels.get(channel, self.others)


class Asked(Struct, frozen=True, kw_only=True):
    """What the policy looks at besides the return itself. `since`: how long after its goods left it is asked for;
    `amount`: what all of it would give back, before any fee, in `currency`."""

    since: timedelta
    amount: Decimal
    currency: str


def broken(asked: GoodsReturn, policy: ReturnPolicy | None, facts: Asked) -> list[NeedsEdit]:
    """Everything that keeps a return from passing without a person, each with the smallest change that passes."""
    if policy is None:
        return [
            edit(
                "channel",
                "policy",
                asked.channel,
                f"there is no policy for returns of channel {asked.channel}",
                f"add `returns:` to the estate, {_OVERRIDE}",
            )
        ]
    return [*_late(policy, facts), *_lines(asked, policy), *_dear(policy, facts)]


def _late(policy: ReturnPolicy, facts: Asked) -> Iterator[NeedsEdit]:
    if policy.window is not None and facts.since > policy.window:
        late = (facts.since - policy.window).days + 1
        yield edit(
            "requested_at",
            "window",
            facts.since.days,
            f"asked for {facts.since.days} days after the goods left, {policy.window.days} are allowed",
            f"{late} days earlier would have passed; decline it, {_OVERRIDE}",
        )


def _lines(asked: GoodsReturn, policy: ReturnPolicy) -> Iterator[NeedsEdit]:
    for index, line in enumerate(asked.lines):
        if policy.reasons and line.reason not in policy.reasons:
            known = ", ".join(sorted(policy.reasons))
            yield edit(
                f"lines[{index}].reason",
                "reason",
                line.reason,
                f"{line.reason!r} is no reason that is taken" if line.reason else "no reason is given",
                f"put one of {known}; {_OVERRIDE}",
            )
        prefix = next((one for one in policy.not_returnable if line.sku.startswith(one)), None)
        if prefix is not None:
            yield edit(
                f"lines[{index}].sku",
                "not_returnable",
                line.sku,
                f"{line.sku} cannot be returned: nothing that begins with {prefix} can",
                f"leave the line out, {_OVERRIDE}",
            )


def _dear(policy: ReturnPolicy, facts: Asked) -> Iterator[NeedsEdit]:
    most = policy.approve_up_to
    if most is not None and facts.amount > most:
        yield edit(
            "lines",
            "amount",
            facts.amount,
            f"{facts.amount} {facts.currency} would go back, up to {most} passes by itself",
            f"take {facts.amount - most} {facts.currency} of goods out, {_OVERRIDE}",
        )
