# SPDX-License-Identifier: Apache-2.0
"""The demo talks to simulators: a run that failed midway is no run that is done."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.app.demo.control import Control
from crossdock.errors import EngineAway
from crossdock.sandbox.pacing import Run, Runs


class Simulated(Control):
    """Control of runs that take place here."""

    def __init__(self, runs: Runs) -> None:
        super().__init__({})
        self._runs = runs

    async def get(self, system: str, what: str) -> Any:
        return self._runs.find(what.removeprefix("runs/"))


async def test_a_run_is_waited_for_and_one_that_failed_is_said() -> None:
    runs = Runs()

    async def works(run: Run) -> None:
        run.made = run.wanted

    async def breaks(run: Run) -> None:
        run.made = 3
        raise ConnectionResetError("the gateway hung up")

    control = Simulated(runs)
    try:
        await control.finish("portal", runs.find(runs.start("orders", 5, works).id))
        broken = runs.find(runs.start("orders", 5, breaks).id)
        with pytest.raises(EngineAway, match="portal: run orders-2 failed after 3 of 5: ConnectionResetError: the gat"):
            await control.finish("portal", broken)
    finally:
        await control.close()
