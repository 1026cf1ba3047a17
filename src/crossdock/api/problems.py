# SPDX-License-Identifier: Apache-2.0
"""Errors as RFC 9457 problem documents with a stable type, the field at fault and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap
from msgspec import Struct

from crossdock.errors import AlreadyDone, CrossdockError, NeedsEdit, OutcomeUnknown, Refused, RetryLater
from crossdock.inventory.reservation import NotEnough, Shortage
from crossdock.runtime.telemetry import hide_credentials

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 5
_MOST_ERRORS = 100
_LONGEST_VALUE = 200
_NAMED_FIELD = re.compile(r"(?:missing required|contains unknown) field `([^`]{1,100})`")
# Statuses of errors that do not carry one; what is not named here is a matter of time or settings: 503.
_STATUS: Mapping[type[CrossdockError], int] = {NeedsEdit: 422, AlreadyDone: 409, OutcomeUnknown: 504}
_CODES = {400: "bad_request", 401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}

log = structlog.get_logger(__name__)


class FieldProblem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with a request: where, what, the rule it breaks and the value that does, and how to mend it."""

    field: str
    reason: str
    rule: str = ""
    value: str = ""
    fix: str = ""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem document. `type` is stable and names the rule that was broken; `code` says what happens next.

    `field`: place in the request or document; `fix`: what to do; `errors`: all places when there are several (the first
    hundred); `shortages`: lines there is not enough for. `instance`: the path asked for, or for an unexpected error the
    id under which the log has it.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""
    code: str = ""
    field: str = ""
    fix: str = ""
    errors: list[FieldProblem] = []
    shortages: tuple[Shortage, ...] = ()


def describe(error: CrossdockError, path: str = "") -> Problem:
    """The problem document of an error that Crossdock understands."""
    status = error.status if isinstance(error, Refused) else _STATUS.get(type(error), 503)
    return Problem(
        type=f"/problems/{error.rule}",
        title=error.code.replace("_", " "),
        status=status,
        detail=hide_credentials(error.reason),
        instance=hide_credentials(path)[:300],
        code=error.code,
        field=error.field,
        fix=error.fix,
        errors=[
            field_problem(one)
            for one in (error.failures if isinstance(error, Refused | NeedsEdit) else ())[:_MOST_ERRORS]
        ],
        shortages=error.shortages if isinstance(error, NotEnough) else (),
    )


def field_problem(error: CrossdockError) -> FieldProblem:
    """One failure of several, as it is told."""
    value = "" if error.value is None else hide_credentials(str(error.value)[:_LONGEST_VALUE])
    reason = hide_credentials(error.reason)
    return FieldProblem(field=error.field, reason=reason, rule=error.rule, value=value, fix=error.fix)


def unexpected(number: str) -> Problem:
    """The problem document of a bug, without internals; the log has them under `number`."""
    return Problem(
        type="/problems/unexpected",
        title="unexpected error",
        status=500,
        detail="something went wrong that is no fault of the request",
        instance=f"urn:uuid:{number}",
        code="unexpected",
        fix="try again; if it stays, give the instance to whoever runs Crossdock",
    )


def retry_after(error: CrossdockError) -> int:
    """Seconds after which it is worth trying again."""
    after = error.after if isinstance(error, RetryLater) else None
    return _RETRY_SECONDS if after is None else max(1, round(after))


def encoded(problem: Problem) -> bytes:
    """A problem document as it is sent: whichever of its fields repeats what was sent, no API key or token is in it."""
    return hide_credentials(msgspec.json.encode(problem).decode()).encode()


def _answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    return Response(
        encoded(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def on_crossdock_error(request: Request[Any, Any, Any], error: CrossdockError) -> Response[bytes]:
    """Answer an error by its class: Refused with its own status, NeedsEdit 422, AlreadyDone 409, the rest 503."""
    problem = describe(error, request.scope["path"])
    headers = {"retry-after": str(retry_after(error))} if problem.status == 503 else {}
    if problem.status == 503:
        log.warning("api.unavailable", path=problem.instance, code=error.code, reason=error.reason)
    return _answer(problem, headers)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework refused: unknown path, wrong method, parameters that are not what they should be."""
    status = error.status_code
    code = _CODES.get(status, "http_error")
    errors: list[FieldProblem] = []
    if isinstance(error, ValidationException):
        status, code = 422, "validation"
        errors = [
            _field_problem(str(item.get("key", "")), str(item.get("message", "")))
            for item in error.extra or []
            if isinstance(item, dict)
        ]
    problem = Problem(
        type=f"/problems/{code}",
        title=code.replace("_", " "),
        status=status,
        detail=errors[0].reason if errors else hide_credentials(error.detail),
        instance=hide_credentials(request.scope["path"])[:300],
        code=code,
        field=errors[0].field if errors else "",
        fix="see /openapi.json for what this path takes" if status in (404, 405, 422) else "",
        errors=errors if len(errors) > 1 else [],
    )
    return _answer(problem, {name: str(value) for name, value in (error.headers or {}).items()})


def _field_problem(key: str, message: str) -> FieldProblem:
    # The framework says "data" for the body as a whole and leaves the field's name to the message.
    named = _NAMED_FIELD.search(message)
    field = ("" if key == "data" else f"{key}.") + named[1] if named else key
    return FieldProblem(field=field, reason=hide_credentials(message))


def on_statement_timeout(request: Request[Any, Any, Any], error: asyncpg.QueryCanceledError) -> Response[bytes]:
    """A question that took the database too long is a matter of load, not of the caller."""
    return on_crossdock_error(request, RetryLater("the database took too long to answer", rule="statement_timeout"))


def on_bad_value(request: Request[Any, Any, Any], error: asyncpg.DataError) -> Response[bytes]:
    """A value that no column takes, as text with U+0000, is the caller's; the log has what the database said."""
    log.warning("api.bad_value", path=hide_credentials(request.scope["path"])[:300], exc_info=error)
    said = "a value is beyond what is kept here: a number too large, a time too far away, or text with U+0000"
    return on_crossdock_error(request, Refused(said, rule="value", fix="see /openapi.json for what this path takes"))


def on_too_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[bytes]:
    """A body nested so deeply that it cannot be read."""
    return on_crossdock_error(
        request, Refused("the body is nested too deeply", status=400, rule="json", fix="send one JSON object")
    )


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer 500 without internals; the log has them under the id in `instance`."""
    number = uuid4().hex
    log.error("api.unexpected", instance=number, path=request.scope["path"][:300], exc_info=error)
    return _answer(unexpected(number))


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    CrossdockError: on_crossdock_error,
    HTTPException: on_http_error,
    asyncpg.QueryCanceledError: on_statement_timeout,
    asyncpg.DataError: on_bad_value,
    RecursionError: on_too_deep,
    Exception: on_unexpected,
}
"""For `Litestar(exception_handlers=...)`."""
