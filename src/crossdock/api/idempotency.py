# SPDX-License-Identifier: Apache-2.0
"""The header `Idempotency-Key`: the name of a call, the same whenever it is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossdock.errors import Refused

LONGEST_KEY = 200
"""The most characters of a key."""


def idempotency_key(scope: Mapping[str, Any]) -> str:
    """The key of a request. Refused 400 when there is none, or none that can be kept."""
    keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    key = keys[0].decode("latin-1").strip() if len(keys) == 1 else ""
    if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Refused(
            "header Idempotency-Key is missing" if not keys else "header Idempotency-Key is not one key",
            status=400,
            field="Idempotency-Key",
            rule="idempotency_key.missing",
            fix=f"send 1 to {LONGEST_KEY} printable ASCII characters: the same when a call is repeated, others "
            "otherwise",
        )
    return key
