# SPDX-License-Identifier: Apache-2.0
"""What a decision on one document says; capabilities return it, the flow writes it for a whole batch at once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from crossdock.canonical.quantity import Quantity
from crossdock.errors import CrossdockError
from crossdock.journal.claim import Claimed


class Split(Struct, frozen=True, kw_only=True):
    """Order lines, by index, that one location fulfills through one system.

    `quantities`: how much of each line, where stock is allocated; () = each line whole.
    """

    location: str
    system: str
    lines: tuple[int, ...]
    quantities: tuple[Quantity, ...] = ()


class Routed(Struct, frozen=True, kw_only=True):
    """Where routing sends an order; `record` is the decision as JSON, with its reasons.

    By line index: `ruled`: the location that a rule names; `if_short`: the one that ships the line when our stock is
    short of it.
    """

    entity: str
    erp: str
    splits: tuple[Split, ...]
    record: bytes
    rules: str
    ruled: Mapping[int, str] = {}
    if_short: Mapping[int, str] = {}


class NewDelivery(Struct, frozen=True, kw_only=True):
    """An obligation to bring an object to a system; `body` None = the document itself. `key`: it goes after what the
    system is owed under this business key, "" = the document's own."""

    system: str
    operation: str
    object: str
    reference: str
    body: bytes | None = None
    key: str = ""


class NewEvent(Struct, frozen=True, kw_only=True):
    """A business event to publish when the decision is committed; `data` is JSON. `key`: what it is about, "" = the
    document's business key."""

    type: str
    data: bytes
    key: str = ""


class RefusedPart(Struct, frozen=True, kw_only=True):
    """One element of a batch document that was not accepted, as a document of its own would say it."""

    ordinal: int
    stage: str
    body: bytes
    error: CrossdockError


class Translated(Struct, frozen=True, kw_only=True):
    """A claimed document with its canonical form. `body` is the canonical form encoded, b"" when it is kept already,
    None when it is encoded only if the decision does not change it. `parts`: elements that could not be translated."""

    claimed: Claimed
    kind: str
    document: Any
    body: bytes | None
    made_by: str
    parts: tuple[RefusedPart, ...] = ()


class Decided(Struct, frozen=True, kw_only=True):
    """The decision on one document.

    With `error` the class of the error says what happens; otherwise the document is settled, or delivering when there
    are deliveries, or without effect when `duplicate`. `body`: the document as enriched by the decision, which is what
    deliveries without a body of their own bring. `key` is the business key of its deliveries and events. `money`:
    what is at stake. `accepted`: a full statement was taken, so that older stuck ones of its key are superseded.
    `orders`: the keys of orders whose state it may move.
    """

    body: bytes = b""
    deliveries: tuple[NewDelivery, ...] = ()
    events: tuple[NewEvent, ...] = ()
    parts: tuple[RefusedPart, ...] = ()
    error: CrossdockError | None = None
    duplicate: bool = False
    accepted: bool = False
    note: str = ""
    rules: str = ""
    money: Decimal | None = None
    currency: str = ""
    orders: tuple[str, ...] = ()
