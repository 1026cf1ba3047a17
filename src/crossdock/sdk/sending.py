# SPDX-License-Identifier: Apache-2.0
"""What a connector implements to send: batches in, one outcome per item out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from crossdock.errors import CrossdockError

MOST_KEPT: Final = 1_000_000
"""Bytes of a request, and of an answer, that the journal keeps of an exchange."""


class Exchange(Struct, frozen=True, kw_only=True):
    """What travelled: the request and the answer as bytes (secrets never included), for the journal."""

    method: str = ""
    url: str = ""
    request: bytes = b""
    status: int = 0
    response: bytes = b""


class Outgoing(Struct, frozen=True, kw_only=True):
    """One document to bring to a system.

    `reference`: our own unique reference for its effect, the same on every try ("shopify-us/1001"). `idempotency_key`:
    a UUID derived from the obligation, the same on every try. `document`: the canonical object. `known`: references
    that systems gave back earlier for the same business key, as "<system>/<operation>" or
    "<system>/<operation>/<reference>" → reference. `attempt` starts at 1.
    """

    delivery_id: int
    operation: str
    reference: str
    idempotency_key: str
    document: Any
    known: Mapping[str, str]
    attempt: int = 1


class Delivered(Struct, frozen=True, kw_only=True):
    """The system has it, and calls it `reference`."""

    reference: str
    exchange: Exchange | None = None


class Failed(Struct, frozen=True, kw_only=True):
    """The system does not have it; the class of `error` says what happens next (OutcomeUnknown: look first)."""

    error: CrossdockError
    exchange: Exchange | None = None


Outcome = Delivered | Failed


class Sender(Protocol):
    """Guaranteed Delivery, the connector's half. Knows the network and the system's errors; keeps no state.

    Within one call of `send` the sender makes as few requests as the system's batch limits allow. It raises nothing:
    every failure is a `Failed`. A cut connection or time-out after the request was written is
    `Failed(OutcomeUnknown)`.
    """

    async def send(self, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
        """Bring `batch` (at most the manifest's `batch` for `operation`) to the system; outcomes in the same order."""
        ...

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """Look whether the system already has the effect of each item, by our reference; None = it has not.

        Raises a CrossdockError when it cannot tell (then nothing is sent).
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
