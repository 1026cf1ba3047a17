# SPDX-License-Identifier: Apache-2.0
"""Bodies of calls about reservations."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from crossdock.api.body import decoded
from crossdock.inventory.reservation import ReservationRequest

# A line takes about 100 bytes; far more than a reservation may have are not even read.
MOST_BODY = 512 * 1024


class Longer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `:extend`."""

    ttl_seconds: int


class Ordered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `:commit`, which may be left out."""

    order_key: str = ""


_LONGER, _ORDERED = msgspec.json.Decoder(Longer), msgspec.json.Decoder(Ordered)
_REQUEST = msgspec.json.Decoder(ReservationRequest)


def request_of(body: bytes) -> ReservationRequest:
    """What is to be reserved. Raises Refused with every field that is of the wrong type."""
    return decoded(_REQUEST, body)


def longer_of(body: bytes) -> Longer:
    """For how long a reservation is to be held. Raises Refused."""
    return decoded(_LONGER, body)


def ordered_of(body: bytes) -> Ordered:
    """Which order a reservation is for. Raises Refused."""
    return decoded(_ORDERED, body) if body else Ordered()
