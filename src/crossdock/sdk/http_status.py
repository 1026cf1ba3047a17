# SPDX-License-Identifier: Apache-2.0
"""Tables that turn what a system answered into an error that says what happens next and who acts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from msgspec import Struct

from crossdock.errors import CrossdockError, NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater

# Nobody asks for more than an hour in earnest; a longer wait would look like a system that has gone silent.
MAX_RETRY_AFTER = 3600.0
MAX_DETAIL = 2000


class Recovery(Struct, frozen=True, kw_only=True):
    """What to do about one status or error code. `reason` is what a person reads, `fix` what they can do."""

    error: type[CrossdockError]
    reason: str
    fix: str = ""
    throttled: bool = False


StatusTable = Mapping[int, Recovery]
CodeTable = Mapping[str, Recovery]

_EDIT = Recovery(
    error=NeedsEdit,
    reason="the system refused the document",
    fix="mend the field the system names, then retry",
)
_CONFIG = Recovery(
    error=NeedsConfig,
    reason="the system does not take this call at all",
    fix="compare the address and version in the estate with what the system offers",
)
_UNKNOWN = Recovery(
    error=OutcomeUnknown,
    reason="the system failed while it worked on the call, which may have had its effect",
)
_SPECIAL: dict[int, Recovery] = {
    401: Recovery(
        error=NeedsConfig,
        reason="the system does not accept our credentials",
        fix="renew the secret that the estate names for this system",
    ),
    403: Recovery(
        error=NeedsConfig,
        reason="our credentials do not allow this call",
        fix="grant the permission named in the connector's page",
    ),
    404: Recovery(
        error=NeedsEdit,
        reason="the system does not know what the document refers to",
        fix="create it there or correct the reference, then retry",
    ),
    408: Recovery(error=OutcomeUnknown, reason="the system gave up waiting; the call may have had its effect"),
    409: Recovery(
        error=NeedsEdit,
        reason="the system has something else under this reference",
        fix="compare both, then correct one of them",
    ),
    423: Recovery(error=RetryLater, reason="the record is locked in the system just now"),
    425: Recovery(error=RetryLater, reason="the system asks to send this again later"),
    429: Recovery(error=RetryLater, reason="the system's limit is reached", throttled=True),
    503: Recovery(error=RetryLater, reason="the system is not available just now"),
}
_CONFIG_STATUSES = frozenset({402, 405, 406, 407, 410, 415, 426, 431, 451, 501, 505, 506, 508, 510, 511})


def _default(status: int) -> Recovery:
    if status in _SPECIAL:
        return _SPECIAL[status]
    if status < 400 or status in _CONFIG_STATUSES:
        return _CONFIG
    return _EDIT if status < 500 else _UNKNOWN


DEFAULT_STATUSES: StatusTable = MappingProxyType({status: _default(status) for status in range(300, 600)})


def status_table(overrides: Mapping[int, Recovery]) -> StatusTable:
    """The table for every status from 300 to 599: the defaults with a system's own `overrides`.

    The defaults hold a 5xx (but 503) for an unknown outcome, because a system may fail after it did the work.
    """
    return MappingProxyType({**DEFAULT_STATUSES, **overrides})


def error_for(
    recovery: Recovery,
    *,
    detail: str = "",
    field: str = "",
    rule: str = "",
    value: object = None,
    after: float | None = None,
) -> CrossdockError:
    """The error that `recovery` calls for. `detail`: what the system said; `after`: seconds it asked us to wait."""
    said = detail[:MAX_DETAIL].strip()
    reason = f"{recovery.reason}: {said}" if said else recovery.reason
    if issubclass(recovery.error, RetryLater):
        return RetryLater(reason, after=after, rule=rule, throttled=recovery.throttled)
    return recovery.error(reason, field=field, rule=rule, value=value, fix=recovery.fix)


def error_of_status(
    table: StatusTable, status: int, *, detail: str = "", field: str = "", after: float | None = None
) -> CrossdockError:
    """The error for HTTP `status`; one that no table knows is an unknown outcome."""
    return error_for(table.get(status, _UNKNOWN), detail=detail, field=field, rule=f"HTTP {status}", after=after)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by the `Retry-After` header (seconds or an HTTP date), within 0 and 3600; None without one.

    `headers`: any mapping that finds "Retry-After" or "retry-after".
    """
    given = (headers.get("Retry-After") or headers.get("retry-after") or "").strip()
    if not given:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            moment = parsedate_to_datetime(given)
        except ValueError:
            return None
        seconds = moment.timestamp() - now.timestamp()
    if seconds != seconds:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
