# SPDX-License-Identifier: Apache-2.0
"""Calls that tell the channel many values and are answered with 207: a result for each SKU, set, stale or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from crossdock.errors import OutcomeUnknown
from crossdock.sdk.http_status import StatusTable, error_for, error_of_status
from crossdock.sdk.json_api import BatchCall, FieldError, told_by
from crossdock.sdk.sending import Delivered, Exchange, Failed, Outcome


class _Result(Struct):
    sku: str | None
    status: int
    result: str = ""
    sequence: int | None = None
    errors: list[FieldError] = field(default_factory=list)


class _Results(Struct):
    results: list[_Result]


def telling(path: str, statuses: StatusTable) -> BatchCall:
    """`PUT path` with `items`; `statuses`: what the status of a result that is not 200 means."""

    def outcome(result: _Result | None, sent: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return _outcome(statuses, result, sent, exchange)

    return BatchCall("PUT", path, "items", _results, outcome)


def _outcome(statuses: StatusTable, result: _Result | None, sent: Mapping[str, Any], exchange: Exchange) -> Outcome:
    if result is None or result.sku not in (sent["sku"], None):
        unknown = OutcomeUnknown("the channel's answer leaves this SKU out", rule="answer")
        return Failed(error=unknown, exchange=exchange)
    if result.status == 200:
        # Stale: an equal or newer value is shown, which is all that telling this one was for.
        number = result.sequence if result.sequence is not None else sent["sequence"]
        return Delivered(reference=f"sequence {number}", exchange=exchange)
    first = result.errors[0] if result.errors else FieldError()
    if result.status in statuses:
        recovery = statuses[result.status]
        error = error_for(
            recovery, detail=told_by(result.errors), field=first.field, rule=first.code, value=sent["sku"]
        )
        return Failed(error=error, exchange=exchange)
    return Failed(error=error_of_status(statuses, result.status), exchange=exchange)


def _results(content: bytes) -> list[_Result]:
    return msgspec.json.decode(content, type=_Results).results
