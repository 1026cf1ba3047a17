# SPDX-License-Identifier: Apache-2.0
"""`/v1/ops/cases`: list, show, retry, release, edit and dismiss, each with `dry_run`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from litestar import get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler, Scope
from msgspec import Meta, Struct

from crossdock.api.ops.books import Limit
from crossdock.api.reading import MAX_ID, After, Id, connection
from crossdock.errors import Refused
from crossdock.governance.caller import LOCAL, caller_of
from crossdock.triage.act import act
from crossdock.triage.dismiss import dismiss
from crossdock.triage.edit import MAX_BODY, edit
from crossdock.triage.list import CaseDetail, CaseGroup, CaseRow, group_cases, list_cases, show_case
from crossdock.triage.lock import MAX_CASES
from crossdock.triage.release import release
from crossdock.triage.retry import retry

# A full edited body, escaped as a JSON string, and the words around it.
_MAX_REQUEST = 2 * MAX_BODY
CaseIds = Annotated[list[Annotated[int, Meta(ge=0, le=MAX_ID)]], Meta(min_length=1, max_length=MAX_CASES)]
Name = Annotated[str, Meta(min_length=1, max_length=200, description="who does it, for the audit")]
Reason = Annotated[str, Meta(max_length=1000)]
CaseState = Literal["open", "resolved", "dismissed", "any"]


class CaseAction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cases to act on; with `dry_run` nothing is changed and the answer says what would be."""

    case_ids: CaseIds
    by: Name
    reason: Reason = ""
    dry_run: bool = False


class CaseEdit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edited document as text, exactly as it is to be kept."""

    body: str
    by: Name
    reason: Reason = ""
    dry_run: bool = False


class Acted(Struct, frozen=True, kw_only=True):
    """How many of the cases asked for were acted on; the rest are closed or under way already."""

    asked: int
    done: int
    dry_run: bool


def from_a_program(request: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Refuse what a browser can be made to send from another site: it cannot send JSON there without asking first."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(
            "this takes application/json",
            status=415,
            field="content-type",
            rule="content_type",
            fix="send the header content-type: application/json",
        )
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refused("this is not for other sites to ask", status=403, rule="cross_site", fix="ask from a program")


@get("/v1/ops/cases", summary="List cases", tags=["triage"])
async def get_cases(  # CD003: every query parameter is one, that is how litestar reads them
    state: State,
    case_state: Annotated[CaseState, QueryParameter(name="state")] = "open",
    interface: FromQuery[str | None] = None,
    system: FromQuery[str | None] = None,
    error_class: Annotated[str | None, QueryParameter(name="class")] = None,
    owner: FromQuery[str | None] = None,
    text: FromQuery[str | None] = None,
    hold: FromQuery[str | None] = None,
    limit: Limit = 100,
    after: After = None,
) -> list[CaseRow]:
    """Cases that fit every filter, the newest first; `after` goes on below a case id. `hold`: orders held by this kind
    of hold, or by `any`."""
    async with connection(state) as conn:
        return await list_cases(
            conn,
            state=None if case_state == "any" else case_state,
            interface=interface,
            system=system,
            klass=error_class,
            owner=owner,
            text=text,
            limit=limit,
            after=after,
            hold=hold,
        )


@get("/v1/ops/cases:groups", summary="Open cases by cause", tags=["triage"])
async def get_groups(state: State, limit: Limit = 100) -> list[CaseGroup]:
    """Open cases of one cause together, the most frequent first."""
    async with connection(state) as conn:
        return await group_cases(conn, limit)


@get("/v1/ops/cases/{case_id:int}", summary="One case", tags=["triage"])
async def get_case(state: State, case_id: Id) -> CaseDetail:
    """The case with its document, payloads and attempts, and what an edit would replace."""
    async with connection(state) as conn:
        return await show_case(conn, case_id)


@post("/v1/ops/cases:retry", summary="Retry cases", tags=["triage"], status_code=200, guards=[from_a_program])
async def post_retry(state: State, scope: Scope, data: JSONBody[CaseAction]) -> Acted:
    """Make the documents and deliveries due now, each from the step where it stopped."""
    by = _by(scope, data.by)
    return await _acted(state, data, lambda c: retry(c, data.case_ids, by=by, origin="api", reason=data.reason))


@post("/v1/ops/cases:release", summary="Release held orders", tags=["triage"], status_code=200, guards=[from_a_program])
async def post_release(state: State, scope: Scope, data: JSONBody[CaseAction]) -> Acted:
    """Let through all that holds the orders, and try them again; a reason is required. 409 when there is anything that
    must be mended."""
    by = _by(scope, data.by)
    return await _acted(state, data, lambda c: release(c, data.case_ids, by=by, origin="api", reason=data.reason))


@post("/v1/ops/cases:dismiss", summary="Dismiss cases", tags=["triage"], status_code=200, guards=[from_a_program])
async def post_dismiss(state: State, scope: Scope, data: JSONBody[CaseAction]) -> Acted:
    """Give the documents or deliveries up; a reason is required."""
    by = _by(scope, data.by)
    return await _acted(state, data, lambda c: dismiss(c, data.case_ids, by=by, origin="api", reason=data.reason))


@post(
    "/v1/ops/cases/{case:str}",
    summary="Edit a case",
    description="The path is the case id followed by `:edit`, as /v1/ops/cases/17:edit.",
    tags=["triage"],
    status_code=200,
    guards=[from_a_program],
    request_max_body_size=_MAX_REQUEST,
)
async def post_edit(state: State, scope: Scope, case: FromPath[str], data: JSONBody[CaseEdit]) -> Acted:
    """Replace what the case stopped at and go on from there; 422 names the field that is wrong."""
    number, _, action = case.partition(":")
    if action != "edit" or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise Refused("there is no such action", status=404, rule="not_found", fix="POST /v1/ops/cases/{id}:edit")
    async with connection(state) as conn:
        body, by = data.body.encode(), _by(scope, data.by)
        await act(
            conn,
            lambda c: edit(c, int(number), body, by=by, origin="api", reason=data.reason),
            dry_run=data.dry_run,
        )
    return Acted(asked=1, done=1, dry_run=data.dry_run)


def _by(scope: Scope, said: str) -> str:
    """Who acts, for the audit: whoever a consumer says it is stands behind the consumer's own name."""
    caller = caller_of(scope)
    return said if caller is LOCAL else f"{caller.consumer}: {said}"


async def _acted(state: State, data: CaseAction, work: Callable[[Any], Awaitable[int]]) -> Acted:
    async with connection(state) as conn:
        done = await act(conn, work, dry_run=data.dry_run)
    return Acted(asked=len(set(data.case_ids)), done=done, dry_run=data.dry_run)


HANDLERS: list[ControllerRouterHandler] = [
    get_cases,
    get_groups,
    get_case,
    post_retry,
    post_release,
    post_dismiss,
    post_edit,
]
