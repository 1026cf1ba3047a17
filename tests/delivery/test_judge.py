# SPDX-License-Identifier: Apache-2.0
"""What becomes of a delivery after each kind of answer, early and late."""

from __future__ import annotations

import pytest

from crossdock.delivery.judge import HEALTHY_WITHIN, LONGEST_WAIT, TRIES_BEFORE_CASE, judge
from crossdock.delivery.system import Item, Tried
from crossdock.errors import (
    AlreadyDone,
    CrossdockError,
    NeedsConfig,
    NeedsEdit,
    OutcomeUnknown,
    Refused,
    RetryLater,
)
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing
from tests.orders.making import NOON

HEALTHY, SICK = 1.0, HEALTHY_WITHIN + 1.0


def tried(outcome: Outcome, attempt: int = 1) -> Tried:
    outgoing = Outgoing(
        delivery_id=1,
        operation="sales_order",
        reference="shop/1",
        idempotency_key="k",
        document=None,
        known={},
        attempt=attempt,
    )
    item = Item(outgoing=outgoing, document_id=1, interface="i", object="o", key="k", look_first=False, claim_id=1)
    return Tried(item=item, outcome=outcome, started=NOON, finished=NOON)


LOOK = RetryLater("could not look", rule="look_failed")
BUSY = RetryLater("429", throttled=True, after=7.0)


@pytest.mark.parametrize(
    ("error", "early", "late"),
    [
        # error, (state, outcome, look first, blames the system) at the first try and at the eighth while others succeed
        (RetryLater("503"), ("due", "retry", False, True), ("case", "keeps failing", False, False)),
        (OutcomeUnknown("cut"), ("due", "unknown", True, True), ("case", "keeps failing", True, False)),
        (LOOK, ("due", "unknown", True, True), ("case", "keeps failing", True, False)),
        (BUSY, ("due", "throttled", False, False), ("due", "throttled", False, False)),
        (NeedsConfig("expired"), ("due", "needs config", False, True), ("due", "needs config", False, True)),
        (NeedsEdit("no item"), ("case", "needs edit", False, False), ("case", "needs edit", False, False)),
        (Refused("no"), ("case", "needs edit", False, False), ("case", "needs edit", False, False)),
        (CrossdockError("?"), ("case", "needs edit", False, False), ("case", "needs edit", False, False)),
        (
            AlreadyDone("there", reference="77"),
            ("delivered", "already done", False, False),
            ("delivered", "already done", False, False),
        ),
    ],
)
def test_every_error_early_and_late(
    error: CrossdockError, early: tuple[str, str, bool, bool], late: tuple[str, str, bool, bool]
) -> None:
    for attempt, expected in ((1, early), (TRIES_BEFORE_CASE - 1, early), (TRIES_BEFORE_CASE, late), (99, late)):
        verdict = judge(tried(Failed(error=error), attempt), HEALTHY)
        assert (verdict.state, verdict.outcome, verdict.look_first, verdict.blames_system) == expected


@pytest.mark.parametrize("error", [RetryLater("503"), OutcomeUnknown("cut"), LOOK, BUSY, NeedsConfig("expired")])
def test_while_the_whole_system_is_away_nothing_becomes_a_case(error: CrossdockError) -> None:
    assert judge(tried(Failed(error=error), 1000), SICK).state == "due"


def test_what_was_delivered_bears_their_reference() -> None:
    verdict = judge(tried(Delivered(reference="4711")), SICK)
    assert (verdict.state, verdict.outcome, verdict.reference) == ("delivered", "delivered", "4711")
    assert judge(tried(Failed(error=AlreadyDone("there", reference="77"))), SICK).reference == "77"


def test_a_case_keeps_the_reason_and_says_how_often() -> None:
    verdict = judge(tried(Failed(error=RetryLater("503 from ERP", rule="http")), 8), HEALTHY)
    assert isinstance(verdict.error, NeedsEdit)
    assert verdict.error.reason == "failed 8 times while the system served others: 503 from ERP"
    assert verdict.error.rule == "http"


def test_the_system_says_how_long_to_wait_or_waits_grow() -> None:
    assert judge(tried(Failed(error=BUSY)), HEALTHY).wait == 7.0
    waits = [judge(tried(Failed(error=RetryLater("503")), attempt), SICK).wait for attempt in (1, 2, 3, 40)]
    for wait, ceiling in zip(waits, (0.5, 1.0, 2.0, LONGEST_WAIT), strict=True):
        assert ceiling / 2 <= wait <= ceiling
