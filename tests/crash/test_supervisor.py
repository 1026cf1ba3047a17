# SPDX-License-Identifier: Apache-2.0
"""kill -9 of `crossdock up` itself: started again on the same data it goes on where it was. And it ends, with the
reason, when an engine does not stay up."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import psutil
import pytest

from crossdock.cli.output import EXIT_AWAY
from tests.crash.outside import differences
from tests.crash.rest import at_rest
from tests.crash.stack import PLAIN, ROLES, VICTIMS, Stack, stack_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("crash-rest")]
DEATHS_IN_A_MINUTE = 6


@pytest.mark.parametrize("after", [0.4, 1.1])
async def test_a_killed_supervisor_takes_everything_with_it_and_goes_on_when_started_again(
    stack: Stack, after: float
) -> None:
    control = stack.control
    orders = {"count": 40, "seed": round(after * 10), "rate": 40.0, "duplicates": 5, "reorder": 5, "cancels": 2}
    run = await control.post("shopify", "orders", orders)
    moves = await control.post(
        "warehouse", "movements", {"count": 60, "seed": 5, "batch": 10, "rate": 60.0, "skus": 40}
    )
    await asyncio.sleep(after)
    await stack.kill_supervisor()
    await stack.start()
    await control.finish("shopify", run)
    await control.finish("warehouse", moves)
    await at_rest(stack)
    assert await differences(stack) == []


async def test_an_engine_that_does_not_stay_up_ends_the_supervisor_with_the_reason(
    programs: None, tmp_path: Path
) -> None:
    async with stack_in(tmp_path, PLAIN) as stack:
        others = [process for victim in VICTIMS for process in stack.living(victim)]
        assert len(others) > len(ROLES)
        for number in range(1, DEATHS_IN_A_MINUTE + 1):
            await stack.logged('"engine":"postgres","pid"', '"event":"engine ready"', times=number)
            await stack.kill("postgres", random.Random(1))
        assert await stack.ended(60.0) == EXIT_AWAY
        assert "postgres ended 6 times within 60 s" in " ".join(stack.tail().split())
        _, alive = await asyncio.to_thread(psutil.wait_procs, others, 10.0)
        assert alive == []
