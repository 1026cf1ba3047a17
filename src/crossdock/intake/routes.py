# SPDX-License-Identifier: Apache-2.0
"""Where webhooks may come in: one entry per system and topic, compiled from the estate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from crossdock.sdk.receiving import Receiver


class HookRoute(Struct, frozen=True, kw_only=True):
    """How a webhook of one system and topic is taken in.

    `secrets` returns the signing secrets accepted now, current first; it is asked at every request, so that a rotated
    secret counts at once. `max_bytes` bounds the body. `overtakes`: its documents are full statements (see Incoming).
    """

    interface: str
    receiver: Receiver
    secrets: Callable[[], Sequence[str]]
    max_bytes: int
    overtakes: bool


HookRoutes = Mapping[tuple[str, str], HookRoute]
