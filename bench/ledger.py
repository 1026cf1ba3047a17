# SPDX-License-Identifier: Apache-2.0
"""Movements in batches through lock, apply, levels and events, against the bare statement for ledger and level."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

from msgspec import Struct

from bench.figures import Check, Figure, Finding, Plan, Say
from bench.stand import work_folder
from bench.usage import cpu_by_part, spent
from bench.warehouse import PER_DOCUMENT, PER_TRANSACTION, Batch, Size, Store, applied, bare, batches, engines, store

NAME = "ledger"
SIZE = Size(skus=10_000, locations=4, rows=40_000)
MOVEMENTS = 100_000


class _Turn(Struct, frozen=True):
    """Movements a second, and CPU seconds of this process and PostgreSQL per 1,000."""

    rate: float
    cpu: float


async def run(plan: Plan, say: Say) -> Finding:
    """Both sides in turns on the same database, each round with movements of its own."""
    movements = 20_000 if plan.quick else MOVEMENTS
    ours, limits = [], []
    with work_folder() as folder:
        async with engines(folder) as url, store(url, "ledger", SIZE) as one:
            await applied(one, batches(SIZE, 10_000, seed=0))
            await bare(one, batches(SIZE, 10_000, seed=1))
            for number in range(1, plan.rounds + 1):
                ours.append(await _turn(applied, one, batches(SIZE, movements, seed=2 * number)))
                limits.append(await _turn(bare, one, batches(SIZE, movements, seed=2 * number + 1)))
                say(f"round {number}: {ours[-1].rate:,.0f} movements/s, bare statement {limits[-1].rate:,.0f}/s")
    both = list(zip(ours, limits, strict=True))
    mine, limit = median(turn.rate for turn in ours), median(turn.rate for turn in limits)
    return Finding(
        name=NAME,
        title=f"{movements:,} movements, {PER_DOCUMENT} a document, {PER_TRANSACTION} documents a transaction",
        figures=(
            Figure("bare statement", limit, "/s", "ledger row and level, nothing else"),
            Figure("applied / bare statement, by time", median(one.rate / other.rate for one, other in both)),
            Figure("CPU of applying", median(turn.cpu for turn in ours), "s per 1,000", "with PostgreSQL"),
            Figure("CPU of the bare statement", median(turn.cpu for turn in limits), "s per 1,000"),
        ),
        checks=(
            Check(label="applied", value=mine, unit="/s", at_least=20_000),
            Check(
                label="applied / bare statement, by CPU",
                value=median(other.cpu / one.cpu for one, other in both),
                at_least=0.35,
            ),
        ),
    )


async def _turn(side: Callable[[Store, Sequence[Batch]], Awaitable[float]], one: Store, work: Sequence[Batch]) -> _Turn:
    before = cpu_by_part(os.getpid())
    rate = await side(one, work)
    used = spent(before, cpu_by_part(os.getpid()), sum(len(each.movements) for batch in work for each in batch))
    return _Turn(rate, sum(used.values()))
