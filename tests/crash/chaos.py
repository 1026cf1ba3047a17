# SPDX-License-Identifier: Apache-2.0
"""One morning of chaos: what a seed lets happen, and making it happen while orders stream in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tests.crash.rest import at_rest
from tests.crash.stack import PRODUCTS, VICTIMS, Stack

ORDERS, RATE = 50, 40.0
MOVEMENTS = 80
FOLLOW_UPS = {"duplicates": 6, "reorder": 6, "updates": 3, "cancels": 2}
BROKEN = ("unknown_sku", "totals_dont_add_up", "negative_total", "missing_address")
ERP_FAULTS = (None, "error_after", "cut_after", None, "throttled", "error_before", "slow", "error_after", "cut_after")
OTHER_FAULTS = (None, "error_after", "cut_after", "error_before", "throttled", None)
WEBHOOK_FAULTS = (None, "duplicates", "reorder")


class Kill(Struct, frozen=True):
    """Whom to kill, so many seconds after the first order."""

    at: float
    victim: str


class Switch(Struct, frozen=True):
    """A fault of a simulator, for the share `probability` of its calls or events."""

    system: str
    kind: str
    probability: float


class Plan(Struct, frozen=True):
    """What happens in the run of one seed."""

    seed: int
    kills: tuple[Kill, ...]
    switches: tuple[Switch, ...]
    broken: str
    ship_at: float

    def __str__(self) -> str:
        kills = ", ".join(f"{kill.victim} at {kill.at:.2f} s" for kill in self.kills)
        switches = ", ".join(f"{s.system} {s.kind} {s.probability:.0%}" for s in self.switches)
        return f"seed {self.seed}: kill {kills}; faults: {switches or 'none'}"


def plan_of(seed: int) -> Plan:
    """The plan of a seed, always the same. The first victims go round, so that fifty seeds hit each at least eight
    times; the others, the moments and the faults are drawn."""
    rng = random.Random(seed)
    victims = [VICTIMS[seed % len(VICTIMS)], *rng.choices(VICTIMS, k=rng.choice((0, 0, 1, 1, 2)))]
    kills = sorted((Kill(round(rng.uniform(0.05, ORDERS / RATE + 0.3), 3), victim) for victim in victims), key=_moment)
    drawn = [
        ("netsuite", ERP_FAULTS[seed % len(ERP_FAULTS)]),
        ("warehouse", rng.choice(OTHER_FAULTS)),
        ("shopify", rng.choice(OTHER_FAULTS)),
        ("shopify", rng.choice(WEBHOOK_FAULTS)),
        ("warehouse", rng.choice(WEBHOOK_FAULTS)),
    ]
    if seed % 5 == 0:
        # Every fifth run has no fault at all: then nothing but the kills can be to blame.
        drawn = []
    switches = tuple(Switch(system, kind, rng.choice((0.1, 0.2, 0.3))) for system, kind in drawn if kind is not None)
    return Plan(seed, tuple(kills), switches, rng.choice(BROKEN), round(rng.uniform(0.0, 0.8), 3))


async def play(stack: Stack, plan: Plan) -> list[str]:
    """Let it all happen, then wait until everything is at rest again; what was killed."""
    control = stack.control
    rng = random.Random(plan.seed)
    shippable = await _shippable(stack)
    for switch in plan.switches:
        fault = {"kind": switch.kind, "probability": switch.probability, "seconds": 0.3}
        await control.post(switch.system, "faults", fault)
    orders = {"count": ORDERS, "seed": plan.seed, "rate": RATE, "broken": {plan.broken: 1}, **FOLLOW_UPS}
    movements = {"count": MOVEMENTS, "seed": plan.seed, "batch": 10, "rate": 60.0, "skus": PRODUCTS}
    runs = [
        ("shopify", await control.post("shopify", "orders", orders)),
        ("warehouse", await control.post("warehouse", "movements", movements)),
    ]
    shipping = asyncio.create_task(_ship(stack, rng.sample(shippable, len(shippable) // 2), plan.ship_at))
    killed = await _kill(stack, plan.kills, rng)
    await shipping
    for system, run in runs:
        await control.finish(system, run)
    for system in ("netsuite", "warehouse", "shopify"):
        await control.delete(system, "faults")
    await at_rest(stack)
    return killed


def _moment(kill: Kill) -> float:
    return kill.at


async def _kill(stack: Stack, kills: Sequence[Kill], rng: random.Random) -> list[str]:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    killed = []
    for kill in kills:
        await asyncio.sleep(max(0.0, begin + kill.at - loop.time()))
        killed.append(f"{await stack.kill(kill.victim, rng)} at {loop.time() - begin:.2f} s")
    return killed


async def _shippable(stack: Stack) -> list[str]:
    """Open fulfillment orders of earlier runs. None is of an order that is still going to be cancelled: what has left
    cannot be called back, and Crossdock would rightly open a case."""
    found: list[dict[str, Any]] = (await stack.control.get("warehouse", "fulfillment_orders"))["fulfillment_orders"]
    return [order["reference"] for order in found if order["status"] in ("open", "partially_shipped")]


async def _ship(stack: Stack, references: list[str], at: float) -> None:
    await asyncio.sleep(at)
    if references:
        await stack.control.post("warehouse", "ship", {"references": references, "partial": 0.2})
