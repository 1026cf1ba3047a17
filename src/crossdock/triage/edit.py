# SPDX-License-Identifier: Apache-2.0
"""Mend a document: check the edited form, keep it as a new version beside the old ones, and let it go on."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.objects import decode, encode
from crossdock.errors import NeedsEdit, Refused
from crossdock.journal.audit import Origin
from crossdock.triage.lock import audit_cases, author, lock_cases
from crossdock.triage.open import SQL
from crossdock.triage.retry import go_on

MAX_BODY = 5_000_000
_WHERE = re.compile(r"(?s)(.*) - at `\$\.?(.*)`$")
# What a document is about is not for an edit to change: systems know it by this.
_IDENTITY = {
    "sales_order": "order_key",
    "cancellation": "cancellation_key",
    "shipment": "shipment_id",
    "fulfillment_order": "reference",
    "goods_return": "return_key",
    "return_receipt": "receipt_id",
    "refund": "refund_key",
    "stock_movement": "movement_id",
    "product": "sku",
    "customer": "customer_id",
}


class Editable(Struct, frozen=True, kw_only=True):
    """What an edit of a case replaces. `stage`: source = the message as it came, canonical = our own form of `object`;
    `delivery`: only what this delivery sends is replaced, not the document."""

    stage: str
    object: str
    body: bytes
    delivery: bool


async def editable(conn: asyncpg.Connection, case_id: int) -> Editable:
    """The newest form of what `case_id` is about. Raises Refused: 404 unknown, 409 when there is nothing to edit."""
    return _editable(await _row(conn, case_id))


async def edit(
    conn: asyncpg.Connection, case_id: int, body: bytes, *, by: str, origin: Origin, reason: str = ""
) -> None:
    """Replace what the case stopped at with `body` (at most 5 MB of JSON) and go on from the same step.

    The old form stays in the journal. Runs in the caller's transaction. Raises NeedsEdit naming the field when `body`
    is no such object, Refused when the case is unknown (404), closed or under way (409), or `body` is too large (413).
    """
    who = author(by, origin, reason, reason_needed=False)
    cases = await lock_cases(conn, [case_id])
    if not cases:
        raise _closed(case_id)
    row = await _row(conn, case_id)
    before = _editable(row)
    after = check(before, body)
    if before.delivery:
        await conn.execute(SQL.write_delivery_body, row["delivery_id"], after)
    else:
        made_by = f"edited by {who.by}"
        await conn.execute(
            SQL.write_version, row["document_id"], row["number"] + 1, before.stage, after, made_by, who.by, who.reason
        )
    if not await go_on(conn, cases):
        raise _closed(case_id)
    await audit_cases(conn, "case.edit", [(cases[0], before.body, after)], who)


def check(before: Editable, body: bytes) -> bytes:
    """`body` as it is kept: source as given, canonical encoded anew. Raises NeedsEdit or Refused as `edit`."""
    if len(body) > MAX_BODY:
        raise Refused(
            f"the edited document has {len(body)} bytes",
            status=413,
            field="body",
            rule="body_size",
            fix=f"keep it under {MAX_BODY} bytes",
        )
    try:
        if before.stage == "source":
            msgspec.json.decode(body)
            return body
        document = decode(before.object, body)
    except msgspec.ValidationError as error:
        reason, field = _place(str(error))
        raise NeedsEdit(
            reason, field=field, rule=before.object, fix=f"see /schemas/{before.object}/1 for what it may hold"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NeedsEdit(f"not JSON: {error}", rule="json", fix="mend the JSON at the byte named") from error
    _check_identity(before, document)
    return encode(document)


def _place(message: str) -> tuple[str, str]:
    """msgspec's message without its path, and the path without its "$."."""
    found = _WHERE.match(message)
    return (found[1], found[2]) if found else (message, "")


def _check_identity(before: Editable, document: Any) -> None:
    name = _IDENTITY.get(before.object)
    if name is None:
        return
    try:
        old = msgspec.json.decode(before.body)
    except msgspec.DecodeError:
        return
    was, now = (old.get(name) if isinstance(old, dict) else None), getattr(document, name)
    # An old form without the field has no identity to keep.
    if was is not None and now != was:
        raise NeedsEdit(
            f"an edit cannot turn {was} into {now}",
            field=name,
            rule="identity",
            value=now,
            fix=f"leave it {was}; dismiss this case and send the other one as a document of its own",
        )


async def _row(conn: asyncpg.Connection, case_id: int) -> dict[str, Any]:
    row = await conn.fetchrow(SQL.editing, case_id)
    if row is None:
        raise Refused(
            f"there is no case {case_id}", status=404, field="id", rule="not_found", fix="list the cases for their ids"
        )
    return dict(row)


def _editable(row: dict[str, Any]) -> Editable:
    if row["delivery_body"] is not None:
        return Editable(stage="canonical", object=row["object"], body=row["delivery_body"], delivery=True)
    if row["delivery_id"] is None and (row["step"] == "translate" or row["canonical_body"] is None):
        source = row["message_body"] if row["source_body"] is None else row["source_body"]
        return Editable(stage="source", object="", body=source, delivery=False)
    if row["canonical_body"] is None:
        raise Refused(
            f"case {row['id']} has no document to edit",
            status=409,
            field="id",
            rule="nothing_to_edit",
            fix="retry or dismiss it",
        )
    # A decided document is what its kind says; a delivery without a body of its own sends the document.
    return Editable(stage="canonical", object=row["object"] or row["kind"], body=row["canonical_body"], delivery=False)


def _closed(case_id: int) -> Refused:
    return Refused(
        f"case {case_id} is closed or already under way again",
        status=409,
        field="id",
        rule="case_closed",
        fix="look at it again; if it fails once more it can be edited",
    )
