# SPDX-License-Identifier: Apache-2.0
"""Who makes a request and what that one may do. Resolved once, in front of every route; handlers ask `caller_of`."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from msgspec import Struct

from crossdock.estate.consumers import SCOPES

_PLACE = "crossdock.caller"


class Caller(Struct, frozen=True, kw_only=True):
    """A consumer of the API as one request shows it. `channels` and `customers`: those it may see, None = all.

    `scopes`: what both its entry in the estate and its credential allow.
    """

    consumer: str
    scopes: frozenset[str]
    channels: frozenset[str] | None
    customers: frozenset[str] | None
    plan: str

    def sees_channel(self, name: str) -> bool:
        """Whether channel `name` is its own; of another it is told what it is told of one that does not exist."""
        return self.channels is None or name in self.channels

    def sees_customer(self, customer_id: str) -> bool:
        """Whether customer account `customer_id` is its own; the same holds as for channels."""
        return self.customers is None or customer_id in self.customers


LOCAL = Caller(consumer="local", scopes=frozenset(SCOPES), channels=None, customers=None, plan="")
"""The caller of an estate without consumers: whoever reaches the port."""


def let_in(scope: MutableMapping[str, Any], caller: Caller) -> None:
    """Note in an ASGI scope who makes its request."""
    scope[_PLACE] = caller


def caller_of(scope: Mapping[str, Any]) -> Caller:
    """Who makes the request of this ASGI scope. LOCAL when nobody stands in front of the routes."""
    found: Caller = scope.get(_PLACE, LOCAL)
    return found
