# SPDX-License-Identifier: Apache-2.0
"""Errors typed by what happens next and who acts; nothing else is raised across a step's edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class CrossdockError(Exception):
    """Something went wrong that Crossdock understands; `next_step` says what happens now."""

    next_step: ClassVar[str] = "case"
    code: ClassVar[str] = "error"

    def __init__(
        self,
        reason: str,
        *,
        field: str = "",
        rule: str = "",
        value: object = None,
        fix: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.rule = rule or self.code
        self.value = value
        self.fix = fix


class RetryLater(CrossdockError):
    """Tried again on schedule; nobody needs to act."""

    next_step = "retry"
    code = "retry_later"

    def __init__(
        self,
        reason: str,
        *,
        after: float | None = None,
        rule: str = "",
        throttled: bool = False,
        bounded: bool = False,
    ) -> None:
        """`after`: seconds the other side asked us to wait (Retry-After), None = our own schedule. `bounded`: nothing
        failed, and whoever says so ends the wait by the clock: the tries are not counted."""
        super().__init__(reason, rule=rule)
        self.after = after
        self.throttled = throttled
        self.bounded = bounded


class OutcomeUnknown(CrossdockError):
    """The call may or may not have had its effect; we look before we try again."""

    next_step = "look"
    code = "outcome_unknown"


class NeedsConfig(CrossdockError):
    """The system is paused until its credentials or settings are changed by an operator."""

    next_step = "pause"
    code = "needs_config"


class NeedsEdit(CrossdockError):
    """A case is opened; the owner of the document mends the named field and it goes on."""

    next_step = "case"
    code = "needs_edit"

    failures: tuple[NeedsEdit, ...] = ()
    about: str = ""
    """What tells two failures of one rule, field and value apart."""
    hold: str = ""
    """The kind of hold it is, "" = a fault of the document, which nobody can release."""
    mark: str = ""
    """Names exactly what was found, so that a release of it lets nothing else through; "" = it cannot be released."""

    @property
    def every(self) -> tuple[NeedsEdit, ...]:
        """All that is wrong, itself when that is all."""
        return self.failures or (self,)

    @property
    def holds(self) -> tuple[str, ...]:
        """Kinds of hold, when nothing else is wrong; () when there is a fault that must be mended."""
        every = self.every
        return tuple(sorted({one.hold for one in every})) if all(one.hold for one in every) else ()

    @classmethod
    def of(cls, failures: Sequence[NeedsEdit]) -> NeedsEdit:
        """One error for all that is wrong with a document: the first failure leads, the reason tells every one."""
        first = failures[0]
        if len(failures) == 1:
            return first
        shown = "; ".join(f"{failure.field}: {failure.reason}" for failure in failures[:10])
        more = f"; and {len(failures) - 10} more" if len(failures) > 10 else ""
        error = cls(shown + more, field=first.field, rule=first.rule, value=first.value, fix=first.fix)
        error.failures = tuple(failures)
        return error


class Refused(CrossdockError):
    """The sender is told what is wrong and how to mend it; nothing is kept open."""

    next_step = "reject"
    code = "refused"

    failures: tuple[Refused, ...] = ()

    def __init__(self, reason: str, *, status: int = 422, field: str = "", rule: str = "", fix: str = "") -> None:
        super().__init__(reason, field=field, rule=rule, fix=fix)
        self.status = status

    @classmethod
    def of(cls, failures: Sequence[Refused]) -> Refused:
        """One refusal for all that is wrong with a request: the first failure leads, `failures` has every one."""
        first = failures[0]
        if len(failures) == 1:
            return first
        reason = f"{first.reason}; and {len(failures) - 1} more"
        error = Refused(reason, status=first.status, field=first.field, rule=first.rule, fix=first.fix)
        error.failures = tuple(failures)
        return error


class Unauthenticated(Refused):
    """The signature or token is missing or wrong; nothing is stored."""

    code = "unauthenticated"

    def __init__(self, reason: str, *, fix: str = "") -> None:
        super().__init__(reason, status=401, rule="signature", fix=fix)


class AlreadyDone(CrossdockError):
    """The other side has it already; counts as delivered and its reference is recorded."""

    next_step = "settle"
    code = "already_done"

    def __init__(self, reason: str, *, reference: str) -> None:
        super().__init__(reason)
        self.reference = reference


class EngineAway(CrossdockError):
    """PostgreSQL or NATS cannot be reached just now; the work is kept and taken up again."""

    next_step = "retry"
    code = "engine_away"


class Busy(CrossdockError):
    """Too much is under way; the sender should slow down and try again."""

    next_step = "retry"
    code = "busy"
