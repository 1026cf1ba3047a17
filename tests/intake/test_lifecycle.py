# SPDX-License-Identifier: Apache-2.0
"""A deprecated interface says so with every answer; a retired one takes nothing, and what came is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from crossdock.errors import NeedsConfig, Unauthenticated
from crossdock.intake.hooks import HookIntake
from crossdock.intake.routes import HookRoute, lifecycle_notices
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.sdk.receiving import HookRequest, Identified, Incoming, KeepResult
from tests.intake.asgi import Answer, call

NOTICES = lifecycle_notices(date(2027, 1, 1), date(2027, 7, 1))


class Door:
    """The intake of one interface that keeps in memory."""

    def __init__(self, **route: Any) -> None:
        self.kept: list[bytes] = []
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.configured = True
        made = HookRoute(
            interface="shop.orders_v1",
            receiver=self,
            secrets=self._secrets,
            max_bytes=100,
            overtakes=True,
            **route,
        )
        commit: GroupCommit[Incoming, KeepResult] = GroupCommit(self._keep, max_batch=10, parallel=1)
        self.intake = HookIntake(
            {("shop", "order"): made}, commit, lambda: datetime(2027, 1, 2, tzinfo=UTC), self._count
        )

    def _secrets(self) -> Sequence[str]:
        if not self.configured:
            raise NeedsConfig("system shop declares no secret 'webhook'")
        return ["secret"]

    async def _keep(self, batch: Sequence[Incoming]) -> list[KeepResult]:
        self.kept += [one.body for one in batch]
        return [KeepResult(document_id=len(self.kept), duplicate=False) for _ in batch]

    def _count(self, interface: str, outcome: str) -> None:
        self.outcomes[interface, outcome] += 1

    def authenticate(self, request: HookRequest, secrets: Sequence[str]) -> None:
        if request.headers.get("signature") not in secrets:
            raise Unauthenticated("the signature is wrong")

    def identify(self, request: HookRequest) -> Identified:
        return Identified(dedup_key="d", key="order/1", topic=request.topic)

    async def post(self, signature: str = "secret", path: str = "/hooks/shop/order") -> Answer:
        return await call(self.intake, path, b"{}", {"signature": signature})


def test_dates_are_written_as_the_standards_say() -> None:
    # RFC 9745, 2: a structured date; RFC 8594, 3: an HTTP date.
    assert NOTICES == ((b"deprecation", b"@1798761600"), (b"sunset", b"Thu, 01 Jul 2027 00:00:00 GMT"))
    assert lifecycle_notices(None, None) == ()


@pytest.mark.parametrize(("signature", "status"), [("secret", 200), ("other", 401)])
async def test_every_answer_of_a_deprecated_interface_tells_the_dates(signature: str, status: int) -> None:
    answer = await Door(notices=NOTICES).post(signature)
    assert answer.status == status
    assert answer.headers["deprecation"] == "@1798761600"
    assert answer.headers["sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"


async def test_others_tell_none() -> None:
    assert {"deprecation", "sunset"} & set((await Door().post()).headers) == set()


async def test_a_retired_interface_answers_410_and_what_came_is_counted_and_told() -> None:
    door = Door(retired=True, notices=NOTICES, successor="shop.orders")
    with capture_logs() as logs:
        answer = await door.post()
    assert answer.status == 410
    assert answer.headers["sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    problem = msgspec.json.decode(answer.body)
    assert (problem["type"], problem["fix"]) == ("/problems/retired", "use shop.orders instead")
    assert door.kept == []
    assert door.intake.rejections == [("shop.orders_v1", "retired", "the interface is retired", 2)]
    assert door.outcomes == Counter({("shop.orders_v1", "refused"): 1})
    assert [(one["event"], one["interface"], one["counted"]) for one in logs] == [
        ("intake.retired", "shop.orders_v1", True)
    ]


async def test_only_its_system_is_counted() -> None:
    door = Door(retired=True)
    assert (await door.post("other")).status == 401
    door.configured = False
    assert (await door.post("other")).status == 410
    assert door.intake.rejections == []
