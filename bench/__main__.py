# SPDX-License-Identifier: Apache-2.0
"""`python -m bench [NAME…]`: run benchmarks, print what they found, exit 1 when a limit is missed."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

import msgspec
import uvloop

from bench import (
    access,
    availability,
    channels,
    growth,
    intake,
    ledger,
    mapping,
    orders_api,
    path,
    prices,
    reserve,
    start,
    stock,
)
from bench.figures import Check, Finding, Plan, Say
from crossdock.runtime.telemetry import configure_logs

MODULES = (
    intake,
    path,
    stock,
    channels,
    ledger,
    growth,
    reserve,
    availability,
    access,
    orders_api,
    prices,
    start,
    mapping,
)
ALL = {module.NAME: module.run for module in MODULES}


def main() -> int:
    """Run what was asked for, everything by default."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(ALL)}; all by default")
    parser.add_argument("--quick", action="store_true", help="small runs, a look of a minute")
    parser.add_argument("--rounds", type=int, default=3, help="how many rounds; the median counts")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON on standard output")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(ALL))
    if unknown or given.rounds < 1:
        parser.error(f"no benchmark called {', '.join(unknown)}" if unknown else "give at least one round")
    configure_logs("warning")
    plan = Plan(quick=given.quick, rounds=1 if given.quick else given.rounds)
    findings = []
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the first run", file=sys.stderr)
    for name in given.names or ALL:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            findings.append(runner.run(ALL[name](plan, _progress(name))))
        if not given.json:
            print(findings[-1], end="\n\n", flush=True)
    if given.json:
        print(msgspec.json.encode([_plain(finding) for finding in findings]).decode())
    missed = [check.label for finding in findings for check in finding.checks if not check.held]
    print(f"limits missed: {', '.join(missed)}" if missed else "every limit is kept", file=sys.stderr)
    return 1 if missed else 0


def _progress(name: str) -> Say:
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {name}: {line}", file=sys.stderr, flush=True)

    return say


def _plain(finding: Finding) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(finding)
    return {**plain, "held": finding.held, "checks": [_check(check) for check in finding.checks]}


def _check(check: Check) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(check)
    return {**plain, "held": check.held}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
