# SPDX-License-Identifier: Apache-2.0
"""Cases: the list of documents that need a person, and one of them beside it (Dead Letter Channel)."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlencode

import asyncpg
import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter
from msgspec import Struct

from crossdock.console.reading import MAX_ID, connection
from crossdock.console.render import page
from crossdock.errors import CrossdockError
from crossdock.journal.view import Travelled
from crossdock.runtime.telemetry import hide_credentials
from crossdock.triage.edit import Editable, editable
from crossdock.triage.list import CaseDetail, CaseRow, group_cases, list_cases, show_case

LIMIT: Final = 100
MAX_CAUSES: Final = 6
STATES: Final = ("open", "resolved", "dismissed", "all")
MAX_NAME: Final = 100
Text = Annotated[str, QueryParameter(max_length=500)]


class Filters(Struct, frozen=True):
    """What the list is narrowed to; the address of the page says all of it."""

    state: str = "open"
    q: str = ""
    interface: str = ""
    system: str = ""
    owner: str = ""
    klass: str = ""

    def address(self, **more: object) -> str:
        """The query string of these filters with `more` on top."""
        pairs = {**msgspec.structs.asdict(self), **more}
        return urlencode({name: str(value) for name, value in pairs.items() if value not in ("", None)})

    @property
    def narrowed(self) -> bool:
        """Whether anything but the state is asked for."""
        return bool(self.q or self.interface or self.system or self.owner or self.klass)


class Mistake(Struct, frozen=True):
    """An edit that was not taken, with what was typed, so that nothing of it is lost."""

    problem: CrossdockError
    typed: str | None = None
    reason: str = ""


def filters_of(query: str) -> tuple[Filters, int | None]:
    """Filters and chosen case in a query string that a form carried; whatever else it holds is left out."""
    pairs = {name: values[-1][:500] for name, values in parse_qs(query[:4000]).items()}
    chosen = pairs.get("id", "")
    names = {name: pairs[name] for name in Filters.__struct_fields__ if name in pairs}
    if names.get("state", "open") not in STATES:
        names["state"] = "open"
    return Filters(**names), int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else None


def operator(request: Request[Any, Any, Any], given: str = "") -> str:
    """Who acts: the name in the form or address, else the header of a proxy that knows, else "console"."""
    name = given or request.query_params.get("by", "") or request.headers.get("x-forwarded-user", "")
    return " ".join(name.split())[:MAX_NAME] or "console"


@get("/cases", include_in_schema=False)
async def cases_page(  # CD003: each parameter is one of the query string
    request: Request[Any, Any, Any],
    case_state: Annotated[str, QueryParameter(name="state")] = "open",
    q: Text = "",
    interface: Text = "",
    system: Text = "",
    owner: Text = "",
    klass: Text = "",
    case_id: Annotated[int | None, QueryParameter(name="id", ge=1, le=MAX_ID)] = None,
    after: Annotated[int | None, QueryParameter(name="after", ge=1, le=MAX_ID)] = None,
    done: Text = "",
) -> Response[str]:
    """The list, and case `id` beside it. `done`: what an action on the page before this one did, "retried:3"."""
    state = case_state if case_state in STATES else "open"
    filters = Filters(state, *(hide_credentials(one) for one in (q, interface, system, owner, klass)))
    return await show(request, filters, case_id, after=after, done=done)


async def show(
    request: Request[Any, Any, Any],
    filters: Filters,
    chosen: int | None,
    *,
    after: int | None = None,
    done: str = "",
    mistake: Mistake | None = None,
) -> Response[str]:
    """The page; status 422 when it comes back because of a `mistake`."""
    async with connection(request) as conn:
        rows = await _rows(conn, filters, after)
        causes = await group_cases(conn, MAX_CAUSES) if filters == Filters() and len(rows) > 1 else []
        detail = await show_case(conn, chosen) if chosen is not None else None
        # The detail's own copy may be cut short; an edit needs the whole.
        text = await editable(conn, detail.case.id) if detail and detail.stage and detail.case.state == "open" else None
    verb, _, number = done.partition(":")
    return await page(
        request,
        "cases.html",
        status=422 if mistake else 200,
        here="cases",
        filters=filters,
        rows=rows,
        causes=causes,
        detail=detail,
        attempts=_attempts(detail) if detail else [],
        editable=text,
        editable_text=readable(text) if text else "",
        by=operator(request),
        done=_told(verb, number),
        done_case=chosen if verb == "edited" else None,
        problem=mistake.problem if mistake else None,
        typed=mistake.typed if mistake else None,
        typed_reason=mistake.reason if mistake else "",
        after=rows[-1].id if len(rows) == LIMIT else None,
        limit=LIMIT,
    )


async def _rows(conn: asyncpg.Connection, filters: Filters, after: int | None) -> list[CaseRow]:
    return await list_cases(
        conn,
        state=None if filters.state == "all" else filters.state,
        interface=filters.interface or None,
        system=filters.system or None,
        klass=filters.klass or None,
        owner=filters.owner or None,
        text=filters.q or None,
        limit=LIMIT,
        after=after,
    )


def _attempts(detail: CaseDetail) -> list[Travelled]:
    about = detail.case.delivery_id
    return [each for each in detail.document.exchanges if about is None or each.delivery_id == about]


def _told(verb: str, number: str) -> str:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return ""
    what = f"{int(number):,} case{'' if number == '1' else 's'}"
    return {
        "retried": f"{what} retried. A case stays open until its document succeeds, then it closes by itself.",
        "released": f"{what} released. The order is tried again; what was let through is kept with it.",
        "edited": "Saved, and the document goes on from where it stopped.",
        "dismissed": f"{what} dismissed. The reason is kept with the document.",
    }.get(verb, "")


def readable(text: Editable) -> str:
    """The payload as an operator edits it: JSON with indents, anything else as it is."""
    body = text.body.decode("utf-8", "replace")
    try:
        return msgspec.json.format(body, indent=2)
    except msgspec.DecodeError:
        return body
