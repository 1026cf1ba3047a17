# SPDX-License-Identifier: Apache-2.0
"""Hand objects over within a process: what was encoded a moment ago is found again by its bytes instead of decoded.

The bytes remain what is kept and what is read; an object is only handed over for exactly the bytes it was encoded to,
so nothing can be out of date, and a process that has not made the bytes decodes them as ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from crossdock.canonical.objects import OBJECTS, decode, encode

MOST_BYTES = 8 * 1024 * 1024
"""Of encoded objects; the objects themselves take some four times as much."""
PATIENCE = 60.0
"""Seconds after which nobody comes for an object any more: another process reads its bytes."""


class Handed:
    """Objects by their bytes, each handed over once. Objects must not change, as canonical ones cannot."""

    def __init__(
        self, most: int = MOST_BYTES, patience: float = PATIENCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._patience = patience
        self._clock = clock
        self._objects: dict[bytes, tuple[Struct, float]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._objects)

    def encode(self, document: Struct) -> bytes:
        """The bytes of `document`, which is held for whoever decodes them next; not when too much is held already."""
        body, at = encode(document), self._clock()
        if self._size + len(body) > self._most:
            self._forget(at - self._patience)
        if self._size + len(body) <= self._most and body not in self._objects:
            self._objects[body] = (document, at)
            self._size += len(body)
        return body

    def decode(self, kind: str, body: bytes) -> Any:
        """The object of `kind` that `body` says, as objects.decode and with its errors."""
        held = self._objects.pop(body, None)
        if held is None:
            return decode(kind, body)
        self._size -= len(body)
        document = held[0]
        return document if type(document) is OBJECTS[kind][1] else decode(kind, body)

    def _forget(self, before: float) -> None:
        old = []
        for body, (_, since) in self._objects.items():
            if since > before:
                break
            old.append(body)
        for body in old:
            del self._objects[body]
            self._size -= len(body)


HANDED = Handed()
"""From deciding to delivering, which are one process."""
