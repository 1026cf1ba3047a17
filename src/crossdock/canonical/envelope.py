# SPDX-License-Identifier: Apache-2.0
"""The envelope of events: CloudEvents 1.0 in JSON, with W3C trace context as its distributed-tracing extension."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Raw, Struct


class CloudEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event. `source` + `id` name it once and for all; `subject` is the business key it is about."""

    # Without a default: defaults are left out, and an event without its version is none.
    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    dataschema: str = ""
    traceparent: str = ""
    data: Raw
