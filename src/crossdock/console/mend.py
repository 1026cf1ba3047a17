# SPDX-License-Identifier: Apache-2.0
"""What an operator does to cases from the page: retry, release, edit, dismiss; each ends by saying what it did."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Request, Response, post
from litestar.datastructures import FormMultiDict
from litestar.params import PathParameter
from litestar.response import Redirect

from crossdock.console.cases import Mistake, filters_of, operator, show
from crossdock.console.reading import MAX_ID, transaction
from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.triage.dismiss import dismiss
from crossdock.triage.edit import edit
from crossdock.triage.release import release
from crossdock.triage.retry import retry

MAX_AT_ONCE: Final = 500
MAX_REASON: Final = 500


@post("/cases/retry", include_in_schema=False)
async def retry_cases(request: Request[Any, Any, Any]) -> Response[str] | Redirect:
    """Retry every case named `id` in the form."""
    form = await request.form()
    try:
        ids = _ids(form)
        async with transaction(request) as conn:
            number = await retry(
                conn,
                ids,
                by=_by(request, form),
                origin="console",
                reason=_text(form, "reason") or "retried in the console",
            )
    except CrossdockError as error:
        return await _back(request, form, error)
    return _done(form, "retried", number)


@post("/cases/release", include_in_schema=False)
async def release_cases(request: Request[Any, Any, Any]) -> Response[str] | Redirect:
    """Release every case named `id` in the form, for the `reason` it gives."""
    form = await request.form()
    reason = _text(form, "reason")
    try:
        if not reason:
            raise NeedsEdit("Write why before releasing", field="reason", fix="The reason is kept with the order.")
        ids = _ids(form)
        async with transaction(request) as conn:
            number = await release(conn, ids, by=_by(request, form), origin="console", reason=reason)
    except CrossdockError as error:
        return await _back(request, form, error)
    return _done(form, "released", number)


@post("/cases/dismiss", include_in_schema=False)
async def dismiss_cases(request: Request[Any, Any, Any]) -> Response[str] | Redirect:
    """Dismiss every case named `id` in the form, for the `reason` it gives."""
    form = await request.form()
    reason = _text(form, "reason")
    try:
        if not reason:
            raise NeedsEdit("Write why before dismissing", field="reason", fix="The reason is kept with the document.")
        ids = _ids(form)
        async with transaction(request) as conn:
            number = await dismiss(conn, ids, by=_by(request, form), origin="console", reason=reason)
    except CrossdockError as error:
        return await _back(request, form, error)
    return _done(form, "dismissed", number)


@post("/cases/{case_id:int}/edit", include_in_schema=False)
async def edit_case(
    request: Request[Any, Any, Any], case_id: Annotated[int, PathParameter(ge=1, le=MAX_ID)]
) -> Response[str] | Redirect:
    """Save the payload in `body` and let the document go on; a mistake comes back with everything that was typed."""
    form = await request.form()
    typed = str(form.get("body", ""))
    reason = _text(form, "reason")
    # A form turns every line end into CR LF; the payload had its own.
    body = typed.replace("\r\n", "\n").encode()
    try:
        async with transaction(request) as conn:
            await edit(
                conn, case_id, body, by=_by(request, form), origin="console", reason=reason or "edited in the console"
            )
    except CrossdockError as error:
        filters, _ = filters_of(_query(form))
        return await show(request, filters, case_id, mistake=Mistake(error, typed, reason))
    return _done(form, "edited", 1)


def _text(form: FormMultiDict, name: str) -> str:
    return str(form.get(name, "")).strip()[:MAX_REASON]


def _query(form: FormMultiDict) -> str:
    return str(form.get("back", ""))


def _by(request: Request[Any, Any, Any], form: FormMultiDict) -> str:
    return operator(request, _text(form, "by"))


def _ids(form: FormMultiDict) -> list[int]:
    given = form.getall("id", [])
    if not given:
        raise NeedsEdit("No case is marked", field="id", fix="Mark one or more in the list first.")
    if len(given) > MAX_AT_ONCE:
        raise NeedsEdit(f"{len(given)} cases are marked", field="id", fix=f"Mark at most {MAX_AT_ONCE} at once.")
    if not all(isinstance(each, str) and each.isascii() and each.isdigit() and len(each) < 19 for each in given):
        raise NeedsEdit("That is no case number", field="id", fix="Use the list on this page.")
    return sorted({int(each) for each in given})


async def _back(request: Request[Any, Any, Any], form: FormMultiDict, error: CrossdockError) -> Response[str]:
    filters, chosen = filters_of(_query(form))
    return await show(request, filters, chosen, mistake=Mistake(error))


def _done(form: FormMultiDict, verb: str, number: int) -> Redirect:
    filters, chosen = filters_of(_query(form))
    return Redirect(f"/console/cases?{filters.address(id=chosen, done=f'{verb}:{number}')}", status_code=303)
