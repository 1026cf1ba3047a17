# SPDX-License-Identifier: Apache-2.0
"""No call hangs: what is not done in time is answered as such, whatever it waits for."""

from __future__ import annotations

import asyncio
from types import TracebackType

from crossdock.errors import RetryLater

ANSWER_SECONDS = 10.0
"""After so long the caller is told to try again."""


class InTime:
    """The block in ANSWER_SECONDS, or RetryLater."""

    def __init__(self) -> None:
        self._limit = asyncio.timeout(ANSWER_SECONDS)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise RetryLater(
                f"no answer within {ANSWER_SECONDS:g} s; it may or may not be done: repeat the call with the same key",
                after=1.0,
                rule="deadline",
            ) from late
