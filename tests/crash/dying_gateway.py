# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.crash.dying_gateway …`: a gateway as ever, which is killed right after its first commit: what was
committed is never answered."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from crossdock.app import gateway
from crossdock.cli.main import main
from crossdock.journal.keep import Keeper
from crossdock.sdk.receiving import Incoming, KeepResult


class DyingKeeper(Keeper):
    """Keeps a batch, and does not live to tell."""

    async def keep(self, batch: Sequence[Incoming]) -> list[KeepResult]:
        await super().keep(batch)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("killed")


if __name__ == "__main__":
    gateway.Keeper = DyingKeeper  # type: ignore[misc]  # that is the point
    sys.exit(main())
