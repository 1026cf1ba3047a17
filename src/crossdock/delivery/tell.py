# SPDX-License-Identifier: Apache-2.0
"""One call that tells a channel numbers (of stock, or prices): what is sent, and what its answer means for each.

A number the channel refuses waits for a mended mapping or listing and stands in nobody's way. When a whole call fails
the channel is left alone for a while, and the next calls are smaller, until one is answered: so a number that spoils
its call is found soon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

from crossdock.delivery.send import ask
from crossdock.delivery.system import System
from crossdock.errors import AlreadyDone, CrossdockError, NeedsConfig, OutcomeUnknown, RetryLater
from crossdock.inventory.conflate import Number
from crossdock.runtime.backoff import backoff
from crossdock.runtime.clock import now
from crossdock.sdk.sending import Delivered, Exchange, Outcome, Outgoing

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
FIRST_REFUSAL, LONGEST_REFUSAL = 5.0, 300.0
CONFIG_PAUSE = 15.0
# A number that has failed so often while others were taken, and fails alone, is the reason itself.
LONELY_FAILURES = 3

Document = Callable[[Number, int, datetime], Any]
"""The canonical object that tells a number, under a sequence, at a moment."""


class Answer(Struct, kw_only=True):
    """What a call came to. `told`: acknowledged; `kept`: surely not told; `unknown`: perhaps, with why; `refused`: why,
    and seconds until told again. `rest`: seconds to leave the system alone, `throttled` because it asked for that."""

    told: list[Number]
    kept: list[Number]
    unknown: list[tuple[Number, str]]
    refused: list[tuple[Number, str, float]]
    exchanges: list[Exchange]
    ended_at: datetime
    rest: float = 0.0
    throttled: bool = False
    reason: str = ""


class Teller:
    """Makes the calls of one operation to one system. `most`: how many numbers the next may tell. `longest_refusal`:
    seconds after which at the latest a number that was refused is told again."""

    def __init__(
        self, system: System, operation: str, document: Document, longest_refusal: float = LONGEST_REFUSAL
    ) -> None:
        self._system = system
        self._operation = operation
        self._document = document
        self._longest_refusal = longest_refusal
        self._batch = system.operations[operation].batch
        self.most = self._batch
        self._failures = 0
        # Calls that were answered; what it was when a number failed first tells whether any were since.
        self._answered = 0

    async def tell(self, numbers: Sequence[Number], sequence: int) -> Answer:
        """Make one call. Raises nothing but cancellation."""
        outcomes = await ask(self._system, self._operation, self._outgoing(numbers, sequence))
        exchanges = {id(one.exchange): one.exchange for one in outcomes if one.exchange is not None}
        answer = Answer(told=[], kept=[], unknown=[], refused=[], exchanges=[*exchanges.values()], ended_at=now())
        errors = self._sort(numbers, outcomes, answer)
        self._weigh(numbers, errors, answer)
        return answer

    def _sort(self, numbers: Sequence[Number], outcomes: Sequence[Outcome], answer: Answer) -> list[CrossdockError]:
        """Every number to where it belongs; the errors that say something of the system."""
        errors: list[CrossdockError] = []
        for number, outcome in zip(numbers, outcomes, strict=True):
            error = None if isinstance(outcome, Delivered) else outcome.error
            if error is None or isinstance(error, AlreadyDone):
                answer.told.append(number)
            elif isinstance(error, NeedsConfig) or (isinstance(error, RetryLater) and error.throttled):
                answer.kept.append(number)
                errors.append(error)
            elif isinstance(error, RetryLater | OutcomeUnknown):
                answer.unknown.append((number, error.reason))
                errors.append(error)
            else:
                answer.refused.append((number, error.reason, self._refusal(number)))
        return errors

    def _weigh(self, numbers: Sequence[Number], errors: Sequence[CrossdockError], answer: Answer) -> None:
        answered = bool(answer.told or answer.refused)
        self._answered += answered
        for number, _ in answer.unknown:
            if not number.failures:
                number.answered_before = self._answered
        if len(numbers) == 1 and answer.unknown:
            ((number, reason),) = answer.unknown
            if number.failures >= LONELY_FAILURES and self._answered > number.answered_before:
                answer.refused, answer.unknown = [(number, reason, self._refusal(number))], []
                return
        self._failures = 0 if answered or not errors else self._failures + 1
        if not errors:
            self.most = min(self._batch, self.most * 2)
            return
        answer.reason = errors[0].reason
        asked = [error.after for error in errors if isinstance(error, RetryLater) and error.after is not None]
        answer.throttled = any(isinstance(error, RetryLater) and error.throttled for error in errors)
        if asked:
            answer.rest = max(asked)
        elif isinstance(errors[0], NeedsConfig):
            answer.rest = CONFIG_PAUSE
        else:
            answer.rest = backoff(max(1, self._failures), first=FIRST_WAIT, most=LONGEST_WAIT)
        if not answered and answer.unknown:
            self.most = max(1, len(numbers) // 2)

    def _refusal(self, number: Number) -> float:
        return backoff(number.refusals + 1, first=FIRST_REFUSAL, most=self._longest_refusal)

    def _outgoing(self, numbers: Sequence[Number], sequence: int) -> list[Outgoing]:
        at = now()
        # One digest a call; the place in the call makes a UUID of each number.
        call = str(uuid5(NAMESPACE_URL, f"{self._system.name}/{sequence}"))[:24]
        return [
            Outgoing(
                delivery_id=0,
                operation=self._operation,
                reference=f"{one.sku}@{one.location}",
                idempotency_key=f"{call}{place:012x}",
                document=self._document(one, sequence, at),
                known={},
                attempt=one.failures + 1,
            )
            for place, one in enumerate(numbers)
        ]
