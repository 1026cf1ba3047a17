# SPDX-License-Identifier: Apache-2.0
"""Tell the warehouse which goods are to come back, and that they are not: one return a call, each taken once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from crossdock.connectors.warehouse_rest.errors import RETURN_BEGUN, RETURN_CONFLICT, RETURN_REFUSED
from crossdock.errors import CrossdockError, OutcomeUnknown, RetryLater
from crossdock.sdk.http_status import error_for
from crossdock.sdk.json_api import CallFailed, FieldError, JsonApi, told_by
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing

EXPECTED_RETURN: Final = "expected_return"
RETURN_CANCEL: Final = "return_cancel"
_TABLE: Final = {409: RETURN_CONFLICT, 422: RETURN_REFUSED}


class _Stored(Struct):
    id: str
    reference: str
    status: str = ""


class _StoredReturns(Struct):
    returns: list[_Stored]


class _Problem(Struct):
    detail: str = ""
    errors: list[FieldError] = field(default_factory=list)


class ReturnsDesk:
    """Returns at one warehouse. `body_of`: an expected return as the warehouse takes it."""

    def __init__(self, client: JsonApi, body_of: Callable[[Outgoing], Any]) -> None:
        self._client = client
        self._body_of = body_of

    async def send(self, operation: str, item: Outgoing) -> Outcome:
        """`expected_return` or `return_cancel` of one return; repeated, it changes nothing."""
        try:
            if operation == RETURN_CANCEL:
                return await self._cancel(item)
            content, exchange = await self._client.request("POST", "/returns", self._body_of(item))
            return Delivered(reference=msgspec.json.decode(content, type=_Stored).id, exchange=exchange)
        except CallFailed as failed:
            return Failed(error=_error(failed, operation, item), exchange=failed.exchange)
        except msgspec.DecodeError as error:
            return Failed(error=OutcomeUnknown(f"the warehouse's answer could not be read: {error}", rule="answer"))
        except CrossdockError as error:
            return Failed(error=error)

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """By our reference; of a cancellation, whether it is cancelled. Raises a CrossdockError when it cannot tell."""
        stored = await self._look_up(batch)
        found: list[Delivered | None] = []
        for item in batch:
            one = stored.get(item.reference)
            if operation == RETURN_CANCEL:
                gone = one is None or one.status == "cancelled"
                found.append(Delivered(reference=one.id if one is not None else "none") if gone else None)
            else:
                found.append(Delivered(reference=one.id) if one is not None else None)
        return found

    async def _cancel(self, item: Outgoing) -> Outcome:
        stored = (await self._look_up([item])).get(item.reference)
        if stored is None:
            return Delivered(reference="none")
        _, exchange = await self._client.request("POST", f"/returns/{quote(stored.id, safe='')}/cancel")
        return Delivered(reference=stored.id, exchange=exchange)

    async def _look_up(self, batch: Sequence[Outgoing]) -> Mapping[str, _Stored]:
        found: dict[str, _Stored] = {}
        for item in batch:
            try:
                content, _ = await self._client.request("GET", f"/returns?reference={quote(item.reference, safe='')}")
                found.update((one.reference, one) for one in msgspec.json.decode(content, type=_StoredReturns).returns)
            except CallFailed as failed:
                raise failed.error from failed
            except msgspec.DecodeError as error:
                raise RetryLater(f"the warehouse's answer could not be read: {error}", rule="answer") from error
        return found


def _error(failed: CallFailed, operation: str, item: Outgoing) -> CrossdockError:
    """What a status means for a return; the table of the connector speaks of fulfillment orders."""
    recovery = _TABLE.get(failed.status)
    if recovery is None:
        return failed.error
    if operation == RETURN_CANCEL and failed.status == 409:
        recovery = RETURN_BEGUN
    try:
        problem = msgspec.json.decode(failed.exchange.response, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem()
    first = problem.errors[0] if problem.errors else FieldError(field="reference")
    detail = told_by(problem.errors) or problem.detail
    return error_for(recovery, detail=detail, field=first.field, rule=first.code, value=item.reference)
