# SPDX-License-Identifier: Apache-2.0
"""All that is wrong with a document, as it is kept with its case: bounded, each failure with what would release it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.journal.record import storable
from crossdock.orders.held import LONGEST

MOST_FAILURES = 200
"""Failures that are kept of one document; one with more is for mending, or for a standing release."""


class CaseFailure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong. `hold`: the kind of hold it is, "" = a fault; `mark`: names exactly what was found, ""
    when nobody can release it."""

    rule: str
    field: str = ""
    value: str = ""
    reason: str = ""
    fix: str = ""
    hold: str = ""
    mark: str = ""


_KEPT = msgspec.json.Decoder(tuple[CaseFailure, ...])


def hold_of(error: CrossdockError) -> str:
    """The kinds of hold that an order waits for, as "credit,fraud"; "" when there is something to mend."""
    if not isinstance(error, NeedsEdit) or len(error.every) > MOST_FAILURES:
        return ""
    return ",".join(error.holds)


def failures_kept(error: CrossdockError) -> bytes:
    """What is kept of all that is wrong; b"" when a case says it all by itself."""
    if not isinstance(error, NeedsEdit) or not (error.hold or error.failures):
        return b""
    return encode(
        tuple(
            CaseFailure(
                rule=storable(one.rule, LONGEST),
                field=storable(one.field, LONGEST),
                value="" if one.value is None else storable(str(one.value), LONGEST),
                reason=storable(one.reason, LONGEST),
                fix=storable(one.fix, LONGEST),
                hold=one.hold,
                mark=one.mark,
            )
            for one in error.every[:MOST_FAILURES]
        )
    )


def failures_of(kept: bytes) -> tuple[CaseFailure, ...]:
    """What was kept by `failures_kept`."""
    return _KEPT.decode(kept) if kept else ()
