# SPDX-License-Identifier: Apache-2.0
"""Release held orders: a person lets through what holds them, exactly as it was found, and they are tried again."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from crossdock.errors import Refused
from crossdock.journal.audit import Origin
from crossdock.orders.released import NewRelease, write_releases
from crossdock.triage.failures import MOST_FAILURES, CaseFailure, failures_of
from crossdock.triage.lock import InHand, audit_cases, author, lock_cases
from crossdock.triage.open import SQL
from crossdock.triage.retry import go_on

_PREFIX = "order/"
_SHOWN = 5


async def release(conn: asyncpg.Connection, case_ids: Sequence[int], *, by: str, origin: Origin, reason: str) -> int:
    """Let through all that holds the open ones of `case_ids`, and try them again; how many went. All or none, in the
    caller's transaction.

    What is let through is what was found: of a later version with another value, or on another account, the order is
    held anew. What is under way already is left alone and not counted. Raises Refused 409 when there is anything that
    nobody can release, and says what; without `by` or `reason`; and as `lock_cases`.
    """
    who = author(by, origin, reason, reason_needed=True)
    cases = await lock_cases(conn, case_ids)
    rows = await conn.fetch(SQL.holding, [case.id for case in cases])
    found = {row["id"]: (row["hold"], failures_of(row["failures"])) for row in rows}
    for case in cases:
        _check(case, *found[case.id])
    going = await go_on(conn, cases)
    await write_releases(
        conn,
        [
            NewRelease(
                order_key=case.key.removeprefix(_PREFIX),
                mark=one.mark,
                rule=one.rule,
                field=one.field,
                value=one.value,
                case_id=case.id,
            )
            for case in going
            for one in found[case.id][1]
        ],
        who,
    )
    changes = [
        (
            case,
            {"state": "case"},
            {"state": "due", "released": [(one.rule, one.field, one.value) for one in found[case.id][1]]},
        )
        for case in going
    ]
    await audit_cases(conn, "case.release", changes, who)
    return len(going)


def _check(case: InHand, hold: str, failures: Sequence[CaseFailure]) -> None:
    stuck = [one for one in failures if not one.mark]
    if hold and not stuck:
        return
    if len(failures) >= MOST_FAILURES and not stuck:
        raise _refused(
            case, "", f"there are more than {MOST_FAILURES} failures", "mend the order, or release it by a rule"
        )
    if not stuck:
        raise _refused(
            case, "", "it is no held order", "mend it; what came before holds were kept shows them once it is retried"
        )
    shown = "; ".join(f"{one.field or one.rule}: {one.reason}" for one in stuck[:_SHOWN])
    more = f"; and {len(stuck) - _SHOWN} more" if len(stuck) > _SHOWN else ""
    wait = all(one.hold for one in stuck)
    fix = "retry it when that has come right" if wait else f"mend it first: {stuck[0].fix}"
    raise _refused(case, stuck[0].field, f"{shown}{more}", fix)


def _refused(case: InHand, field: str, reason: str, fix: str) -> Refused:
    return Refused(
        f"case {case.id} cannot be released: {reason}", status=409, field=field, rule="not_releasable", fix=fix
    )
