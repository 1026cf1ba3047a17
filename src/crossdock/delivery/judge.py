# SPDX-License-Identifier: Apache-2.0
"""What becomes of a delivery after a try: delivered, due again, or a case for a person."""

from __future__ import annotations

from msgspec import Struct

from crossdock.delivery.system import Tried
from crossdock.errors import AlreadyDone, CrossdockError, NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.runtime.backoff import backoff
from crossdock.sdk.sending import Delivered

FIRST_WAIT = 0.5
LONGEST_WAIT = 300.0
# A document that fails this often while its system serves others is looked at by a person.
TRIES_BEFORE_CASE = 8
HEALTHY_WITHIN = 60.0
# The rule of a failure to look: whether an earlier try had its effect is still unknown.
LOOK_FAILED = "look_failed"


class Verdict(Struct, frozen=True, kw_only=True):
    """`state` of the delivery from now on. `blames_system`: the failure is the system's, so the breaker hears of it."""

    state: str
    outcome: str
    look_first: bool = False
    reference: str = ""
    error: CrossdockError | None = None
    wait: float = 0.0
    blames_system: bool = False


def judge(tried: Tried, since_success: float) -> Verdict:
    """The verdict on one try. `since_success`: seconds since the system last did something for us."""
    outcome = tried.outcome
    if isinstance(outcome, Delivered):
        return Verdict(state="delivered", outcome="delivered", reference=outcome.reference)
    error = outcome.error
    attempt = tried.item.outgoing.attempt
    if isinstance(error, AlreadyDone):
        return Verdict(state="delivered", outcome="already done", reference=error.reference)
    if isinstance(error, NeedsConfig):
        return Verdict(state="due", outcome="needs config", error=error, wait=FIRST_WAIT, blames_system=True)
    if not isinstance(error, RetryLater | OutcomeUnknown):
        return Verdict(state="case", outcome="needs edit", error=error)
    unknown = isinstance(error, OutcomeUnknown) or error.rule == LOOK_FAILED
    throttled = isinstance(error, RetryLater) and error.throttled
    if attempt >= TRIES_BEFORE_CASE and since_success < HEALTHY_WITHIN and not throttled:
        kept = NeedsEdit(
            f"failed {attempt} times while the system served others: {error.reason}",
            rule=error.rule,
            fix="read the system's answers in the attempts; mend the document or ask the system's owner, then retry",
        )
        return Verdict(state="case", outcome="keeps failing", look_first=unknown, error=kept)
    asked = error.after if isinstance(error, RetryLater) else None
    wait = asked if asked is not None else backoff(attempt, first=FIRST_WAIT, most=LONGEST_WAIT)
    return Verdict(
        state="due",
        outcome="throttled" if throttled else "unknown" if unknown else "retry",
        look_first=unknown,
        error=error,
        wait=wait,
        blames_system=not throttled,
    )
