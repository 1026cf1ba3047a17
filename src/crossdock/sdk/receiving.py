# SPDX-License-Identifier: Apache-2.0
"""What a connector implements to receive: authenticate a request and say which document it carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Protocol

from msgspec import Struct

from crossdock.errors import Refused

LONGEST_ID: Final = 100
# PostgreSQL's bigint holds milliseconds; what lies outside these years is no time of a change.
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class HookRequest(Struct, frozen=True, gc=False):
    """A webhook as it came: header names in lower case, the raw body untouched."""

    system: str
    topic: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


class Identified(Struct, frozen=True, kw_only=True, gc=False):
    """What the receiver read from a request without translating it.

    `dedup_key`: the vendor's id of this delivery, the same on every retry. `key`: the business key documents are kept
    in order by ("order/shopify-us/1001"). `topic`: the topic as the vendor names it. `version`: grows with every change
    of the thing at its source (0 = unknown); a lower one is stale. `problem`: why the body could not be read; it is
    kept and becomes a case.
    """

    dedup_key: str
    key: str
    topic: str
    version: int = 0
    occurred_at: datetime | None = None
    problem: str = ""


class Incoming(Struct, frozen=True, kw_only=True, gc=False):
    """A message on its way into the journal, one business document.

    `dedup_key` is unique per interface; `digest` is `digest_of(body)`; `items`: how many source lines it stands for;
    `overtakes`: a full statement of its thing, so it may go on while an older one of its key waits for a person;
    `problem`: why it could not be read (it is kept and becomes a case).
    """

    interface: str
    topic: str
    dedup_key: str
    key: str
    version: int = 0
    body: bytes
    headers: bytes = b""
    items: int = 1
    digest: int
    overtakes: bool = False
    problem: str = ""


class KeepResult(Struct, frozen=True, kw_only=True, gc=False):
    """What the journal did with an incoming message; `document_id` is None when it was a duplicate."""

    document_id: int | None
    duplicate: bool


def digest_of(body: bytes) -> int:
    """A signed 64-bit digest of `body` (the head of its SHA-256, which processors compute), to notice the same bytes
    under another id."""
    return int.from_bytes(sha256(body).digest()[:8], "big", signed=True)


def message_id_in(request: HookRequest, header: str, fix: str) -> str:
    """The sender's own id of this delivery, in `header`. Refused 400 when it is missing, longer than 100 characters or
    not printable; `fix` says how it is sent."""
    found = request.headers.get(header, "").strip()
    if not found or len(found) > LONGEST_ID or not found.isprintable():
        raise Refused(
            f"header {header} is missing or longer than {LONGEST_ID} characters",
            status=400,
            rule="webhook_id",
            fix=fix,
        )
    return found


def moment_of(text: str | None) -> datetime | None:
    """The moment in UTC that ISO 8601 `text` names, one without an offset taken for UTC; None when it names none, or
    one so far off that it is a mistake."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if found is None:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found if _EARLIEST < found < _LATEST else None


class Receiver(Protocol):
    """Idempotent Receiver, the connector's half: both calls are pure, take microseconds and touch no network."""

    def authenticate(self, request: HookRequest, secrets: Sequence[str]) -> None:
        """Return when any of `secrets` (current first, then those being rotated out) made the signature.

        Raises Unauthenticated. Comparison is constant-time.
        """
        ...

    def identify(self, request: HookRequest) -> Identified:
        """Say which document an authenticated request carries. Never raises on a bad body: sets `problem`.

        Raises Refused when a header that the vendor always sends is missing.
        """
        ...
