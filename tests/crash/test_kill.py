# SPDX-License-Identifier: Apache-2.0
"""Seeded mornings, each with kill -9 of one to three processes while orders stream in, most with systems that
fail halfway: afterwards every acknowledged order is in the ERP exactly once and the books balance.

Ten run with the suite, CROSSDOCK_CRASH_SEEDS=50 runs fifty.
One seed alone: `pytest tests/crash/test_kill.py -k seed_17`.
"""

from __future__ import annotations

import os

import pytest

from tests.crash.chaos import plan_of, play
from tests.crash.outside import differences
from tests.crash.stack import VICTIMS, Supply

pytestmark = pytest.mark.xdist_group("crash-kill")
SEEDS = range(1, int(os.environ.get("CROSSDOCK_CRASH_SEEDS", "10")) + 1)
FIFTY = range(1, 51)


def test_fifty_seeds_kill_everything_often_and_meet_an_erp_that_fails_after_it_did_the_work():
    plans = [plan_of(seed) for seed in FIFTY]
    killed = [kill.victim for plan in plans for kill in plan.kills]
    assert min(killed.count(victim) for victim in VICTIMS) >= 8
    kinds = [switch.kind for plan in plans for switch in plan.switches if switch.system == "netsuite"]
    assert kinds.count("error_after") >= 8
    assert kinds.count("cut_after") >= 8
    assert [plan_of(seed) for seed in FIFTY] == plans


@pytest.mark.parametrize("seed", SEEDS, ids="seed_{:02}".format)
@pytest.mark.asyncio(loop_scope="module")
async def test_every_acknowledged_order_is_in_the_erp_exactly_once_and_the_books_balance(
    supply: Supply, seed: int
) -> None:
    plan = plan_of(seed)
    print(plan)  # pytest shows it when the run fails, and always with -rP
    async with supply.sound() as stack:
        killed = await play(stack, plan)
        found = await differences(stack)
        assert not found, "\n".join([str(plan), *killed, *found])
